"""What people can do about the rollout of a release, in words; the workflow judges it again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.ports import ReleaseStatus
from console.rollouts import may
from countermand.governance.directory import Directory
from countermand.messages.facts import in_words, spoken, utc
from countermand.playbook.model import Playbook
from countermand.playbook.units import format_percent
from countermand.rollout.plan import Kind, plan_lines
from countermand.rollout.view import RolloutView

#: What a form here sends, and which rollout it begins.
BEGINS: dict[str, Kind] = {"begin_sandbox": "sandbox", "begin_ramp": "ramp"}

#: The plot of shares is so wide and high, in units of its own.
_WIDE, _HIGH = 600, 100


@dataclass(frozen=True)
class RolloutForm:
    """One thing to do. otherwise: what happens if nobody does anything. off: why this person cannot, else empty.

    digest: the plan that is signed; empty where none is. danger: whether it takes something from users.
    """

    kind: str
    title: str
    does: tuple[str, ...]
    otherwise: str
    off: str = ""
    digest: str = ""
    danger: bool = False


def forms(
    view: RolloutView | None, status: ReleaseStatus, playbook: Playbook, people: Directory | None, subject: str
) -> list[RolloutForm]:
    """What makes sense now. view: the newest rollout of the release."""
    if people is None:
        return []
    if view is None or view.ended is not None:
        return _begins(status, playbook, people, subject)
    found = [_start(view, status, people, subject)] if view.wants_start else []
    return [*found, _stop(view, people, subject)]


def _begins(status: ReleaseStatus, playbook: Playbook, people: Directory, subject: str) -> list[RolloutForm]:
    rollout = playbook.rollout
    if rollout is None or status.closed_at is not None:
        return []
    allowed, candidate = may(people, subject), status.release.candidate.name
    off = "" if allowed.start or allowed.stop else _only(allowed.starters)
    found, otherwise = [], "If nobody does this, nothing changes."
    if rollout.sandbox is not None:
        share, limit = format_percent(rollout.sandbox.share), in_words(rollout.sandbox.time_limit)
        begins = "It begins at once if nothing stands against it; else a person is asked to start it."
        if not rollout.sandbox.without_asking:
            begins = "Nothing moves before a person starts it."
        does = (f"Give {candidate} to {share} of users for {limit} at most; then they all go back.", begins)
        found.append(RolloutForm("begin_sandbox", "Plan a sandbox", does, otherwise, off))
    if rollout.ramp:
        shares = spoken(tuple(format_percent(step.share) for step in rollout.ramp))
        does = (f"Plan to give {candidate} to {shares} of users.", "Nothing moves before a person starts the plan.")
        found.append(RolloutForm("begin_ramp", "Plan a rollout", does, otherwise, off))
    return found


def _start(view: RolloutView, status: ReleaseStatus, people: Directory, subject: str) -> RolloutForm:
    allowed = may(people, subject)
    registered_by = status.release.registered_by
    off = "" if allowed.start else _only(allowed.starters)
    if not off and people.principal_of(subject) == people.principal_of(registered_by):
        others = tuple(name for name in allowed.starters if name != people.name_of(subject))
        off = f"You registered this release, so somebody else has to start it: {spoken(others) or 'nobody can'}."
    digest, before = view.plan.digest, format_percent(view.plan.before.split.candidate_bp)
    if view.held is not None:
        step = view.steps[view.held.step - 1]
        on = (f"Watch step {view.held.step} on at {step.share} of users.",)
        otherwise = f"If nobody decides by {utc(view.held.until)}, the candidate goes back to {before} of users."
        return RolloutForm("start_rollout", "Watch on", on, otherwise, off, digest)
    does = (f"Give {view.plan.candidate.name} to users, as planned here.", *plan_lines(view.plan))
    otherwise = f"If nobody starts it by {utc(view.planned.until)}, it is over and nothing was changed."
    return RolloutForm("start_rollout", "Start it", does, otherwise, off, digest)


def _stop(view: RolloutView, people: Directory, subject: str) -> RolloutForm:
    allowed = may(people, subject)
    off = "" if allowed.stop else _only(allowed.stoppers)
    before = format_percent(view.plan.before.split.candidate_bp)
    does, danger = (f"The candidate goes back to {before} of users, the share from before.",), True
    if view.status == "waiting":
        does, danger = ("The plan is dropped; nothing was changed.",), False
        otherwise = f"If nobody starts it by {utc(view.planned.until)}, the same happens by itself."
        return RolloutForm("stop_rollout", "Drop it", does, otherwise, off, view.plan.digest, danger)
    otherwise = "If nobody stops it, it goes on as long as it is shown to be healthy."
    if view.held is not None:
        otherwise = f"If nobody decides by {utc(view.held.until)}, the same happens by itself."
    return RolloutForm("stop_rollout", "Stop it", does, otherwise, off, view.plan.digest, danger)


def _only(names: tuple[str, ...]) -> str:
    return f"Only {spoken(names)} can do this." if names else "Nobody holds a role that can do this."


@dataclass(frozen=True)
class SharePlot:
    """The candidate's share over time as points of an SVG line, and the same in words."""

    points: str
    box: str
    words: str


def share_plot(view: RolloutView, now: datetime) -> SharePlot | None:
    """None while nothing was set."""
    if not view.shares:
        return None
    end = max(view.ended_at or now, view.shares[-1][0])
    known = [(view.planned_at, view.plan.before.split.candidate_bp), *view.shares]
    if view.ended is not None and view.ended.restored and view.plan.goes_back:
        known.append((end, view.plan.before.split.candidate_bp))
    whole = max((end - view.planned_at).total_seconds(), 1)
    top = max(share for _, share in known) or 1
    points: list[tuple[float, float]] = []
    for at, share in known:
        x = _WIDE * (at - view.planned_at).total_seconds() / whole
        points += [(x, points[-1][1])] if points else []
        points.append((x, _HIGH - _HIGH * share / top))
    points.append((float(_WIDE), points[-1][1]))
    said = [f"{format_percent(share)} from {at:%H:%M:%S}" for at, share in known]
    return SharePlot(
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        box=f"0 -4 {_WIDE} {_HIGH + 8}",
        words=f"Share of users over time, as read back (UTC): {', '.join(said)}.",
    )
