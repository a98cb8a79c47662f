"""A plan for the release of `cases`, for tests that only need one."""

from __future__ import annotations

from datetime import UTC, datetime

from countermand.plan.build import Found, build_plan
from countermand.plan.model import Plan
from countermand.plan.target import Preflight, Split, TargetState
from countermand.playbook.model import Severity
from tests import cases, fakes


def a_plan(incident_id: str = "inc-1") -> Plan:
    """Half of the users are on the candidate."""
    return build_plan(
        incident_id=incident_id,
        release=cases.release(),
        playbook=cases.playbook(),
        governance_digest="sha256:" + "b" * 64,
        severity=Severity.sev2,
        found=[
            Found(
                state=TargetState(
                    split=Split.candidate(5_000),
                    revision="7",
                    idempotency_key=None,
                    fence=0,
                    read_at=datetime(2026, 3, 1, tzinfo=UTC),
                    raw_sha256="sha256:0",
                ),
                preflight=Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True),
                capabilities=fakes.FakeTarget.capabilities,
            )
        ],
    )
