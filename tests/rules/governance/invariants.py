"""I1–I5, I13 and I14 over the model of an incident, each said once; called after every step."""

from __future__ import annotations

from countermand.governance.ask import ApprovalStatus
from countermand.governance.decision import DecisionKind
from tests.rules.governance.incident_model import WINDOW, Asked, IncidentModel

VOTES = (DecisionKind.approve, DecisionKind.reject)


def assert_all(model: IncidentModel) -> None:
    one_active(model)
    approved_effects(model)
    for asked in model.asks:
        four_eyes(model, asked)
        no_late_votes(asked)
        distinct_people(model, asked)
        nothing_comes_back(asked)
    declared_branches(model)
    refusals_recorded(model)


def one_active(model: IncidentModel) -> None:
    assert len(model.incidents) == len(set(model.incidents)), "I1: one open incident per release, environment and cause"
    assert sum(not asked.state.closed for asked in model.asks) <= 1, "I1: one open request at a time"


def approved_effects(model: IncidentModel) -> None:
    for effect in model.effects:
        asked = next(one for one in model.asks if one.ask.ask_id == effect.ask_id)
        assert asked.state.status is ApprovalStatus.approved, "I2: an effect needs an approval"
        assert asked.ask.plan_digest == effect.plan_digest, "I2: the executed plan is the approved one"
        assert ("effect", effect.ask_id) in model.record, "I2: an effect without a record"
        assert model.enough(asked, effect.roles), "I2: enough approvers still held their roles at the effect"
    assert len({effect.ask_id for effect in model.effects}) == len(model.effects), "I2: an approval is used once"


def four_eyes(model: IncidentModel, asked: Asked) -> None:
    involved = {model.person(asked.ask.requester), *asked.ask.excluded}
    for one in asked.counted:
        actor = one.decision.actor
        if one.decision.kind in VOTES:
            people = {model.person(actor.subject)} | ({actor.delegated_by.subject} if actor.delegated_by else set())
            assert not people & involved, "I3: nobody decides on their own request"
            assert actor.principal == "person", "I3: automation never decides"


def no_late_votes(asked: Asked) -> None:
    until = asked.ask.expires_at
    for one in asked.counted:
        kind = one.decision.kind
        if kind is DecisionKind.extend:
            assert until == asked.ask.expires_at, "I4: a time limit is extended once"
            assert one.at < until, "I4: nothing is extended after the time limit"
            until += WINDOW
        elif kind is not DecisionKind.withdraw:
            assert one.at < until, "I4: nothing counts at or after the time limit"
    assert until - asked.ask.opened_at <= 2 * WINDOW, "I4: never past twice the window"


def distinct_people(model: IncidentModel, asked: Asked) -> None:
    counted: list[str] = []
    for vote in asked.state.votes:
        counted.append(model.person(vote.actor.subject))
        if vote.actor.delegated_by is not None:
            counted.append(vote.actor.delegated_by.subject)
    assert len(counted) == len(set(counted)), "I5: one person, one vote, lent roles included"
    if asked.state.status is ApprovalStatus.approved:
        roles = {person: frozenset[str]() for person in model.people}
        for vote in asked.state.votes:
            roles[model.person(vote.actor.subject)] |= set(vote.actor.roles)
        assert model.enough(asked, roles), "I5: approved means that the quorum is full"


def nothing_comes_back(asked: Asked) -> None:
    """GOV-12: a terminal state stays, but for an approval that was not used and went stale."""
    before, now = asked.seen, asked.state.status
    unused = before is ApprovalStatus.approved and now is ApprovalStatus.stale and asked.state.consumed_at is None
    assert before in (ApprovalStatus.pending, now) or unused, f"GOV-12: {before.value} became {now.value}"
    asked.seen = now


def declared_branches(model: IncidentModel) -> None:
    if not model.timers_ran:
        return
    for asked in model.asks:
        if asked.state.status is ApprovalStatus.expired:
            assert ("default", asked.ask.ask_id) in model.record, "I13: a time limit led to silence"
        if asked.state.status is ApprovalStatus.pending:
            until = asked.state.extended_until or asked.ask.expires_at
            assert model.now < until, "I13: a time limit passed and nothing happened"
    if model.asks and model.current.state.status in (ApprovalStatus.expired, ApprovalStatus.stale):
        raise AssertionError("I13: nobody is asked any more")


def refusals_recorded(model: IncidentModel) -> None:
    for asked in model.asks:
        ids = [one.decision.decision_id for one in asked.counted]
        assert len(ids) == len(set(ids)), "I14: the same signed bytes count once"
        for one in asked.counted:
            own = one.decision.approval_digest == asked.digest
            assert own or one.decision.kind is DecisionKind.withdraw, "I14: a vote for something else changes nothing"
        for decision in asked.sent:
            told = any((word, decision.decision_id) in model.record for word in ("refused", "counted"))
            assert told, "I14: every decision is answered and recorded"
