"""What the record says is open is compared with what runs; one bad line must not hide the others (T22)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from activities.reconciling import Reconciler
from countermand.ledger.bodies import IncidentOpened
from countermand.ledger.record import Entry, Kind
from tests import fakes

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Service:
    """Knows nothing of `gone`, does not answer about `mute`, and has everything else running."""

    async def missing(self, workflow_id: str, at: datetime) -> str:
        if workflow_id == "mute":
            raise ConnectionError("the name is too long")
        return "its workflow was terminated from outside" if workflow_id == "gone" else ""


def opened(incident_id: str, workflow_id: str) -> Entry:
    body = IncidentOpened(
        workflow_id=workflow_id, environment="production", service="support-assistant", candidate_name="c",
        baseline_name="b", severity="sev1", trigger="hallucinations", sentence="More hallucinations.",
        evidence_digest="sha256:0", opened_by="watch", ends_by=NOW + timedelta(days=1),
    )  # fmt: skip
    return body.entry(f"{incident_id}/opened", "worker", incident_id=incident_id, release_id="rel-1")


async def test_a_line_that_nobody_can_ask_about_hides_no_other_incident() -> None:
    ledger, channel = fakes.FakeLedger(), fakes.FakeChannel()
    torn = Entry(kind=Kind.incident_opened, idem_key="torn", actor="worker", body={}, incident_id="inc-0")
    await ledger.append(torn, opened("inc-1", "mute"), opened("inc-2", "gone"), opened("inc-3", "runs"))
    reconciler = Reconciler(ledger, Service(), channel, "http://console.test")
    await reconciler.look()
    await reconciler.look()
    said = await ledger.records(kinds=[Kind.incident_unattended])
    assert [record.incident_id for record in said] == ["inc-2"]
