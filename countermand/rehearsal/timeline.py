"""A run as marks on lanes of time, for the picture in the report."""

from __future__ import annotations

from typing import Literal

from countermand.ledger.bodies import StageState, parse_body
from countermand.plan.target import Value
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import milestones, seconds_in_words

Tone = Literal["bad", "ask", "good", "info"]
#: Thousandths of the picture's width.
WIDTH = 1000


class Mark(Value):
    """One thing on a lane. x: 0 to `WIDTH`; text: what stands beside it or is shown when it is pointed at."""

    x: int
    at: str
    text: str
    tone: Tone


class Lane(Value):
    """One row of the picture. words: whether its texts are written out."""

    name: str
    words: bool
    marks: tuple[Mark, ...]


_TURNS: dict[str, Tone] = {
    **{"harm": "bad", "detected": "bad", "asked": "ask", "seen": "ask"},
    **{"decided": "good", "first_effect": "good", "all_clear": "good"},
}
_ENDS: dict[str, Tone] = {"completed": "good", "started": "info", "soaking": "info", "resumed": "info"}


def timeline(run: Run, scenario: Scenario) -> tuple[Lane, ...]:
    """Turning points, stages, acts of people, what reached people on the way, and messages."""
    length = max(run.offset(run.ended), 1.0)

    def mark(at: float, text: str, tone: Tone) -> Mark:
        x = min(max(round(at / length * WIDTH), 0), WIDTH)
        return Mark(x=x, at=seconds_in_words(at), text=text.replace("_", " "), tone=tone)

    points = milestones(run, scenario)
    stages = [
        mark(run.offset(record.at), f"stage {body.stage} {body.state}", _ENDS.get(body.state, "bad"))
        for record in run.records
        if isinstance(body := parse_body(record), StageState)
    ]
    acts = [
        mark(
            act.at,
            f"{act.who}: {act.kind}" + ("" if act.accepted else f", refused: {act.code}"),
            "good" if act.accepted else "bad",
        )
        for act in run.acts
    ]
    messages = [
        mark(
            one.at,
            f"{one.step} to {one.to} by {one.channel}" + ("" if one.delivered else ", did not arrive"),
            "good" if one.delivered else "bad",
        )
        for one in run.messages
    ]
    return (
        Lane(
            name="Turning points",
            words=True,
            marks=tuple(mark(at, name, _TURNS[name]) for name, at in points.items() if at is not None),
        ),
        Lane(name="Stages", words=False, marks=tuple(stages)),
        Lane(name="People", words=False, marks=tuple(acts)),
        Lane(
            name="Injects",
            words=False,
            marks=tuple(mark(one.at, f"{one.kind} to {one.to}: {one.content}", "info") for one in run.injects),
        ),
        Lane(name="Messages", words=False, marks=tuple(messages)),
    )
