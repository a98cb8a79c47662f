"""What `demo --auto` proves at the end, from the ledger AND from the demo service's own records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countermand.canonical import parse_instant
from countermand.cli.demo_story import intents, messages_due, messages_sent
from countermand.ledger.bodies import DecisionMade
from countermand.ledger.record import ChainBroken, Kind, Record, verify_chain
from countermand.messages.incident import IncidentView
from countermand.playbook.model import Playbook
from countermand.playbook.units import format_percent


@dataclass(frozen=True)
class Proof:
    """One claim, whether it holds, and the numbers behind it."""

    claim: str
    holds: bool
    sentence: str


@dataclass(frozen=True)
class Evidence:
    """`records`: the whole ledger. `history`, `split` and `observed`: the demo service's own answers.

    `verified` is the console's answer to a verification of its ledger. `spike_over`: when the short spike had passed
    and the lasting harm began.
    """

    view: IncidentView
    records: Sequence[Record]
    playbook: Playbook
    registered_by: str
    history: Sequence[dict[str, Any]]
    observed: dict[str, Any]
    verified: dict[str, Any]
    spike_over: datetime


def proofs(evidence: Evidence) -> list[Proof]:
    """Every claim of the demo, checked."""
    return [
        _spike(evidence),
        _detected(evidence),
        _together(evidence),
        _frozen_first(evidence),
        _two_people(evidence),
        _nothing_before_approval(evidence),
        *_stages(evidence),
        _nobody_left(evidence),
        _healthy(evidence),
        _messages(evidence),
        _review(evidence),
        _ledger(evidence),
    ]


def _detected(e: Evidence) -> Proof:
    opened = [record for record in e.records if record.kind is Kind.incident_opened]
    verdict = e.view.verdict
    holds = len(opened) == 1 and verdict is not None and verdict.word == "trigger"
    return Proof("one incident, opened by the watch", holds, e.view.opened.sentence)


def _spike(e: Evidence) -> Proof:
    opened = [record.at for record in e.records if record.kind is Kind.incident_opened]
    holds = bool(opened) and min(opened) > e.spike_over
    after = f"{(min(opened) - e.spike_over).total_seconds():.0f} s after the lasting harm began" if opened else "never"
    return Proof("the short spike opened no incident, the lasting harm did", holds, f"the incident was opened {after}")


def _together(e: Evidence) -> Proof:
    """The composite: evidence of each signal alone and of all together stands in the record."""
    verdicts = e.view.verdict.verdicts if e.view.verdict else ()
    fired = [verdict for verdict in verdicts if verdict.word == "trigger"]
    alone = [f"{one.signal.replace('_', ' ')} {one.odds} to 1" for verdict in fired for one in verdict.criteria]
    together = [f"{verdict.odds} to 1, limit {verdict.limit_odds} to 1" for verdict in fired]
    holds = bool(fired) and all(one.odds is not None for verdict in fired for one in verdict.criteria)
    sentence = f"alone: {', '.join(alone) or 'nothing'}; together: {', '.join(together) or 'nothing'}"
    return Proof("each signal is judged alone and in the composite", holds, sentence)


def _frozen_first(e: Evidence) -> Proof:
    frozen = [record.seq for record in e.records if record.kind is Kind.freeze_completed]
    effects = [record.seq for record, _ in intents(e.records)]
    holds = bool(frozen and effects) and min(frozen) < min(effects)
    return Proof("evidence frozen before the first effect", holds, f"records {frozen} before {effects}")


def _two_people(e: Evidence) -> Proof:
    ask = e.view.ask
    votes = [vote for vote in ask.standing_votes if vote.vote == "approve"] if ask else []
    subjects = {vote.subject for vote in votes}
    decisions = {
        decision.decision_id: decision
        for decision in (DecisionMade.model_validate(r.body).decision for r in e.records if r.kind is Kind.decision)
    }
    shown = all(
        (decision := decisions.get(vote.decision_id)) is not None
        and decision.signature
        and decision.view_sha256
        and ask is not None
        and decision.approval_digest == ask.opened.approval_digest
        for vote in votes
    )
    approved = ask is not None and ask.status == "approved"
    names = " and ".join(f"{vote.name} ({', '.join(vote.roles)})" for vote in votes) or "nobody"
    holds = approved and len(subjects) >= 2 and e.registered_by not in subjects and shown
    return Proof("two different people approved the plan they were shown", holds, f"{names}; signed decisions")


def _nothing_before_approval(e: Evidence) -> Proof:
    decided = e.view.ask.closed_at if e.view.ask else None
    moves = [parse_instant(entry["changed_at"]) for entry in e.history[1:]]
    holds = decided is not None and bool(moves) and min(moves) > decided
    first = f"{(min(moves) - decided).total_seconds():.1f} s after the approval" if moves and decided else "unknown"
    return Proof("nothing changed before the approval", holds, f"the service's first change came {first}")


def _stages(e: Evidence) -> Iterator[Proof]:
    plan = e.view.plan
    planned = [plan.before.candidate_bp, *(stage.desired.candidate_bp for stage in plan.stages)] if plan else []
    done = [int(entry["candidate_bp"]) for entry in e.history]
    yield Proof(
        "the service's own history has exactly the planned splits, once each, in order",
        bool(planned) and done == planned,
        f"planned {_shares(planned)}; done {_shares(done)}",
    )
    keys = [intent.key for _, intent in intents(e.records)]
    stored = [entry["idempotency_key"] for entry in e.history[1:]]
    yield Proof(
        "each change carries the key of one declared intent",
        bool(keys) and keys == stored,
        f"{len(keys)} intents, {len(stored)} changes",
    )
    seen = [
        all(any(c.phase == "traffic" and c.name == name and c.word == "pass" for c in stage.checks) for name in _SEEN)
        for stage in e.view.stages
    ]
    yield Proof(
        "each stage was read back and seen in traffic before the next",
        bool(seen) and all(seen) and all(stage.state == "completed" for stage in e.view.stages),
        f"{sum(seen)} of {len(e.view.stages)} stages",
    )


_SEEN = ("configured", "observed")


def _nobody_left(e: Evidence) -> Proof:
    now, users = e.history[-1], e.observed
    holds = (
        now["candidate_bp"] == 0
        and users["generation"] == now["generation"]
        and users["candidate_users"] == 0
        and users["baseline_users"] > 0
    )
    sentence = f"{users['candidate_users']} of {users['candidate_users'] + users['baseline_users']} users since then"
    return Proof("nobody gets the candidate any more", holds, sentence)


def _healthy(e: Evidence) -> Proof:
    checks = e.view.verification
    outcome = e.view.closed.outcome if e.view.closed else "still open"
    due = {signal.signal for signal in e.playbook.verification.signals}
    passed = {check.name for check in checks if check.word == "pass"}
    sentence = " ".join(check.sentence for check in checks) or "not verified"
    return Proof("shown to be healthy by labelled answers", outcome == "reverted" and due <= passed, sentence)


def _messages(e: Evidence) -> Proof:
    due, sent = messages_due(e.playbook), messages_sent(e.view)
    missing = ", ".join(f"{step} to {audience}" for step, audience in sorted(due - sent))
    return Proof("every audience was told at every step", due <= sent, missing or f"{len(e.view.messages)} messages")


def _review(e: Evidence) -> Proof:
    review = e.view.review
    return Proof("a review was drafted", review is not None, f"owner: {review.owner}" if review else "no draft")


def _ledger(e: Evidence) -> Proof:
    """The console's verdict about its ledger, and our own over the same lines."""
    claim = "the ledger is unbroken"
    try:
        count, head = verify_chain(record.line for record in e.records)
    except ChainBroken as broken:
        return Proof(claim, False, str(broken))
    same = e.verified["ok"] is True and e.verified["count"] >= count
    return Proof(claim, same, f"{count} records checked here, {e.verified['count']} by the console; head {head[:12]}")


def _shares(basis_points: Sequence[int]) -> str:
    return " → ".join(format_percent(points) for points in basis_points) or "nothing"
