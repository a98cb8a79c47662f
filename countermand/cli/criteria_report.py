"""What `criteria test` prints: one line per criterion, one sentence per trigger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from countermand.cli.output import Column, Format, JsonObject, items, print_json, print_json_line, say, spoken

if TYPE_CHECKING:
    from countermand.detection.tried import TriggerTrial
    from countermand.playbook.criteria import Detection

_COLUMNS = (
    Column("TRIGGER", "trigger"),
    Column("CRITERION", "criterion"),
    Column("PLANTED", "planted"),
    Column("FOUND AFTER", "found"),
    Column("FORECAST", "forecast"),
    Column("RESULT", "state", state=True),
)


def print_trials(
    detection: Detection, found: list[TriggerTrial], where: str, unlike: list[str], output: Format
) -> None:
    dumped = [one.model_dump(mode="json") for one in found]
    match output:
        case Format.json:
            print_json({"schema": "countermand.criteria_test/v1", "on": where, "unlike": unlike, "items": dumped})
        case Format.jsonl:
            for body in dumped:
                print_json_line(body)
        case _:
            items({"items": [line for one in found for line in _flat(detection, one)]}, _COLUMNS, output)
            say(f"On {where}.", *(f"  unlike the playbook: {one}" for one in unlike))
            say(*(f"{'✓' if one.as_promised else '✗'} {one.sentence}" for one in found))
            whys = ((one.trigger, c) for one in found for c in one.criteria if c.why)
            say(*(f"  {spoken(c.signal)}, {c.limit}, of {name}: {c.why}" for name, c in whys))


def _flat(detection: Detection, one: TriggerTrial) -> Iterator[JsonObject]:
    from countermand.detection.figures import span

    def long(blocks: int | None) -> str | None:
        return None if blocks is None else span(blocks * detection.block)

    for criterion in one.criteria:
        forecast = f"{long(criterion.median)}, 19 of 20 within {long(criterion.p95)}" if criterion.p95 else None
        yield {
            "trigger": one.trigger,
            "criterion": f"{spoken(criterion.signal)}, {criterion.limit}",
            "planted": criterion.planted,
            "found": long(criterion.after),
            "forecast": forecast,
            "state": criterion.state,
        }
