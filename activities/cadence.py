"""Duties: which are due, asking people, recording what they say, and that a run was put off or did not take place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.keeping import REFUSED
from activities.ports import Catalogue, Channel, KeyRing, Ledger, Message, RoleDirectory
from countermand import ids
from countermand.cadence import acts, words
from countermand.cadence.acts import DutyAsked
from countermand.cadence.criteria import THRESHOLD_REVIEW
from countermand.cadence.duty import Duty, Planned
from countermand.cadence.state import KINDS, DutyState, Subject, missed_since, states
from countermand.canonical import digest
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.ledger.bodies import (
    CadenceMissed,
    CadenceMoved,
    CadenceOpened,
    CadencePlanned,
    DecisionMade,
    PlaybookAdopted,
)
from countermand.ledger.record import Entry, Kind
from countermand.messages.facts import utc
from countermand.plan.target import Value
from countermand.playbook.model import Playbook
from countermand.playbook.terms import Audience, Step

#: So often people are given more time when nobody is free; then an executive is asked (LRN-18).
MOST_TIMES = 2


class Cadence(Protocol):
    """The duties in force."""

    async def read(self) -> tuple[tuple[Planned, ...], str]:
        """Every duty, and why the organisation's file is not used; empty while it is, or there is none."""
        ...


class LookRequest(Value):
    """Is this duty due? subject: only for this playbook. asked_by: a person who wants it now, due or not."""

    duty: str
    subject: str = ""
    asked_by: str = ""
    now: datetime


class Opening(Value):
    """A run of people that has to begin. number: the how manieth of its duty and subject."""

    subject: str
    number: int


class Looked(Value):
    """machine: to be done at once, by a machine. openings: to be asked of people."""

    machine: bool
    openings: tuple[Opening, ...] = ()
    sentence: str


class AskRequest(Value):
    """Ask people. times: how often it was put off before."""

    duty: str
    subject: str
    workflow_id: str
    times: int
    now: datetime


class DutyOpened(Value):
    """Who is asked until when."""

    asked: DutyAsked
    deadline: datetime
    escalated: bool


class CloseRequest(Value):
    """What a person signed about the run they are asked in."""

    asked: DutyAsked
    decision: Decision


class MissRequest(Value):
    """A run ended without having been done. why: a sentence."""

    duty: str
    subject: str
    workflow_id: str
    due: datetime
    why: str


class Said(Value):
    """What was recorded, in a sentence."""

    sentence: str


class CadenceActivities:
    """Ports: Ledger, Cadence, Catalogue, RoleDirectory, KeyRing, Channel."""

    def __init__(
        self,
        ledger: Ledger,
        cadence: Cadence,
        catalogue: Catalogue,
        people: RoleDirectory,
        keys: KeyRing,
        channel: Channel,
        console_url: str,
    ) -> None:
        self._ledger = ledger
        self._cadence = cadence
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._channel = channel
        self._console_url = console_url

    @activity.defn(name="look_at_duty")
    async def look_at_duty(self, request: LookRequest) -> Looked:
        """What has to begin now; a run that should have taken place before and did not is recorded as missed."""
        planned = (await self._cadence.read())[0]
        duty = _one(planned, request.duty)
        found = await states_now(self._ledger, self._catalogue, (duty,), request.now)
        await note_missed(self._ledger, found, request.now)
        if duty.by == "machine":
            return Looked(machine=True, sentence=f"{duty.title} is begun.")
        wanted = [
            one
            for one in found
            if one.asked is None
            and request.subject in ("", one.subject)
            and (request.asked_by or (one.due is not None and one.due <= request.now))
        ]
        return Looked(
            machine=False,
            openings=tuple(Opening(subject=one.subject, number=one.runs + 1) for one in wanted),
            sentence=f"{len(wanted)} to be asked." if wanted else "Nothing of it is due, or people are asked already.",
        )

    @activity.defn(name="ask_for_duty")
    async def ask_for_duty(self, request: AskRequest) -> DutyOpened:
        """Record that people are asked, or asked again, and tell them. Idempotent by `times`."""
        duty = _one((await self._cadence.read())[0], request.duty)
        escalated = request.times > MOST_TIMES
        asks = (*duty.asks, acts.EXECUTIVE) if escalated else duty.asks
        key = ids.cadence_record(request.workflow_id, f"asked/{request.times}")
        known = await self._ledger.find(key)
        if known is None:
            deadline = request.now + (duty.answer_within or timedelta(days=1))
            entry = self._asking(request, duty, asks, deadline, escalated).entry(key, "worker")
            [known] = await self._ledger.append(entry)
        deadline = _body(known.body, request.times).deadline
        await self._tell(request, duty, asks, deadline, escalated)
        asked = DutyAsked(
            duty=duty.id,
            subject=request.subject,
            workflow_id=request.workflow_id,
            asks=asks,
            criteria=await self._criteria(duty, request.subject),
        )
        return DutyOpened(asked=asked, deadline=deadline, escalated=escalated)

    @activity.defn(name="close_duty")
    async def close_duty(self, request: CloseRequest) -> Said:
        """Record what a person signed. Fails for good with the refusal when it does not count. Idempotent."""
        decision, asked = request.decision, request.asked
        key = ids.cadence_record(asked.workflow_id, "over")
        known = await self._ledger.find(key)
        try:
            stored = await self._ledger.find(f"decision/{decision.decision_id}")
            signed = DecisionMade.model_validate(stored.body).decision if stored else None
            if signed != decision:
                raise Refused(Refusal.unknown_ask, "this decision is not on record.", "Decide it anew.")
            acts.check(asked, decision, self._keys.gateway_keys(), await self._people.snapshot())
            if known is not None and known.body.get("decision_id") != decision.decision_id:
                raise Refused(Refusal.already_decided, "somebody else decided this already.", "Look at /cadence.")
        except Refused as error:
            raise ApplicationError(
                str(error), error.code.value, error.detail, error.next, type=REFUSED, non_retryable=True
            ) from error
        if known is None:
            await self._ledger.append(acts.body_of(asked, decision).entry(key, decision.actor.subject))
        return Said(sentence="recorded.")

    @activity.defn(name="miss_duty")
    async def miss_duty(self, request: MissRequest) -> Said:
        """Record that a run ended without having been done. Idempotent; nothing when it was done meanwhile."""
        key = ids.cadence_record(request.workflow_id, "over")
        if await self._ledger.find(key) is None:
            body = CadenceMissed(
                duty=request.duty,
                subject=request.subject,
                workflow_id=request.workflow_id,
                due=request.due,
                sentence=request.why,
            )
            await self._ledger.append(body.entry(key, "worker"))
        return Said(sentence=request.why)

    @staticmethod
    def _asking(
        request: AskRequest, duty: Duty, asks: tuple[str, ...], deadline: datetime, escalated: bool
    ) -> CadenceOpened | CadenceMoved:
        run = {"duty": duty.id, "subject": request.subject, "workflow_id": request.workflow_id}
        if request.times == 0:
            return CadenceOpened(**run, asks=asks, deadline=deadline)
        return CadenceMoved(
            **run,
            times=request.times,
            escalated=escalated,
            asks=asks,
            deadline=deadline,
            sentence=words.put_off(request.times, escalated, deadline),
        )

    async def _tell(
        self, request: AskRequest, duty: Duty, asks: tuple[str, ...], deadline: datetime, escalated: bool
    ) -> None:
        directory = await self._people.snapshot()
        held = {role: tuple(one.name for one in directory.holders(role)) for role in asks}
        subject, text = words.asking(duty, request.subject, held, deadline, request.times, escalated, self._console_url)
        audiences = (Audience.operator, Audience.approver, *((Audience.exec,) if escalated else ()))
        key = ids.cadence_record(request.workflow_id, f"told/{request.times}")
        facts = digest({"duty": duty.id, "subject": request.subject, "deadline": utc(deadline)})
        messages = [
            Message(
                key=f"{key}/{audience}",
                incident_id="",
                page=f"/cadence#{duty.id}",
                step=Step.duty_asked,
                audience=audience,
                subject=subject,
                text=text,
                facts_sha256=facts,
            )
            for audience in audiences
        ]
        async with heartbeating():
            await asyncio.gather(*(self._channel.send(message) for message in messages))

    async def _criteria(self, duty: Duty, subject: str) -> tuple[str, ...]:
        if duty.id != THRESHOLD_REVIEW:
            return ()
        found = await newest_playbook(self._ledger, self._catalogue, subject)
        return acts.criteria_of(found) if found else ()


async def duties_planned(ledger: Ledger, cadence: Cadence) -> tuple[Duty, ...]:
    """The duties in force; each whose interval or roles are new is recorded first, with why it is done more rarely."""
    planned, _ = await cadence.read()
    before: dict[str, list[CadencePlanned]] = {}
    for record in await ledger.records(kinds=(Kind.cadence_planned,)):
        known = CadencePlanned.model_validate(record.body)
        before.setdefault(known.duty, []).append(known)
    for one in planned:
        so_far = before.get(one.duty.id, [])
        body = CadencePlanned(
            duty=one.duty.id,
            every_s=round(one.duty.every.total_seconds()),
            shipped_s=round(one.shipped.total_seconds()),
            asks=one.duty.asks,
            because=one.because or None,
        )
        if not so_far or (so_far[-1].every_s, so_far[-1].asks) != (body.every_s, body.asks):
            await ledger.append(body.entry(ids.cadence_planned(one.duty.id, len(so_far) + 1), "worker"))
    return tuple(one.duty for one in planned)


async def subjects_in_use(ledger: Ledger, catalogue: Catalogue) -> tuple[Subject, ...]:
    """Every playbook that was adopted, or that an open release names, with the digests known of it."""
    digests: dict[str, set[str]] = {}
    for record in await ledger.records(kinds=(Kind.playbook_adopted,)):
        body = PlaybookAdopted.model_validate(record.body)
        digests.setdefault(body.name, set()).add(body.digest)
    releases = await catalogue.releases()
    named = {one.release.playbook_digest: one.closed_at is None for one in releases}
    for one in releases:
        named[one.release.playbook_digest] |= one.closed_at is None
    for playbook_digest, is_open in named.items():
        name = (await catalogue.playbook(playbook_digest)).name
        if is_open or name in digests:
            digests.setdefault(name, set()).add(playbook_digest)
    return tuple(Subject(name=name, digests=frozenset(found)) for name, found in sorted(digests.items()))


async def newest_playbook(ledger: Ledger, catalogue: Catalogue, name: str) -> Playbook | None:
    """The version adopted last, or the one of the newest release; None when there is no such playbook."""
    for record in reversed(await ledger.records(kinds=(Kind.playbook_adopted,))):
        if record.body["name"] == name:
            return await catalogue.playbook(record.body["digest"])
    for one in reversed(await catalogue.releases()):
        found = await catalogue.playbook(one.release.playbook_digest)
        if found.name == name:
            return found
    return None


async def states_now(
    ledger: Ledger, catalogue: Catalogue, duties: Sequence[Duty], now: datetime
) -> tuple[DutyState, ...]:
    """Every one of these duties as it stands now, what is overdue first."""
    return states(duties, await ledger.records(kinds=KINDS), await subjects_in_use(ledger, catalogue), now)


async def note_missed(ledger: Ledger, found: Sequence[DutyState], now: datetime) -> tuple[DutyState, ...]:
    """Record every run that should have taken place and did not, once each; returns those states."""
    entries: list[Entry] = []
    late = []
    for one in found:
        due = missed_since(one, now)
        if due is None:
            continue
        late.append(one)
        body = CadenceMissed(
            duty=one.duty.id,
            subject=one.subject,
            workflow_id="",
            due=due,
            sentence=f"No run took place although it was due {utc(due)}.",
        )
        entries.append(body.entry(ids.cadence_missed(one.duty.id, one.subject, due), "worker"))
    for entry in entries:
        if await ledger.find(entry.idem_key) is None:
            await ledger.append(entry)
    return tuple(late)


def _one(planned: Sequence[Planned], duty_id: str) -> Duty:
    found = next((one.duty for one in planned if one.duty.id == duty_id), None)
    if found is None:
        known = ", ".join(one.duty.id for one in planned)
        raise ApplicationError(f"duty {duty_id!r} is not known; known are {known}", non_retryable=True)
    return found


def _body(body: dict[str, object], times: int) -> CadenceOpened | CadenceMoved:
    return CadenceMoved.model_validate(body) if times else CadenceOpened.model_validate(body)
