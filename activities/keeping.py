"""Look after the clocks of one incident: compute them from the Ledger, warn their owners, record what people do.

Nothing here reports to an authority or decides anything; that is for people, by signed decisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock_records import Whose, closed, dataset_in_use, new_clock, overdue, profile_in_use
from activities.heartbeat import heartbeating
from activities.obligation_ports import Duties
from activities.ports import Channel, KeyRing, Ledger, Message, RoleDirectory
from countermand import ids
from countermand.canonical import digest, instant
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import (
    DecisionMade,
    EvidenceSealed,
    ObligationWarned,
)
from countermand.ledger.obligation_bodies import ObligationAct
from countermand.ledger.record import Entry, Kind, Record
from countermand.messages.obligation import warning_text
from countermand.obligations import acts
from countermand.obligations.acts import Situation
from countermand.obligations.book import book
from countermand.obligations.clocks import clocks
from countermand.obligations.dataset import Dataset, DatasetInvalid
from countermand.obligations.profile import Profile, ProfileInvalid
from countermand.obligations.regimes import Regime, held_words, regimes
from countermand.obligations.warning import (
    LADDER,
    LOOK_EVERY,
    Warning_,
    called,
    due_now,
    next_look,
    next_point,
    own_limits_run,
)
from countermand.plan.target import Value
from countermand.playbook.terms import Audience, Severity, Step

REFUSED = "Refused"
EXECUTIVE = LADDER[-1]


class LookRequest(Value):
    """`now`: the clock of the workflow."""

    incident_id: str
    release_id: str
    now: datetime


class Looked(Value):
    """What was found. `over`: nothing is left to wait for."""

    next_look: datetime
    warnings: tuple[Warning_, ...]
    over: bool
    sentence: str


class WarnRequest(Value):
    incident_id: str
    release_id: str
    warning: Warning_
    now: datetime


class KeepRequest(Value):
    """What was signed stands in the Ledger under this id."""

    incident_id: str
    release_id: str
    decision: Decision
    now: datetime


class Kept(Value):
    sentence: str


async def situation(ledger: Ledger, duties: Duties, incident_id: str, now: datetime) -> Situation:
    """Everything about the clocks of an incident as it stands. Raises DatasetInvalid, ProfileInvalid."""
    mine = await ledger.records(incident_id=incident_id)
    packs = await ledger.records(kinds=[Kind.evidence_sealed])
    return situation_of(await duties.read(), incident_id, mine, packs, now)


def situation_of(
    declared: tuple[Dataset, Profile], incident_id: str, mine: list[Record], packs: list[Record], now: datetime
) -> Situation:
    """The same from what was read already. packs: records of sealed packs, of whatever incident."""
    dataset, profile = declared
    of_it = [one for one in packs if _holds(one, incident_id)]
    known = book(sorted((*mine, *of_it), key=lambda one: one.seq))
    return Situation(dataset=dataset, profile=profile, book=known, clocks=clocks(dataset, profile, known, now), now=now)


async def held(ledger: Ledger, duties: Duties, incident_id: str, now: datetime) -> tuple[str, ...]:
    """Evidence holds that are on for an incident, in words (GOV-43); duties that cannot be read count as one."""
    try:
        return held_words((await situation(ledger, duties, incident_id, now)).clocks)
    except (DatasetInvalid, ProfileInvalid):
        return ("whether evidence is on hold is not known: the declared duties cannot be read",)


def _holds(sealed: Record, incident_id: str) -> bool:
    return EvidenceSealed.model_validate(sealed.body).scope.get("incident_id") == incident_id


class KeepingActivities:
    """Ports: Ledger, Duties, RoleDirectory, KeyRing, Channel; where links point; a clock for refusals only."""

    def __init__(
        self,
        ledger: Ledger,
        duties: Duties,
        people: RoleDirectory,
        keys: KeyRing,
        channel: Channel,
        console_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._duties = duties
        self._people = people
        self._keys = keys
        self._channel = channel
        self._console_url = console_url
        self._clock = clock

    @activity.defn(name="look_at_clocks")
    async def look_at_clocks(self, request: LookRequest) -> Looked:
        """Compute every clock; record those that have a new due time and those that are overdue. Idempotent."""
        found = await situation(self._ledger, self._duties, request.incident_id, request.now)
        await self._append(await profile_in_use(self._ledger, found.dataset, found.profile))
        counted = [clock for clock in found.clocks if not clock.row.internal]
        started = any(one.row["legal_status"] != "internal" for one in found.book.computed)
        if not found.profile.present and not found.book.opened and not started:
            sentence = "Nobody declared which regimes reach this organisation, so no clock runs."
            return Looked(next_look=request.now + LOOK_EVERY, warnings=(), over=True, sentence=sentence)
        await self._append(await dataset_in_use(self._ledger, found.dataset))
        whose, rows = _whose(request), found.dataset.sha256
        entries = [
            *(entry for clock in counted for entry in new_clock(clock, found.book, rows, whose)),
            *(entry for clock in counted for entry in overdue(clock, whose)),
        ]
        seen = [one for one in regimes(found.clocks, found.book) if one.in_view and not one.internal]
        decided = not any(one.gaps or one.running for one in seen)
        if decided and seen:
            entries.append(await closed(self._ledger, seen, whose))
        await self._append(entries)
        warnings = [due_now(found.dataset, clock, request.now) for clock in found.clocks]
        return Looked(
            next_look=next_look(found.dataset, found.clocks, request.now),
            warnings=tuple(one for one in warnings if one and whose.warned(one) not in found.book.recorded),
            over=decided and not own_limits_run(found.dataset, found.clocks, request.now),
            sentence=_sentence(seen),
        )

    @activity.defn(name="warn_owner")
    async def warn_owner(self, request: WarnRequest) -> None:
        """Tell the owner of a clock, and whoever is called when nobody did anything. Whom it reached, or that it
        reached nobody, is recorded. Idempotent."""
        whose = _whose(request)
        key = whose.warned(request.warning)
        if await self._ledger.find(key) is not None:
            return
        found = await situation(self._ledger, self._duties, request.incident_id, request.now)
        clock = found.clock(request.warning.row_id)
        directory = await self._people.snapshot()
        roles = called(clock, found.book, lambda role: tuple(one.name for one in directory.holders(role)))
        coming = next_point(found.dataset, clock, request.now)
        subject, text = warning_text(clock, request.warning, roles, coming, request.incident_id, self._console_url)
        audiences = (Audience.operator, Audience.approver, *((Audience.exec,) if EXECUTIVE in roles else ()))
        messages = [
            Message(
                key=f"{key}/{audience}",
                incident_id=request.incident_id,
                step=Step.obligation_warned,
                audience=audience,
                subject=subject,
                text=text,
                facts_sha256=digest({"row": clock.row.sha256, "due": instant(request.warning.due)}),
            )
            for audience in audiences
        ]
        async with heartbeating():
            receipts = await asyncio.gather(*(self._channel.send(message) for message in messages))
        reached = {one.audience: got.channel for one, got in zip(messages, receipts, strict=True) if got.reached}
        told = _reached(roles, set(reached))
        body = ObligationWarned(
            row_id=clock.row.id,
            point=request.warning.point,
            due=request.warning.due,
            role=clock.row.owner_role,
            told=told,
            sentence=f"{subject}; told: {', '.join(told) or 'nobody could be told'}",
            roles=tuple(roles),
            unheld=tuple(role for role, names in roles.items() if not names),
            channels=tuple(sorted(set(reached.values()))),
        )
        await self._append([body.entry(key, "worker", incident_id=whose.incident_id, release_id=whose.release_id)])

    @activity.defn(name="keep_obligation")
    async def keep_obligation(self, request: KeepRequest) -> Kept:
        """Record what a person signed. Fails for good with the refusal when it does not count. Idempotent."""
        decision = request.decision
        key = f"{request.incident_id}/obligation/{decision.decision_id}"
        if await self._ledger.find(key) is None:
            try:
                body = await self._judged(request)
            except Refused as error:
                raise ApplicationError(
                    str(error), error.code.value, error.detail, error.next, type=REFUSED, non_retryable=True
                ) from error
            entry = body.entry(
                key, decision.actor.subject, incident_id=request.incident_id, release_id=request.release_id
            )
            await self._ledger.append(entry)
        return Kept(sentence="recorded; the clocks were looked at again.")

    async def _append(self, entries: list[Entry]) -> None:
        if entries:
            await self._ledger.append(*entries)

    async def _judged(self, request: KeepRequest) -> ObligationAct:
        decision = request.decision
        self._keys.gateway_keys().verify(decision)
        stored = await self._ledger.find(f"decision/{decision.decision_id}")
        signed = DecisionMade.model_validate(stored.body).decision if stored else None
        meant = (decision.kind, decision.incident_id, decision.addressed_to)
        wanted = (
            DecisionKind.keep_obligation,
            request.incident_id,
            ids.obligations_workflow(request.incident_id),
        )
        if signed != decision or meant != wanted:
            raise Refused(Refusal.unknown_ask, "this decision is not on record for these clocks.", "Decide it anew.")
        directory = await self._people.snapshot()
        found = await situation(self._ledger, self._duties, request.incident_id, request.now)
        right = rights_in_force(directory.governance).row(Action.keep_obligation, min(Severity))
        acts.check(decision, directory, right, found.dataset)
        return acts.carried_out(decision, found)


def _whose(request: LookRequest | WarnRequest) -> Whose:
    return Whose(incident_id=request.incident_id, release_id=request.release_id)


def _reached(roles: dict[str, tuple[str, ...]], audiences: set[Audience]) -> tuple[str, ...]:
    """Names of those whose audience got it; executives are one of their own."""
    responders = bool(audiences & {Audience.operator, Audience.approver})
    names = [
        name
        for role, holders in roles.items()
        if (Audience.exec in audiences if role == EXECUTIVE else responders)
        for name in holders
    ]
    return tuple(dict.fromkeys(names))


def _sentence(seen: list[Regime]) -> str:
    running = [clock for regime in seen for clock in regime.clocks if clock.counting]
    gaps = [regime.name.replace("_", " ") for regime in seen if regime.gaps]
    soonest = min((clock.due for clock in running if clock.due), default=None)
    first = f"{len(running)} clocks run, the next is due {soonest:%Y-%m-%d %H:%M} UTC." if soonest else "No clock runs."
    return f"{first} To be decided: {', '.join(gaps)}." if gaps else first
