"""Proposals and backtest reports for tests: small, whole, and easy to change in one place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from countermand.learning.change import ChangeView
from countermand.learning.proposal import Proposal, examine, record
from countermand.learning.report import (
    BacktestReport,
    Cost,
    Costs,
    Fired,
    Honesty,
    IncidentRow,
    LeftOut,
    QuietRow,
    QuietSide,
    Rate,
)
from countermand.ledger.bodies import PlaybookAdopted, ThresholdProposed
from countermand.playbook.model import Playbook
from tests import cases

CURRENT, PROPOSED = "sha256:" + "c" * 64, "sha256:" + "d" * 64
PATH = "/detection/blind_after"
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def version(number: int, blind_after: int = 5, **top: Any) -> Playbook:
    """One number of the detection is all that differs; smaller is stricter."""
    document = cases.playbook_document() | {"version": number} | top
    document["detection"] = document["detection"] | {"blind_after": blind_after}
    return Playbook.model_validate(document)


def a_proposal(**changes: Any) -> Proposal:
    given: dict[str, Any] = {
        "proposal_id": "thr-0123abcd",
        "current_digest": CURRENT,
        "proposed_digest": PROPOSED,
        "hypothesis": "Five blind blocks let the March outage pass unseen for too long.",
        "expected_effect": "A blind watch says so two blocks earlier.",
        "rollback_condition": "More than two blind alarms in a week without an outage.",
        "origins": {PATH: "measured"},
        "review_on": NOW + timedelta(days=180),
        "shadow": timedelta(days=7),
        "proposed_by": "local|amira",
    }
    return Proposal.model_validate(given | changes)


def adopted(number: int = 1, digest: str = CURRENT, **changes: Any) -> PlaybookAdopted:
    body = PlaybookAdopted(
        name="test-bot",
        version=number,
        digest=digest,
        previous_digest="",
        change="new",
        changes=(),
        consent_id="adopt-1",
        signers=("local|lena", "local|maria"),
        key_id="ad-test",
        signature="",
    )
    return body.model_copy(update=changes)


def proposed(proposal: Proposal | None = None, blind_after: int = 3) -> ThresholdProposed:
    """As it stands on record: `blind_after` is 5 in the version in force."""
    proposal = proposal or a_proposal()
    current, new = version(1), version(2, blind_after)
    return record(proposal, "threshold/thr-0123abcd", current, new, examine(proposal, current, new, (adopted(),)))


def a_view(**changes: Any) -> ChangeView:
    return ChangeView(**({"proposed": proposed(), "at": NOW, "seq": 1} | changes))


def a_report(
    *,
    incidents: tuple[str, ...] = ("spring", "summer"),
    missed: tuple[str, ...] = (),
    quiet_days: int = 14,
    asks: int = 0,
    asks_before: int = 0,
    fitted: tuple[str, ...] = (),
    current: str = CURRENT,
    proposed: str = PROPOSED,
) -> BacktestReport:
    """A whole report of which a test states what it is about."""
    cost = Cost(bad_served=0, needless_rollbacks=0, held_ramps=0)
    quiet = QuietRow(
        episode_id="quiet",
        source="watch",
        release_id="r-quiet",
        begins=NOW - timedelta(days=30),
        ends=NOW - timedelta(days=30 - quiet_days),
        rows=1,
        current=QuietSide(asks=asks_before),
        proposed=QuietSide(asks=asks),
    )
    return BacktestReport(
        core="detection/1",
        seed=1,
        current_digest=current,
        proposed_digest=proposed,
        episodes_digest="sha256:e",
        rows_digest="sha256:r",
        change=("detection, blind after: 5 → 3",),
        incidents=tuple(_incident(name, name not in missed) for name in incidents),
        quiet=(quiet,) if quiet_days else (),
        cost=Costs(current=cost, proposed=cost),
        sensitivity=(),
        leave_one_out=tuple(
            LeftOut(
                episode_id=name,
                path=PATH,
                place="detection, blind after",
                value="5",
                caught=False,
                sentence="the others lead to 5, which misses it",
            )
            for name in fitted
        ),
        honesty=Honesty(
            incidents=len(incidents),
            quiet_stretches=1,
            synthetic=0,
            left_out=0,
            current=_rate(asks_before),
            proposed=_rate(asks),
        ),
        missed=missed,
        sentences=("Nothing else differs.",),
    )


def _incident(name: str, caught: bool) -> IncidentRow:
    at = NOW - timedelta(days=60)
    return IncidentRow(
        episode_id=name,
        kind="incident",
        source="watch",
        release_id=f"r-{name}",
        incident_id=f"inc-{name}",
        begins=at - timedelta(hours=1),
        cut_at=at + timedelta(hours=1),
        harm_start=at,
        actual_at=at + timedelta(minutes=5),
        rows=120,
        current=Fired(at=at + timedelta(minutes=5)),
        proposed=Fired(at=at + timedelta(minutes=4) if caught else None),
    )


def _rate(asks: int) -> Rate:
    return Rate(
        alarms=asks,
        asks=asks,
        weeks="2.00",
        per_week=None,
        asks_per_week=None,
        upper_per_week=None,
        from_boot=None,
        to_boot=None,
    )
