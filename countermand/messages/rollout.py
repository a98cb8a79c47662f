"""The facts every message about a rollout is rendered from: a pure function of the Ledger (COM-5)."""

from __future__ import annotations

from typing import Any

from countermand.messages.facts import utc
from countermand.playbook.model import Step
from countermand.playbook.units import format_percent
from countermand.rollout.plan import plan_lines
from countermand.rollout.view import RolloutView

_KINDS = {"sandbox": "sandbox rollout", "ramp": "rollout", "reintroduce": "return"}
_OUTCOMES = {
    "done": "is done",
    "doubtful": "is over without proof of health",
    "trigger": "was taken back",
    "stopped": "was stopped",
    "handed_over": "ended: an incident takes over",
    "lost": "was taken back by the target",
    "not_started": "was not started",
}


def facts(view: RolloutView, *, step: Step, console_url: str) -> dict[str, Any]:
    """Facts for messages about `step`. Unknown things are said to be unknown."""
    plan, ended = view.plan, view.ended
    begun = [one for one in view.steps if one.state != "planned"]
    now = begun[-1] if begun else view.steps[0]
    lost = ended is not None and ended.restored is False
    return {
        "step": step.value,
        "service": plan.service,
        "environment": plan.environment,
        "release_id": plan.release_id,
        "candidate_name": plan.candidate.name,
        "baseline_name": plan.baseline.name,
        "opened_at": utc(view.planned_at),
        "console_url": f"{console_url}/releases/{plan.release_id}",
        "unknowns": ["whether the state from before is back: look now"] if lost else [],
        "next_update": "none, it is over" if ended else "at the next step of the rollout",
        "rollout": {
            "kind": _KINDS[plan.kind],
            "plan": list(plan_lines(plan)),
            "number": now.step.number,
            "of": len(view.steps),
            "share": now.share,
            "before": format_percent(plan.before.split.candidate_bp),
            "sentence": view.sentence,
            "by": view.decided[-1][2] if view.decided else "the playbook, without a person",
            "until": utc(view.held.until if view.held else view.planned.until),
            "outcome": _outcome(view),
            "restored": _restored(view),
        },
    }


def _outcome(view: RolloutView) -> str:
    if view.ended is None:
        return "is under way"
    if view.ended.outcome == "done" and view.plan.left and not view.plan.goes_back:
        return "is done for a part of the release only"
    return _OUTCOMES[view.ended.outcome]


def _restored(view: RolloutView) -> str:
    ended = view.ended
    if ended is None or ended.restored is None:
        return "nothing had to be put back"
    return "split and versions are as they have to be, digest by digest" if ended.restored else "NOT verified: look now"
