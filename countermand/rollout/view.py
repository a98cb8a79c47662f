"""A rollout as people see it: a pure fold of its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from countermand.ledger import bodies as b
from countermand.ledger.record import Record
from countermand.playbook.units import format_percent
from countermand.rollout.authority import KINDS
from countermand.rollout.plan import RolloutPlan, RolloutStep, plan_lines, step_sentence

#: What tells how a rollout goes on.
_Told = b.RolloutOutcome | b.RolloutTraffic | b.RolloutPromoted | b.RolloutHeld | b.RolloutEnded
StepState = Literal["planned", "watched", "healthy", "held", "not_set"]


@dataclass
class StepView:
    """One step; `at`: when it began."""

    step: RolloutStep
    state: StepState = "planned"
    sentence: str = ""
    at: datetime | None = None

    @property
    def share(self) -> str:
        return format_percent(self.step.desired.candidate_bp)


@dataclass
class RolloutView:
    """One rollout. decided: who started or stopped it, and why. `shares`: the candidate's share over time, as read
    back."""

    plan: RolloutPlan
    planned: b.RolloutPlanned
    planned_at: datetime
    steps: list[StepView]
    decided: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    shares: list[tuple[datetime, int]] = field(default_factory=list)
    held: b.RolloutHeld | None = None
    ended: b.RolloutEnded | None = None
    ended_at: datetime | None = None

    @property
    def status(self) -> str:
        """planned, waiting (for a person's start), running, held, or how it ended."""
        if self.ended is not None:
            return self.ended.outcome
        if self.held is not None:
            return "held"
        if any(one.state != "planned" for one in self.steps):
            return "running"
        return "waiting" if self.planned.asks and not self.decided else "planned"

    @property
    def sentence(self) -> str:
        """What is going on, in one sentence."""
        if self.ended is not None:
            return self.ended.sentence
        if self.held is not None:
            return self.held.sentence
        begun = [one for one in self.steps if one.state != "planned"]
        if begun:
            return begun[-1].sentence
        if self.status == "waiting":
            return f"A person has to start it: {'; '.join(self.planned.asks)}."
        return "It begins now."

    @property
    def wants_start(self) -> bool:
        """Whether a person's start counts now."""
        return self.ended is None and (self.status == "waiting" or self.held is not None)

    def json(self) -> dict[str, Any]:
        """`countermand.rollout/v1`."""
        plan = self.plan
        return {
            "schema": "countermand.rollout/v1",
            "rollout_id": plan.rollout_id,
            "release_id": plan.release_id,
            "kind": plan.kind,
            "status": self.status,
            "sentence": self.sentence,
            "plan_digest": plan.digest,
            "plan": list(plan_lines(plan)),
            "asks": list(self.planned.asks),
            "wants_start": self.wants_start,
            "until": (self.held.until if self.held else self.planned.until).isoformat(),
            "steps": [
                {
                    "number": one.step.number,
                    "candidate_bp": one.step.desired.candidate_bp,
                    "does": step_sentence(one.step),
                    "state": one.state,
                    "sentence": one.sentence,
                    "at": one.at.isoformat() if one.at else None,
                }
                for one in self.steps
            ],
            "decided": [
                {"at": at.isoformat(), "kind": kind, "name": name, "reason": reason}
                for at, kind, name, reason in self.decided
            ],
            "restored": self.ended.restored if self.ended else None,
            "state_wanted": self.ended.wanted_digest if self.ended else None,
            "state_seen": self.ended.seen_digest if self.ended else None,
        }


def rollouts(records: Sequence[Record]) -> list[RolloutView]:
    """The rollouts of a release, the oldest first; records of other kinds are passed over."""
    views: dict[str, RolloutView] = {}
    for record in records:
        body = b.parse_body(record)
        if isinstance(body, b.RolloutPlanned):
            plan = RolloutPlan.model_validate(body.plan)
            steps = [StepView(step) for step in plan.steps]
            views[body.rollout_id] = RolloutView(plan, body, record.at, steps)
        elif isinstance(body, b.DecisionMade) and body.decision.kind in KINDS:
            decision = body.decision
            view = next((one for one in views.values() if one.plan.digest == decision.approval_digest), None)
            if view is not None:
                said = (record.at, decision.kind.value, decision.actor.printed_name, decision.reason)
                view.decided.append(said)
        elif isinstance(body, _Told):
            view = views.get(body.rollout_id)
            if view is not None:
                _take(view, body, record.at)
    return list(views.values())


def _take(view: RolloutView, body: _Told, at: datetime) -> None:
    if isinstance(body, b.RolloutEnded):
        view.ended, view.ended_at = body, at
        return
    if isinstance(body, b.RolloutOutcome) and body.after is not None:
        view.shares.append((at, body.after.split.candidate_bp))
    if not body.step:
        return
    step = view.steps[body.step - 1]
    step.sentence = body.sentence
    match body:
        case b.RolloutOutcome():
            done = body.result in ("applied", "already")
            step.state, step.at, view.held = "watched" if done else "not_set", at, None
        case b.RolloutPromoted():
            step.state, view.held = "healthy", None
        case b.RolloutHeld():
            step.state, view.held = "held", body
