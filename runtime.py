"""The Temporal side shared by worker, console and tests: one plugin, the workflows, `connect()`."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from workflows.allowing import AllowVersion
from workflows.approval import Approval
from workflows.ask_cards import AskCards
from workflows.consent import Consent
from workflows.correction import Correction
from workflows.guard import GuardWatch
from workflows.incident import Incident
from workflows.messages import Messages
from workflows.recurring_sandbox import RecurringSandbox
from workflows.release_rollout import ReleaseRollout
from workflows.release_watch import ReleaseWatch
from workflows.review import Review
from workflows.staged_revert import StagedRevert
from workflows.standing import IssueStanding
from workflows.standing_preflight import StandingPreflight

WORKFLOWS = [
    ReleaseWatch,
    ReleaseRollout,
    RecurringSandbox,
    Incident,
    Approval,
    AskCards,
    StagedRevert,
    Messages,
    Review,
    GuardWatch,
    Correction,
    Consent,
    IssueStanding,
    AllowVersion,
    StandingPreflight,
]


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    """The sandbox stays on; pure rooms and their libraries are imported once instead of per workflow."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        raise TypeError(f"workflows run in the sandbox; got {runner!r}")
    restrictions = runner.restrictions.with_passthrough_modules(
        "pydantic", "pydantic_core", "annotated_types", "cryptography", "countermand", "activities"
    )
    return SandboxedWorkflowRunner(restrictions=restrictions)


def plugin() -> SimplePlugin:
    """Converter and sandbox for client, worker and replayer alike."""
    return SimplePlugin(
        "countermand",
        data_converter=pydantic_data_converter,
        workflow_runner=_sandboxed,
    )


async def connect() -> Client:
    """A client for the service that Temporal's own profile file and `TEMPORAL_*` variables name."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(**config, plugins=[plugin()])
