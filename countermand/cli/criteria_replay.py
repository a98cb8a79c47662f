"""`criteria replay`: judge a past stretch of time with a playbook, by the function that judges live (LRN-7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from countermand.cli import criteria_rows
from countermand.cli.criteria_rows import From, Release, RowsFile, To, one_source
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign, spoken
from countermand.cli.playbook_commands import PlaybookFile, usable

if TYPE_CHECKING:
    from countermand.detection.evaluator import Change


def replay(
    file: PlaybookFile,
    rows: RowsFile = None,
    release: Release = None,
    begin: From = None,
    end: To = None,
    output: FormatOption = Format.table,
) -> None:
    """Judge a past stretch of time with this playbook: every change of the verdict, and where it would have fired."""
    from countermand.detection.blocks import Row
    from countermand.detection.evaluator import changes, fired

    detection = usable(file).detection
    one_source(rows, release)
    judged: list[JsonObject] = []
    if rows is not None:
        known = criteria_rows.of_file(rows, begin, end)
    else:
        fetched = list(criteria_rows.of_release(release or "", begin, end))
        known = [Row.model_validate(item["row"]) for item in fetched]
        judged = [item["judged"] for item in fetched if item["judged"]]
    if not known:
        raise Failure(Exit.usage, "there are no sealed rows in this time", accepted="a time in which it was watched")
    try:
        told = list(changes(detection, known))
    except ValueError as error:
        raise Failure(
            Exit.usage, str(error), accepted="rows of one release in order, in blocks of the playbook"
        ) from None
    first = next((change for change in told if fired(change.verdict)), None)
    shown = [_change(change) for change in told]
    body = {
        "schema": "countermand.criteria_replay/v1",
        "rows": len(known),
        "items": shown,
        "first_trigger": _change(first) if first else None,
        "fired_then": _fired_then(judged, known[0].block) if release is not None else None,
    }
    lines = [f"{change['at']}  {sign(change['word'])} {change['word']}: {change['sentence']}" for change in shown]
    detail(body, [*lines, "", *_summary(body)], output)


def _change(change: Change) -> JsonObject:
    from countermand.canonical import instant
    from countermand.detection.evaluator import fired

    verdict = change.verdict
    return {
        "at": instant(change.at),
        "word": verdict.word.value,
        "sentence": verdict.sentence,
        "triggers": fired(verdict),
    }


def _fired_then(judged: list[JsonObject], block: timedelta) -> JsonObject | None:
    """When the live watch of the release first said that a trigger fired, in these rows; None if it never did."""
    from countermand.canonical import instant, parse_instant

    for record in judged:
        triggers = sorted(name for name, found in record["triggers"].items() if found["word"] == "trigger")
        if triggers:
            return {"at": instant(parse_instant(record["start"]) + block), "triggers": triggers}
    return None


def _summary(body: JsonObject) -> Iterator[str]:
    first, then = body["first_trigger"], body["fired_then"]
    rows = f"{body['rows']:,} rows, judged as if the watch had begun with the first"
    if first is None:
        yield f"Nothing would have fired. {rows}."
    else:
        yield f"{', '.join(map(spoken, first['triggers']))} would have fired at {first['at']}. {rows}."
    if then is not None:
        yield f"Then, {', '.join(map(spoken, then['triggers']))} fired at {then['at']}."
    elif first is not None and "fired_then" in body:
        yield "Then, nothing is known to have fired."
