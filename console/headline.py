"""What an incident is doing now, until when, and what happens then: the sentences its pages begin with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from countermand.messages.facts import DEFAULT_WORDS
from countermand.messages.incident import IncidentView, StageView
from countermand.plan.build import stage_sentence

_DOING = {
    "setting": "is being set",
    "started": "has begun",
    "soaking": "is being watched",
    "completed": "is complete",
    "held": "is held",
    "resumed": "goes on",
    "stopped": "has stopped",
    "aborted": "was aborted",
    "reversed": "was reversed",
    "partial": "left the bundle divided",
    "compensated": "was taken back",
}


@dataclass(frozen=True)
class Headline:
    """One sentence of now; `until` and `then` are empty when nothing is pending."""

    sentence: str
    until: datetime | None = None
    then: str = ""


@dataclass(frozen=True)
class StageRow:
    """One stage as planned and as it went; shares in basis points of all users."""

    number: int
    sentence: str
    before_bp: int
    after_bp: int
    view: StageView

    @property
    def observed(self) -> str:
        """What traffic showed, as the check said it; empty before."""
        return next((check.sentence for check in reversed(self.view.checks) if check.name == "observed"), "")


def headline(view: IncidentView) -> Headline:
    """The sentence of the active stage while going back, else of the phase, else of the outcome."""
    if view.closed is not None or view.phase is None:
        return Headline(view.sentence)
    stage = active_stage(view)
    if stage is not None:
        return _of_stage(view, stage)
    return Headline(view.sentence, view.phase.until, _then(view))


def active_stage(view: IncidentView) -> StageView | None:
    """The stage that has begun last, while users are going back."""
    if view.closed is not None or view.phase is None or view.phase.phase != "reverting":
        return None
    return next((stage for stage in reversed(view.stages) if stage.state != "waiting"), None)


def stage_rows(view: IncidentView) -> list[StageRow]:
    """The stages of the present plan; those of a plan that is only proposed have not begun."""
    if view.plan is None:
        return []
    proposed = view.phase is not None and view.phase.phase in ("planning", "asking")
    went = {} if proposed else {stage.number: stage for stage in view.stages}
    rows, before = [], view.plan.before.candidate_bp
    for planned in view.plan.stages:
        after = planned.desired.candidate_bp
        stage = went.get(planned.number) or StageView(planned.number, planned.give_back_bp, after)
        rows.append(StageRow(planned.number, stage_sentence(view.plan, planned), before, after, stage))
        before = after
    return rows


def _of_stage(view: IncidentView, stage: StageView) -> Headline:
    last = stage.number == len(view.stages)
    planned = next(row.sentence for row in stage_rows(view) if row.number == stage.number)
    detail = planned if stage.state in ("setting", "started", "soaking") else stage.sentence
    then = {
        "soaking": "Then its checks run"
        + (", and the service is verified." if last else ", and the next stage begins."),
        "held": "If nobody resumes, aborts or reverses it by then, it is planned and asked again.",
        "stopped": "If nobody resumes, aborts or reverses it by then, it is planned and asked again.",
        "partial": "If nobody resumes, aborts or reverses it by then, it is planned and asked again.",
        "compensated": "It is planned and asked again.",
        "completed": "Now the service is verified." if last else f"Stage {stage.number + 1} follows.",
    }.get(stage.state, "It counts only once it is seen in real traffic.")
    sentence = f"Stage {stage.number} of {len(view.stages)} {_DOING[stage.state]}: {detail}"
    return Headline(sentence if sentence.endswith(".") else f"{sentence}.", stage.until, then)


def _then(view: IncidentView) -> str:
    match view.phase.phase if view.phase else "":
        case "freezing":
            return "If the evidence is not safe by then, nothing is changed and people are asked."
        case "planning":
            return "Then people are asked to approve the exact plan."
        case "asking":
            default = view.ask.opened.default if view.ask else "hold"
            return f"If nobody decides by then: {default}, which means {DEFAULT_WORDS[default]}."
        case "reverting":
            return "After the last stage the service is verified with labelled answers."
        case "verifying":
            return "If it is not shown to be healthy by then, people are asked; silence never counts as healthy."
        case "paused_for_investigation":
            return "If nobody decides by then, executives are told and everything stays as it is."
        case "held":
            return "Then it is tried again; a hold is never the end."
        case "not_verified":
            return "If nobody answers by then, it is closed as rolled back but not verified."
        case _:
            return ""
