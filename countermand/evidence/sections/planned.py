"""`plan/`: what was asked, what was approved, what was done, and where the two differ (evidence.md §1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.sections.deviation import deviation
from countermand.evidence.sections.writing import Section, present, pretty
from countermand.ledger.record import Kind, Record

#: Intents and what answers each of them.
EFFECTS = {Kind.stage_intent: Kind.stage_outcome, Kind.rollout_intent: Kind.rollout_outcome}


def plans(material: Material) -> Section:
    """The four files. Each is a list with one entry per plan or revert, in the order of their records."""
    requested = [_plan(record) for record in material.of(Kind.plan.value, Kind.rollout_planned.value)]
    approved = [one for one in (_approval(material, record) for record in material.records) if one is not None]
    executed = _executed(material)
    differs = [deviation(material, incident_id) for incident_id in material.incidents]
    differs = [one for one in differs if one["plan_digest"]]
    return present(
        {
            "plan/requested.json": pretty(requested) if requested else b"",
            "plan/approved.json": pretty(approved) if approved else b"",
            "plan/executed.json": pretty(executed) if executed else b"",
            "plan/deviation.json": pretty(differs) if differs else b"",
        },
        {
            "plan/requested.json": "no plan was made in this scope",
            "plan/approved.json": "no plan was approved in this scope",
            "plan/executed.json": "no user was moved in this scope",
            "plan/deviation.json": "no plan was made in this scope that could have been deviated from",
        },
    )


def unanswered(material: Material) -> list[Record]:
    """Intents without an outcome: what was about to be set, and nobody knows whether it was (EVD-5)."""
    return unanswered_in(material.records)


def unanswered_in(records: Sequence[Record]) -> list[Record]:
    """The same among these records."""
    answered = {_effect(record) for record in records if record.kind in EFFECTS.values()}
    return [record for record in records if record.kind in EFFECTS and _effect(record) not in answered]


def _effect(record: Record) -> tuple[object, ...]:
    body = record.body
    if "rollout_id" in body:
        return record.release_id, body["rollout_id"], body["step"]
    return record.incident_id, body["revert"], body["stage"], body["member"]


def _plan(record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "at": instant(record.at),
        "incident_id": record.incident_id,
        "release_id": record.release_id,
        "plan_digest": record.body["plan_digest"],
        "plan": record.body["plan"],
    }


def _approval(material: Material, record: Record) -> dict[str, Any] | None:
    """How a plan came to be allowed: by people, without asking under a standing authorisation, or by breaking glass."""
    base = {"seq": record.seq, "at": instant(record.at), "incident_id": record.incident_id}
    body = record.body
    match record.kind:
        case Kind.ask_closed if body["status"] == "approved":
            asked = next(one for one in material.of(Kind.ask_opened.value) if one.body["ask_id"] == body["ask_id"])
            votes = [
                {"seq": one.seq, "decision_id": one.body["decision_id"], "name": one.body["name"],
                 "roles": one.body["roles"], "vote": one.body["vote"]}
                for one in material.of(Kind.ask_vote.value) if one.body["ask_id"] == body["ask_id"]
            ]  # fmt: skip
            return base | {
                "by": "people",
                "ask_id": body["ask_id"],
                "plan_digest": asked.body["plan_digest"],
                "approval_digest": asked.body["approval_digest"],
                "expires_at": asked.body["expires_at"],
                "have": body["have"],
                "need": body["need"],
                "votes": votes,
            }
        case Kind.gate_decided if body["act"] == "automatic":
            authorisation = body["authorisation_id"]
            return base | {"by": "automatic", "plan_digest": body["plan_digest"], "authorisation_id": authorisation}
        case Kind.ask_defaulted if body["action"] == "proceed":
            authorisation = body["authorisation_id"]
            return base | {"by": "default", "plan_digest": body["plan_digest"], "authorisation_id": authorisation}
        case Kind.glass_broken:
            return base | {"by": "break_glass", "plan_digest": body["plan_digest"], "decision_id": body["decision_id"]}
        case _:
            return None


def _executed(material: Material) -> list[dict[str, Any]]:
    """Every intent with its outcome; `outcome` null: nobody knows whether it happened."""
    outcomes = {_effect(record): record for record in material.of(*(kind.value for kind in EFFECTS.values()))}
    done = []
    for record in material.of(*(kind.value for kind in EFFECTS)):
        outcome = outcomes.get(_effect(record))
        done.append(
            {
                "incident_id": record.incident_id,
                "release_id": record.release_id,
                "seq": record.seq,
                "at": instant(record.at),
                "intent": record.body,
                "outcome": None if outcome is None else {"seq": outcome.seq, "at": instant(outcome.at), **outcome.body},
            }
        )
    return done
