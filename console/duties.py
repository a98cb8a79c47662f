"""The reporting clocks of incidents as people see them: by regime, the soonest first, in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.keeping import situation, situation_of
from console.decide import Act, Person
from console.deps import Console
from console.problems import Problem
from console.render import relative
from countermand.canonical import instant
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.messages.facts import spoken, utc
from countermand.messages.incident import IncidentView, incident
from countermand.messages.obligation import NOT_ADVICE
from countermand.obligations.acts import Situation
from countermand.obligations.clocks import OPEN, OUT_OF_VIEW, Clock, ClockState
from countermand.obligations.dataset import RECHECK_BEFORE, Dataset, DatasetInvalid
from countermand.obligations.profile import ProfileInvalid
from countermand.obligations.regimes import Regime, evidence_holds, open_regimes, regimes
from countermand.obligations.warning import next_look
from workflows.decisions import Answer

#: Evidence and reports that are kept; larger ones stay outside and are named by their digest.
MAX_BYTES = 5_000_000


@dataclass(frozen=True)
class Duties:
    """The clocks of one incident. `broken`: rows or profile cannot be read, so that nothing is known."""

    view: IncidentView
    found: Situation | None
    regimes: tuple[Regime, ...] = ()
    broken: str = ""

    @property
    def declared(self) -> bool:
        return self.found is not None and self.found.profile.present

    @property
    def in_view(self) -> tuple[Regime, ...]:
        """Regimes of law that say something about this incident and that somebody declared or opened."""
        return tuple(
            one
            for one in self.regimes
            if one.in_view
            and not one.internal
            and any(clock.state not in (_UNDECLARED, *OUT_OF_VIEW) for clock in one.clocks)
        )

    @property
    def undeclared(self) -> tuple[Regime, ...]:
        """Regimes of which nobody said whether they reach the organisation."""
        return tuple(one for one in self.regimes if one.in_view and not one.internal and one not in self.in_view)

    @property
    def out_of_view(self) -> tuple[Regime, ...]:
        return tuple(one for one in self.regimes if not one.in_view and not one.internal)

    @property
    def internal(self) -> tuple[Clock, ...]:
        return tuple(clock for one in self.regimes if one.internal for clock in one.clocks)

    @property
    def soonest(self) -> tuple[Clock, ...]:
        """Clocks of law that somebody has to look after, the soonest first; a time that is missing comes before."""
        clocks = [clock for one in self.regimes if not one.internal for clock in one.clocks if clock.state in OPEN]
        return tuple(sorted(clocks, key=_urgency))

    @property
    def left_open(self) -> tuple[str, ...]:
        return open_regimes(self.regimes, self.found.profile) if self.found else ()

    @property
    def holds(self) -> tuple[Clock, ...]:
        """Clocks for which the evidence has to stay as it is (GOV-43)."""
        return evidence_holds(clock for one in self.regimes for clock in one.clocks)


_UNDECLARED = ClockState.scope_not_declared


def _urgency(clock: Clock) -> float:
    target = clock.target
    return target.timestamp() if target and clock.state is not ClockState.anchor_missing else 0.0


async def of_incident(deps: Console, view: IncidentView) -> Duties:
    """The clocks of one incident now; rows or a profile that cannot be read are said and stop no page."""
    try:
        found = await situation(deps.ledger, deps.duties, view.incident_id, deps.clock())
    except (DatasetInvalid, ProfileInvalid) as error:
        return Duties(view, None, broken=str(error))
    return Duties(view, found, regimes(found.clocks, found.book))


async def data_in_use(deps: Console) -> Dataset | None:
    """The rows that clocks use now; None when they cannot be read."""
    try:
        return (await deps.duties.read())[0]
    except (DatasetInvalid, ProfileInvalid):
        return None


async def duties_check(deps: Console) -> dict[str, Any]:
    """A check for `/readyz` and `countermand doctor`: can the rows be read, and which have to be checked again?"""
    try:
        dataset, _ = await deps.duties.read()
    except (DatasetInvalid, ProfileInvalid) as error:
        return {"name": "clocks", "ok": False, "sentence": f"no clock is known: {error}"}
    today = deps.clock().date()
    late, soon = dataset.unchecked(today), dataset.unchecked(today + RECHECK_BEFORE)
    sentence = f"{len(late)} of {len(dataset.obligations)} rows are past their check, {len(soon) - len(late)} are due"
    # A row past its date still counts and says so; the calendar alone makes no installation unwell.
    return {"name": "clocks", "ok": True, "sentence": f"{sentence} within {RECHECK_BEFORE.days} days"}


async def every(deps: Console) -> list[Duties]:
    """The clocks of every incident that has any to look after, the soonest first."""
    looked_after = (Kind.obligation_clock, Kind.obligation_anchor, Kind.obligation_fact, Kind.obligation_opened)
    records = await deps.ledger.records(
        kinds=[Kind.incident_opened, Kind.incident_closed, Kind.evidence_sealed, *looked_after]
    )
    closed = {one.incident_id for one in records if one.kind is Kind.incident_closed}
    kept = {one.incident_id for one in records if one.kind in looked_after}
    wanted = [one.incident_id for one in records if one.kind is Kind.incident_opened]
    wanted = [one for one in dict.fromkeys(wanted) if one is not None and (one in kept or one not in closed)]
    packs = [one for one in records if one.kind is Kind.evidence_sealed]
    try:
        declared, broken = await deps.duties.read(), ""
    except (DatasetInvalid, ProfileInvalid) as error:
        declared, broken = None, str(error)
    found, now = [], deps.clock()
    for incident_id in wanted:
        mine = await deps.ledger.records(incident_id=incident_id)
        if (view := incident(mine)) is None:
            continue
        if declared is None:
            found.append(Duties(view, None, broken=broken))
            continue
        here = situation_of(declared, view.incident_id, mine, packs, now)
        found.append(Duties(view, here, regimes(here.clocks, here.book)))
    return sorted(found, key=lambda one: _urgency(one.soonest[0]) if one.soonest else float("inf"))


@dataclass(frozen=True)
class Said:
    """A clock in words: what is asked of whom, and what happens if nobody does anything."""

    clock: Clock
    until: str
    asked: str
    otherwise: str


def said(clock: Clock, now: datetime, holders: Iterable[str]) -> Said:
    """For the list and the page of clocks."""
    row, who = clock.row, spoken(tuple(holders)) or "nobody holds this role"
    owner = f"{row.owner_role.replace('_', ' ')} ({who})"
    otherwise = "The clock goes on and is recorded as overdue; nothing is sent to anybody by itself."
    match clock.state:
        case ClockState.anchor_missing:
            asked = f"Record when it happened. For: {owner}."
            return Said(clock, clock.because, asked, "No time is counted until then.")
        case ClockState.tolled if clock.tolled_until and clock.original_due:
            until = f"delayed until {utc(clock.tolled_until)}; without the delay {utc(clock.original_due)}"
            return Said(clock, until, f"Report when the delay ends. For: {owner}.", otherwise)
        case ClockState.overdue if clock.due:
            until = f"was due {utc(clock.due)}{clock.unless}"
            return Said(clock, until, f"Report now, or say why not. For: {owner}.", "It stays overdue in the record.")
        case ClockState.running if clock.due:
            if clock.service_level:
                own = f"{utc(clock.service_level)}, {relative(clock.service_level, now)}"
                until = f"at once; no numeric limit. Own limit {own}"
            else:
                until = f"{utc(clock.due)}, {relative(clock.due, now)}"
            late = f" A later lawful reading may end {utc(clock.legal_latest)}." if clock.legal_latest else ""
            return Said(clock, until + late, f"Report and record it, or decide not to. For: {owner}.", otherwise)
        case _:
            return Said(clock, clock.because, f"For: {owner}.", "Nothing is counted.")


async def act(deps: Console, person: Person, channel: Any, incident_id: str, **given: Any) -> Answer:
    """Sign one act about clocks and hand it over. Raises Refused, OutcomeUnknown."""
    return await deps.gate.decide(
        Act(
            kind=DecisionKind.keep_obligation,
            incident_id=incident_id,
            reason=given["reason"],
            decision_id=given.get("decision_id"),
            terms={name: value for name, value in given["terms"].items() if value},
        ),
        person,
        channel,
    )


async def keep_file(deps: Console, person: Person, raw: bytes) -> str:
    """Keep what belongs to an act; returns its digest. Raises Problem: nothing that was kept is ever deleted, so
    somebody who may do nothing here may not fill the store either."""
    people = await deps.people.snapshot()
    if people.is_excluded(person.subject) or people.person(person.subject) is None:
        raise Problem(403, "not_your_role", f"{person.subject!r} has no part here.", "Ask somebody who holds a role.")
    return await deps.ledger.put_blob(raw, "application/octet-stream")


def duties_json(duties: Duties, now: datetime) -> dict[str, Any]:
    """`countermand.obligations/v1`."""
    body: dict[str, Any] = {
        "schema": "countermand.obligations/v1",
        "not_advice": NOT_ADVICE,
        "incident_id": duties.view.incident_id,
        "declared": duties.declared,
        "broken": duties.broken,
        "left_open": list(duties.left_open),
        "regimes": [
            {
                "regime": one.name,
                "gaps": list(one.gaps),
                "reportable": one.decision.reportable if one.decision else "undecided",
                "in_view": one.in_view,
                "clocks": [_clock_json(clock) for clock in one.clocks],
            }
            for one in duties.regimes
        ],
    }
    if duties.found is not None:
        body["looked_at"] = instant(now)
        body["next_look"] = instant(next_look(duties.found.dataset, duties.found.clocks, now))
    return body


def _clock_json(clock: Clock) -> dict[str, Any]:
    times = {"due": clock.due, "legal_latest": clock.legal_latest, "service_level": clock.service_level}
    return {
        "row": clock.row.id,
        "title": clock.row.title,
        "citation": clock.row.citation,
        "owner_role": clock.row.owner_role,
        "state": clock.state.value,
        "because": clock.because,
        "flags": list(clock.flags),
        "notes": list(clock.notes),
        "missing": list(clock.missing),
        **{name: instant(at) if at else None for name, at in times.items()},
    }


def hidden(clock: Clock) -> bool:
    """Whether a row says nothing about this incident, so that a page folds it away."""
    return clock.state in OUT_OF_VIEW
