"""The Temporal side shared by worker, console and tests: one plugin, the workflows, `connect()`."""

from __future__ import annotations

import dataclasses
import os
import socket
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from temporalio.envconfig import ClientConfig
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from adapters.payload_codec import KEY_WORD, EncryptingCodec
from countermand import ids
from countermand.cadence.duty import Duty
from workflows.adopting import AdoptPlaybook
from workflows.allowing import AllowVersion
from workflows.approval import Approval
from workflows.ask_cards import AskCards
from workflows.cadence_run import CadenceInput, CadenceRun
from workflows.consent import Consent
from workflows.correction import Correction
from workflows.guard import GuardWatch
from workflows.incident import Incident
from workflows.investigation import Investigation
from workflows.messages import Messages
from workflows.obligations import Obligations
from workflows.policies import EFFECTS_QUEUE
from workflows.recurring_sandbox import RecurringSandbox
from workflows.release_rollout import ReleaseRollout
from workflows.release_watch import ReleaseWatch
from workflows.releasing import ReleaseHold
from workflows.retention_run import RetentionInput, RetentionRun
from workflows.review import Review
from workflows.staged_revert import StagedRevert
from workflows.standing import IssueStanding
from workflows.standing_preflight import StandingPreflight
from workflows.threshold_change import ThresholdChange

WORKFLOWS = [
    ReleaseWatch,
    ReleaseRollout,
    RecurringSandbox,
    Incident,
    Investigation,
    Approval,
    AskCards,
    StagedRevert,
    Messages,
    Review,
    Obligations,
    GuardWatch,
    Correction,
    Consent,
    IssueStanding,
    AllowVersion,
    AdoptPlaybook,
    ThresholdChange,
    StandingPreflight,
    ReleaseHold,
    RetentionRun,
    CadenceRun,
]


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    """The sandbox stays on; pure rooms and their libraries are imported once instead of per workflow."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        raise TypeError(f"workflows run in the sandbox; got {runner!r}")
    restrictions = runner.restrictions.with_passthrough_modules(
        "pydantic", "pydantic_core", "annotated_types", "cryptography", "countermand", "activities"
    )
    return SandboxedWorkflowRunner(restrictions=restrictions)


def plugin(codec: PayloadCodec) -> SimplePlugin:
    """Converter and sandbox for client, worker and replayer alike: what goes through Temporal is encrypted, also the
    words and the trace of a failure (T14)."""
    converter = dataclasses.replace(
        pydantic_data_converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
    return SimplePlugin(
        "countermand",
        data_converter=converter,
        workflow_runner=_sandboxed,
    )


async def connect(codec: EncryptingCodec) -> Client:
    """A client for the service that Temporal's own profile file and `TEMPORAL_*` variables name.

    Its identity ends with the payload key it encrypts with: that is how a console notices a worker with another one.
    """
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(**config, plugins=[plugin(codec)], identity=identity(codec.key_id))


def identity(key_id: str) -> str:
    """How this process is called in Temporal: process, machine, payload key."""
    return f"{os.getpid()}@{socket.gethostname()} {KEY_WORD}{key_id}"


async def purge_daily(client: Client) -> None:
    """Make the schedule that deletes what is due every day, unless it is there. Raises RPCError."""
    action = ScheduleActionStartWorkflow(
        RetentionRun.run,
        RetentionInput(approver="schedule"),
        id=ids.RETENTION_RUN,
        task_queue=EFFECTS_QUEUE,
        static_summary="Delete what is due",
    )
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=1), offset=timedelta(hours=3))])
    policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(days=1))
    with suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(ids.RETENTION_SCHEDULE, Schedule(action=action, spec=spec, policy=policy))


async def keep_duties(client: Client, duties: Iterable[Duty]) -> None:
    """Make the schedule of each duty, or give it its new interval; one that people paused stays paused. Raises
    RPCError."""
    for duty in duties:
        wanted = _schedule_of(duty)
        try:
            await client.create_schedule(ids.cadence_schedule(duty.id), wanted)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(ids.cadence_schedule(duty.id)).update(_taking_over(wanted))


def _schedule_of(duty: Duty) -> Schedule:
    """Its runs follow one another: one that is missed for less than its interval is caught up."""
    action = ScheduleActionStartWorkflow(
        CadenceRun.run,
        CadenceInput(duty=duty.id),
        id=ids.cadence_schedule(duty.id),
        task_queue=EFFECTS_QUEUE,
        static_summary=duty.title,
    )
    # Not all at once, and at the same time each day: the place of a duty in the hour comes from its name.
    offset = timedelta(minutes=zlib.crc32(duty.id.encode()) % 60)
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=duty.looks, offset=min(offset, duty.looks / 2))])
    policy = SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=duty.looks)
    return Schedule(action=action, spec=spec, policy=policy)


def _taking_over(wanted: Schedule) -> Callable[[ScheduleUpdateInput], ScheduleUpdate | None]:
    def update(found: ScheduleUpdateInput) -> ScheduleUpdate | None:
        now = found.description.schedule
        if now.spec.intervals == wanted.spec.intervals:
            return None
        return ScheduleUpdate(dataclasses.replace(wanted, state=now.state))

    return update
