"""Keep a review going: what people did is judged and recorded, and whoever it waits for is told.

Nothing here writes a part, closes an action or signs; that is for people, by signed decisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.ports import Channel, KeyRing, Ledger, Message, RoleDirectory
from countermand import ids
from countermand.canonical import digest, instant
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import DecisionMade, IncidentOpened
from countermand.ledger.record import Entry, Kind, Record
from countermand.ledger.review_bodies import (
    ActionEscalated,
    ActionReopened,
    ReviewClosed,
    ReviewEscalated,
    ReviewPart,
    ReviewSigned,
    Tagged,
)
from countermand.messages.review_calls import call_text
from countermand.plan.target import Value
from countermand.playbook.terms import Audience, Severity, Step
from countermand.review import acts
from countermand.review.actions import ACTIONS, DUE_AGAIN, ActionState, actions, called_key, recurring
from countermand.review.acts import Situation
from countermand.review.calls import EXECUTIVE, Call, calls, next_look, over
from countermand.review.parts import FACTORS
from countermand.review.state import REVIEWS, ReviewState, review

REFUSED = "Refused"
KINDS = (DecisionKind.sign_review, DecisionKind.keep_review)
#: What one look asks for at most: thousands of actions still fit into one answer and one run. The rest comes soon.
MOST_CALLS = 100
SOON_AGAIN = timedelta(minutes=1)
#: Records of an incident that its review is judged by.
WHOLE = (*REVIEWS, Kind.incident_opened, Kind.glass_broken)


class LookAtReview(Value):
    """`now`: the clock of the workflow."""

    incident_id: str
    now: datetime


class ReviewLooked(Value):
    """What was found. next_look: None when nothing waits any more. outcome: how the review itself ended."""

    calls: tuple[Call, ...]
    next_look: datetime | None
    over: bool
    sentence: str
    waiting_for: str
    closed: ReviewClosed | None


class CallPeople(Value):
    incident_id: str
    release_id: str
    call: Call


class KeepReview(Value):
    """What was signed stands in the Ledger under this id."""

    incident_id: str
    release_id: str
    decision: Decision
    now: datetime


class ReviewKept(Value):
    """have, need: people who signed what stands now, and how many have to."""

    status: str
    sentence: str
    have: int
    need: int


class ReviewKeepingActivities:
    """Ports: Ledger, RoleDirectory, KeyRing, Channel; where links point."""

    def __init__(
        self, ledger: Ledger, people: RoleDirectory, keys: KeyRing, channel: Channel, console_url: str
    ) -> None:
        self._ledger = ledger
        self._people = people
        self._keys = keys
        self._channel = channel
        self._console_url = console_url

    @activity.defn(name="look_at_review")
    async def look_at_review(self, request: LookAtReview) -> ReviewLooked:
        """Who has to be told now, and when to look again."""
        found = await situation(self._ledger, request.incident_id, request.now)
        state, mine = found.state, found.actions
        due = calls(state, mine, found.signers, request.now)
        later = next_look(state, mine, request.now)
        still = sum(one.open for one in mine)
        left = f"{still} of {len(mine)} actions are open."
        return ReviewLooked(
            calls=due[:MOST_CALLS],
            next_look=later if len(due) <= MOST_CALLS else request.now + SOON_AGAIN,
            over=over(state, mine),
            sentence=f"The review is {state.status}. {left}",
            waiting_for=state.drafted.owner if state.closed is None else "owners of actions" if still else "nothing",
            closed=state.closed,
        )

    @activity.defn(name="call_for_review")
    async def call_for_review(self, request: CallPeople) -> None:
        """Tell whom it waits for, and more people the longer it takes. Whom it reached, or that it reached nobody, is
        recorded. Idempotent."""
        call = request.call
        whose = call.action_id or f"{request.incident_id}-review"
        key = f"{whose}/called/{called_key(call.due, call.point)}"
        if await self._ledger.find(key) is not None:
            return
        state, action = await self._about(request)
        directory = await self._people.snapshot()
        roles = {role: tuple(one.name for one in directory.holders(role)) for role in call.roles}
        if not any(roles.values()) and call.person is None and EXECUTIVE not in roles:
            roles[EXECUTIVE] = tuple(one.name for one in directory.holders(EXECUTIVE))
        subject, text = call_text(call, state, action, roles, self._console_url)
        told = await self._tell(key, request, subject, text, roles, action)
        body = (ReviewEscalated if action is None else ActionEscalated).model_validate(
            {
                "review_id" if action is None else "action_id": state.drafted.review_id if action is None else whose,
                "point": call.point,
                "due": call.due,
                "roles": tuple(roles),
                "unheld": tuple(role for role, names in roles.items() if not names),
                "told": told,
                "sentence": f"{subject}; told: {', '.join(told) or 'nobody could be told'}",
            }
        )
        await self._ledger.append(
            body.entry(key, "worker", incident_id=request.incident_id, release_id=request.release_id)
        )

    @activity.defn(name="keep_review")
    async def keep_review(self, request: KeepReview) -> ReviewKept:
        """Record what a person signed. Fails for good with the refusal when it does not count. Idempotent."""
        key = f"{request.incident_id}/review/{request.decision.decision_id}"
        if await self._ledger.find(key) is None:
            try:
                entries = await self._judged(key, request)
            except Refused as error:
                raise ApplicationError(
                    str(error), error.code.value, error.detail, error.next, type=REFUSED, non_retryable=True
                ) from error
            await self._ledger.append(*entries)
        return await self._kept(request)

    async def _kept(self, request: KeepReview) -> ReviewKept:
        found = await situation(self._ledger, request.incident_id, request.now)
        quorum = acts.quorum(found.state, found.sign_off)
        signs = request.decision.kind is DecisionKind.sign_review
        sentence = f"{quorum.people} of {quorum.people_needed} people signed the review" if signs else "recorded."
        status = found.state.status if signs else "recorded"
        return ReviewKept(status=status, sentence=sentence, have=quorum.people, need=quorum.people_needed)

    async def _judged(self, key: str, request: KeepReview) -> list[Entry]:
        decision = request.decision
        self._keys.gateway_keys().verify(decision)
        stored = await self._ledger.find(f"decision/{decision.decision_id}")
        signed = DecisionMade.model_validate(stored.body).decision if stored else None
        meant = (decision.incident_id, decision.addressed_to)
        wanted = (request.incident_id, ids.review_workflow(request.incident_id))
        if signed != decision or meant != wanted or decision.kind not in KINDS:
            raise Refused(Refusal.unknown_ask, "this decision is not on record for this review.", "Decide it anew.")
        directory = await self._people.snapshot()
        found = await situation(self._ledger, request.incident_id, request.now)
        acts.check(decision, directory, rights_in_force(directory.governance), found)
        body = acts.carried_out(decision, directory, found)
        await self._refuse_unkept(decision)
        where = {"incident_id": request.incident_id, "release_id": request.release_id}
        entries = [body.entry(key, decision.actor.subject, **where)]
        if isinstance(body, ReviewSigned) and (closed := acts.closing(body, found)) is not None:
            entries.append(closed.entry(f"{request.incident_id}/review/closed", "worker", **where))
        if isinstance(body, ReviewPart):
            entries += await self._again(body, request)
        return entries

    async def _refuse_unkept(self, decision: Decision) -> None:
        """Raise Refused when a digest names bytes that nobody kept."""
        sha256 = decision.terms.get("sha256")
        if sha256 and await self._ledger.get_blob(sha256) is None:
            raise Refused(Refusal.wrong_state, f"nothing is kept under {sha256!r}.", "Attach the file itself.")

    async def _again(self, part: Tagged, request: KeepReview) -> list[Entry]:
        """What re-opens the actions of earlier reviews of the service that should have prevented these factors (LRN-5).

        Factors are words that every service shares: a review of one does not re-open what others did.
        """
        opened = await self._ledger.records(kinds=[Kind.incident_opened])
        services = {one.incident_id: IncidentOpened.model_validate(one.body).service for one in opened}
        mine = services.get(request.incident_id)
        acted = actions(await self._ledger.records(kinds=ACTIONS))
        known = [one for one in acted if services.get(one.incident_id) == mine]
        return [
            ActionReopened(
                action_id=one.action_id,
                by_incident=request.incident_id,
                was=one.state,
                due=max(one.due, request.now + DUE_AGAIN) if one.open else request.now + DUE_AGAIN,
                factors=tuple(name for name in names if name in FACTORS),
                others=tuple(name for name in names if name not in FACTORS),
            ).entry(
                f"{one.action_id}/again/{request.incident_id}",
                "worker",
                incident_id=one.incident_id,
                release_id=one.release_id,
            )
            for one, names in recurring((*part.factors, *part.others), known, request.incident_id)
        ]

    async def _about(self, request: CallPeople) -> tuple[ReviewState, ActionState | None]:
        state = review(await self._ledger.records(incident_id=request.incident_id, kinds=REVIEWS), request.incident_id)
        if state is None:
            raise ValueError(f"incident {request.incident_id!r} has no review in the ledger")
        known = actions(await self._ledger.records(kinds=ACTIONS))
        return state, next((one for one in known if one.action_id == request.call.action_id), None)

    async def _tell(
        self,
        key: str,
        request: CallPeople,
        subject: str,
        text: str,
        roles: dict[str, tuple[str, ...]],
        action: ActionState | None,
    ) -> tuple[str, ...]:
        """Names of those whom it reached."""
        responders = tuple(name for role, names in roles.items() if role != EXECUTIVE for name in names)
        if action is not None:
            responders = (action.owner_name, *responders)
        wanted = {Audience.operator: responders, Audience.approver: responders}
        if EXECUTIVE in roles:
            wanted[Audience.exec] = roles[EXECUTIVE]
        facts = digest({"about": key, "due": instant(request.call.due)})
        messages = [
            Message(
                key=f"{key}/{audience}",
                incident_id=request.incident_id,
                step=Step.review_reminded,
                audience=audience,
                subject=subject,
                text=text,
                facts_sha256=facts,
            )
            for audience in wanted
        ]
        async with heartbeating():
            receipts = await asyncio.gather(*(self._channel.send(message) for message in messages))
        reached = [one.audience for one, got in zip(messages, receipts, strict=True) if got.reached]
        return tuple(dict.fromkeys(name for audience in reached for name in wanted[audience]))


async def situation(ledger: Ledger, incident_id: str, now: datetime) -> Situation:
    """Everything about a review as it stands. Raises Refused while there is none."""
    kinds = (*REVIEWS, Kind.incident_opened, Kind.glass_broken)
    return situation_of(
        await ledger.records(incident_id=incident_id, kinds=kinds),
        await ledger.records(kinds=ACTIONS),
        incident_id,
        now,
    )


def situation_of(mine: Sequence[Record], acted: Sequence[Record], incident_id: str, now: datetime) -> Situation:
    """The same from what was read already. mine: of the incident. acted: about actions of any incident."""
    state = review(mine, incident_id)
    if state is None:
        raise Refused(Refusal.wrong_state, "there is no review yet.", "Wait until the incident is closed.")
    if state.drafted.sign_off is None:
        raise Refused(Refusal.wrong_state, "this review was drafted by an older version.", "Read it as it stands.")
    opened = next(IncidentOpened.model_validate(one.body) for one in mine if one.kind is Kind.incident_opened)
    broke_glass = any(one.kind is Kind.glass_broken for one in mine)
    return Situation(
        state=state,
        actions=tuple(one for one in actions(acted) if one.belongs_to(incident_id)),
        sign_off=state.drafted.sign_off,
        environment=opened.environment,
        must=acts.must_be_held(Severity(opened.severity), broke_glass=broke_glass),
        now=now,
    )
