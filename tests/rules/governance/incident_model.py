"""A model of one release under way: incidents, asks, people, a clock, effects and the record.

It calls the product's rules, and `violations` looks at the outcome with eyes of its own: plain loops over what the
model itself noted down, none of the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import permutations

from countermand.governance import approval, execution
from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask
from countermand.governance.decision import Actor, Decision, DecisionKind, Refused
from countermand.governance.delegation import Delegation
from countermand.governance.directory import Directory, Governance
from countermand.governance.mandates import actor
from countermand.governance.protection import dedupe_key
from tests import cases
from tests.rules.governance.asking import BEGIN, OMAR, SCOPE, a_decision, an_ask, directory, more_people

PEOPLE = more_people()
LINKED = "slack|maria"
WINDOW = timedelta(minutes=30)


@dataclass(frozen=True)
class Rules:
    """The product's rules; a seeded fault replaces one of them."""

    apply: Callable[[Ask, ApprovalState, Decision, datetime], ApprovalState] = approval.apply
    expire: Callable[[Ask, ApprovalState, datetime], ApprovalState] = approval.expire
    recheck: Callable[[Ask, ApprovalState, str, Directory, datetime], ApprovalState] = execution.recheck
    consume: Callable[[Ask, ApprovalState, str, Directory, datetime], ApprovalState] = execution.consume
    records_effects: bool = True


@dataclass
class Counted:
    """A decision that counted, and when the clock of the model said it did."""

    decision: Decision
    at: datetime


@dataclass
class Asked:
    ask: Ask
    state: ApprovalState = field(default_factory=ApprovalState)
    counted: list[Counted] = field(default_factory=list)
    sent: list[Decision] = field(default_factory=list)
    seen: ApprovalStatus = ApprovalStatus.pending

    def __post_init__(self) -> None:
        self.digest = self.ask.approval_digest


@dataclass(frozen=True)
class Effect:
    ask_id: str
    plan_digest: str
    at: datetime
    roles: dict[str, frozenset[str]]


class IncidentModel:
    """The story of one release. Times are instants of the model's own clock."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = BEGIN
        self.people: dict[str, set[str]] = {person.subject: set(person.roles) for person in PEOPLE.people}
        self.excluded: set[str] = set()
        self.delegations: list[Delegation] = []
        self.incidents: list[str] = []
        self.asks: list[Asked] = []
        self.plan = self._digest()
        self.plans = 1
        self.effects: list[Effect] = []
        self.record: set[tuple[str, str]] = set()
        self.timers_ran = True

    def _digest(self, number: int = 1) -> str:
        return f"sha256:{number:064x}"

    @property
    def current(self) -> Asked:
        return self.asks[-1]

    def directory(self) -> Directory:
        governance = PEOPLE.model_copy(
            update={
                "people": tuple(
                    person.model_copy(
                        update={
                            "roles": tuple(sorted(self.people[person.subject])),
                            "linked": (LINKED,) if person.subject == cases.MARIA else (),
                        }
                    )
                    for person in PEOPLE.people
                ),
                "delegations": tuple(self.delegations),
                "excluded": tuple(sorted(self.excluded)),
            }
        )
        assert isinstance(governance, Governance)
        return directory(governance)

    # --- what happens ---------------------------------------------------------------------------------------------

    def signal(self, cause: str) -> None:
        key = dedupe_key(SCOPE.release, SCOPE.environment, cause)
        if key not in self.incidents:
            self.incidents.append(key)

    def ask_for(self, requester: str) -> None:
        """Put the plan as it is now to people; an open request is superseded."""
        if self.asks:
            self.current.state = approval.supersede(self.current.state, "the plan changed", self.now)
        number = len(self.asks) + 1
        changes = {"ask_id": f"ask-{number}", "workflow_id": f"incident/x/approval/{number}", "opened_at": self.now}
        changes |= {"expires_at": self.now + WINDOW, "requester": requester, "plan_digest": self.plan}
        self.asks.append(Asked(an_ask(**changes, directory=self.directory(), scope=SCOPE)))
        self.timers_ran = True

    def edit_plan(self, *, told: bool) -> None:
        """The plan changes; `told`: the open request learns of it at once, and people are asked anew."""
        self.plans += 1
        self.plan = self._digest(self.plans)
        if told:
            self.ask_for(self.current.ask.requester)

    def pass_time(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.timers_ran = False

    def run_timers(self) -> None:
        """Every time limit that is reached takes its declared branch; hold asks again (GOV-23)."""
        self.timers_ran = True
        asked = self.current
        before = asked.state
        asked.state = self.rules.expire(asked.ask, asked.state, self.now)
        if asked.state.status is ApprovalStatus.expired and not before.closed:
            self.record.add(("default", asked.ask.ask_id))
            self.ask_for(asked.ask.requester)

    def draft(self, asked: Asked, kind: DecisionKind, who: str, number: int) -> Decision | None:
        """The decision as the gateway signs it with what the directory says now; None when it refuses."""
        try:
            acting: Actor = actor(self.directory(), who, asked.ask.voting_roles, SCOPE, self.now)
        except Refused:
            return None
        return a_decision(asked.ask, kind, acting, number)

    def decide(self, asked: Asked, decision: Decision) -> None:
        before = asked.state
        asked.sent.append(decision)
        try:
            asked.state = self.rules.apply(asked.ask, asked.state, decision, self.now)
        except Refused:
            assert asked.state == before, "I14: a refused decision changes nothing"
            self.record.add(("refused", decision.decision_id))
            return
        asked.counted.append(Counted(decision, self.now))
        self.record.add(("counted", decision.decision_id))

    def reread_roles(self) -> None:
        asked = self.current
        asked.state = self.rules.recheck(asked.ask, asked.state, self.plan, self.directory(), self.now)
        if asked.state.status is ApprovalStatus.stale:
            self.ask_for(asked.ask.requester)

    def execute(self) -> None:
        """Try to carry out the plan as it is now on the newest approval."""
        asked = next((one for one in reversed(self.asks) if one.state.status is ApprovalStatus.approved), None)
        if asked is None or asked.state.consumed_at is not None:
            return
        try:
            asked.state = self.rules.consume(asked.ask, asked.state, self.plan, self.directory(), self.now)
        except Refused:
            self.record.add(("no effect", asked.ask.ask_id))
            return
        if self.rules.records_effects:
            self.record.add(("effect", asked.ask.ask_id))
        roles = {subject: self.roles_at(subject) for subject in self.people}
        self.effects.append(Effect(asked.ask.ask_id, self.plan, self.now, roles))

    # --- what must hold -------------------------------------------------------------------------------------------

    def person(self, subject: str) -> str:
        return cases.MARIA if subject == LINKED else subject

    def lenders(self, subject: str) -> set[str]:
        """Who lends this person a role now, by the model's own notes."""
        return {
            one.delegator
            for one in self.delegations
            if one.delegate == self.person(subject)
            and one.not_before <= self.now < one.not_after
            and set(one.roles) & self.people[one.delegator]
            and not {one.delegator, one.delegate} & self.excluded
        }

    def roles_at(self, subject: str) -> frozenset[str]:
        """Own and lent roles now, by the model's own notes."""
        if subject in self.excluded:
            return frozenset()
        lent = {
            role
            for one in self.delegations
            if one.delegate == subject and one.delegator in self.lenders(subject)
            and one.not_before <= self.now < one.not_after
            for role in set(one.roles) & self.people[one.delegator]
        }  # fmt: skip
        return frozenset(self.people[subject] | lent)

    def approvals(self, asked: Asked) -> list[Counted]:
        """Approving decisions that counted and were not retracted, by the model's own notes."""
        standing: dict[str, Counted] = {}
        for one in asked.counted:
            person = self.person(one.decision.actor.subject)
            if one.decision.kind is DecisionKind.approve:
                standing[f"{person} {one.decision.decision_id}"] = one
            elif one.decision.kind is DecisionKind.retract:
                standing = {name: vote for name, vote in standing.items() if name.split()[0] != person}
        return list(standing.values())

    def enough(self, asked: Asked, roles: dict[str, frozenset[str]]) -> bool:
        """Two different people, one safety lead and one release owner among them, by trying every order."""
        people = {self.person(one.decision.actor.subject) for one in self.approvals(asked)}
        return any(
            "safety_lead" in roles[first] and "release_owner" in roles[second]
            for first, second in permutations(sorted(people), 2)
        )


__all__ = ["BEGIN", "LINKED", "OMAR", "WINDOW", "Asked", "Counted", "Effect", "IncidentModel", "Rules"]
