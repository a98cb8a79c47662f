"""`signals`: the taxonomy of ready-made signals, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, spoken

if TYPE_CHECKING:
    from countermand.playbook.taxonomy import Definition

_COLUMNS = (
    Column("FAMILY", "family"),
    Column("SIGNAL", "id"),
    Column("WORSE", "direction"),
    Column("MEANING", "meaning"),
)


def signals(
    signal_id: Annotated[str | None, typer.Argument(metavar="[SIGNAL]", help="Explain this one.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Ready-made signals by family; with a name: meaning, unit, lag, weaknesses and the lines for a playbook."""
    from countermand.playbook.taxonomy import FAMILIES, of_family, taxonomy

    if signal_id is None:
        listed = [_body(one) for family in FAMILIES for one in of_family(family)]
        items({"schema": "countermand.taxonomy/v1", "items": listed}, _COLUMNS, output)
        return
    one = taxonomy().get(signal_id)
    if one is None:
        raise Failure(Exit.usage, f"no signal {signal_id!r} in the taxonomy", accepted=_close(signal_id))
    detail({"schema": "countermand.signal/v1", **_body(one)}, _lines(one), output)


def _body(one: Definition) -> JsonObject:
    from countermand.playbook.taxonomy import criterion, fragment

    told = one.model_dump(mode="json", exclude={"playbook", "tolerate"})
    told |= {"direction": one.direction, "worse": one.worse}
    return told | {"signal_yaml": "\n".join(fragment(one)), "criterion_yaml": criterion(one)}


def _lines(one: Definition) -> list[str]:
    from countermand.playbook.taxonomy import criterion, fragment

    return [
        f"{spoken(one.id)}  {spoken(one.family)}",
        f"{one.meaning}.",
        "",
        f"  unit        {one.unit}; {one.direction}",
        f"  worse when  {one.worse}",
        f"  lag         {one.lag}",
        f"  source      {one.source}",
        f"  weaknesses  {one.weaknesses}",
        *([f"  read beside {', '.join(map(spoken, one.beside))}"] if one.beside else []),
        "",
        "Below detection.signals of a playbook, with your own usual value and source:",
        *fragment(one),
        "In a trigger:",
        f"    - {criterion(one)}",
    ]


def _close(wanted: str) -> str:
    from difflib import get_close_matches

    from countermand.playbook.taxonomy import taxonomy

    close = get_close_matches(wanted, taxonomy(), n=3, cutoff=0.5)
    return f"{', '.join(close)}, …" if close else "a name that `countermand signals` lists"
