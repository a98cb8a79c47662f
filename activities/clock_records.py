"""What is recorded about clocks that nobody signs: due times, times that are over, the data and the profile in use."""

from __future__ import annotations

from datetime import datetime

from activities.ports import Ledger
from countermand.canonical import instant
from countermand.ledger.bodies import (
    Body,
    ObligationClock,
    ObligationClosed,
    ObligationDataset,
    ObligationOverdue,
    ProfileDeclared,
)
from countermand.ledger.obligation_bodies import ProfileLeaf
from countermand.ledger.record import Entry, Kind
from countermand.obligations.book import Book
from countermand.obligations.clocks import Clock, ClockState
from countermand.obligations.counting import RULES
from countermand.obligations.dataset import Dataset, shipped
from countermand.obligations.profile import Profile
from countermand.obligations.regimes import Regime
from countermand.obligations.warning import Warning_
from countermand.plan.target import Value


class Whose(Value):
    """The incident that records are about."""

    incident_id: str
    release_id: str

    def entry(self, body: Body, key: str) -> Entry:
        name = f"{self.incident_id}/{key}"
        return body.entry(name, "worker", incident_id=self.incident_id, release_id=self.release_id)

    def warned(self, one: Warning_) -> str:
        """Names one warning once and for all."""
        return f"{self.incident_id}/warned/{one.row_id}/{instant(one.due)}/{one.point}"


def new_clock(clock: Clock, known: Book, dataset_sha256: str, whose: Whose) -> list[Entry]:
    """The record of a clock that has a due time for the first time, or another one than before."""
    if not clock.counting or clock.anchor is None or clock.due is None:
        return []
    before = known.clocks_of(clock.row.id)
    due = clock.original_due or clock.due
    if before and (before[-1].due, before[-1].legal_latest) == (due, clock.legal_latest):
        return []
    group = [one for one in known.computed if clock.row.group and one.row.get("group") == clock.row.group]
    rebased = group[-1].row_id if group and group[-1].row_id != clock.row.id else None
    body = ObligationClock(
        row_id=clock.row.id,
        regime=clock.row.regime,
        row_sha256=clock.row.sha256,
        row=clock.row.plain,
        anchor_event=clock.anchor.event,
        anchor_at=clock.anchor.moment.earliest,
        due=due,
        legal_latest=clock.legal_latest,
        notes=clock.notes,
        rules=RULES,
        rebased_from=rebased,
        dataset_sha256=dataset_sha256,
    )
    return [whose.entry(body, f"clock/{clock.row.id}/{len(before)}")]


def overdue(clock: Clock, whose: Whose) -> list[Entry]:
    """A record for each time that passed without a report."""
    moments: list[tuple[datetime, datetime | None]] = [(due, None) for due in clock.missed]
    if clock.state is ClockState.overdue and clock.due is not None:
        moments.append((clock.due, clock.legal_latest))
    return [
        whose.entry(
            ObligationOverdue(row_id=clock.row.id, due=due, legal_latest=latest, unless=clock.unless),
            f"overdue/{clock.row.id}/{instant(due)}",
        )
        for due, latest in moments
    ]


async def closed(ledger: Ledger, seen: list[Regime], whose: Whose) -> Entry:
    """That nothing is left to look after, once for each state of the incident's records."""
    records = await ledger.records(incident_id=whose.incident_id)
    last = next((one for one in reversed(records) if one.kind is not Kind.obligation_closed), records[-1])
    decided = tuple(f"{one.name}: {one.decision.reportable}" for one in seen if one.decision)
    body = ObligationClosed(decided=decided, sentence="Every regime in view is decided, and no clock runs.")
    return whose.entry(body, f"obligations/closed/{last.seq}")


async def dataset_in_use(ledger: Ledger, dataset: Dataset) -> list[Entry]:
    """A record when other rows than before are in use, so that it shows who ran on what (OBL-1)."""
    known = await ledger.records(kinds=[Kind.obligation_dataset])
    if known and ObligationDataset.model_validate(known[-1].body).dataset_sha256 == dataset.sha256:
        return []
    body = ObligationDataset(
        dataset_sha256=dataset.sha256,
        name=dataset.dataset,
        version=dataset.dataset_version,
        as_of=dataset.as_of.isoformat(),
        rows_changed=dataset.rows_changed(shipped()),
    )
    return [body.entry(f"dataset/{known[-1].seq if known else 0}/{dataset.sha256}", "worker")]


async def profile_in_use(ledger: Ledger, dataset: Dataset, profile: Profile) -> list[Entry]:
    """A record when the profile says something new: who declared what, and when."""
    known = await ledger.records(kinds=[Kind.profile_declared])
    before = ProfileDeclared.model_validate(known[-1].body) if known else None
    if before is None and not profile.present:
        return []
    if before is not None and before.profile_sha256 == profile.sha256:
        return []
    leaves = tuple(
        ProfileLeaf(path=path, value=str(one.value).lower(), by=one.by, at=one.at.isoformat(), document=one.document)
        for path, one in sorted(profile.declared.items())
    )
    old = {one.path: one for one in before.declared} if before else {}
    new = {one.path: one for one in leaves}
    body = ProfileDeclared(
        profile_sha256=profile.sha256,
        dataset_sha256=dataset.sha256,
        declared=leaves,
        changed=tuple(sorted(path for path in {*old, *new} if old.get(path) != new.get(path))),
    )
    return [body.entry(f"profile/{known[-1].seq if known else 0}/{profile.sha256}", "worker")]
