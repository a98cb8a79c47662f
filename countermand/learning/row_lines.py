"""Sealed rows as lines: read quickly where our own sealer wrote them, checked in full where they come from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Container
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from countermand.canonical import canonical, digest_bytes, instant, parse_instant
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.detection.state import filled, made
from countermand.playbook.units import parse_duration

_ARMS = {arm.value: arm for arm in Arm}
_STATES = {state.value: state for state in BlockState}
_LENGTHS: dict[str, timedelta] = {}
#: What a line leaves out where a kind of signal does not use it.
_REST: dict[str, Any] = {
    name: field.get_default(call_default_factory=True)
    for name, field in Block.model_fields.items()
    if not field.is_required()
}


def line_of(row: Row) -> bytes:
    """The canonical bytes of a row, over which its digest is."""
    blocks = sorted(row.blocks, key=lambda one: (one.signal, one.arm, one.segment))
    fields = row.model_dump(mode="json") | {"start": instant(row.start)}
    return canonical(fields | {"blocks": [one.model_dump(mode="json") for one in blocks]})


def sealed(line: bytes, signals: Container[str]) -> Row:
    """The row of a line whose digest was checked before, with only the blocks of these signals; nothing is validated.

    Checking every count again would take several times as long as judging it.
    """
    fields = from_json(line)
    block = fields["block"]
    length = _LENGTHS.get(block) or _LENGTHS.setdefault(block, parse_duration(block))
    row = made(
        Row,
        seq=fields["seq"],
        start=parse_instant(fields["start"]),
        block=length,
        late_of=fields["late_of"],
        blocks=tuple(_block(one) for one in fields["blocks"] if one["signal"] in signals),
        context=None,
    )
    # Of the whole line, as when it was sealed: found once, not from the blocks that were left.
    row.__dict__["digest"] = "sha256:" + hashlib.sha256(line).hexdigest()
    return row


def _block(one: dict[str, Any]) -> Block:
    fields = _REST | one
    fields["arm"], fields["state"] = _ARMS[one["arm"]], _STATES[one["state"]]
    if "hist" in one:
        fields["hist"] = {int(bucket): n for bucket, n in one["hist"].items()}
    if "evidence" in one:
        fields["evidence"] = tuple(one["evidence"])
    return filled(Block, fields)


def checked(line: bytes) -> Row:
    """The row of a line from outside. Raises ValueError when it is no row, or not in its canonical form."""
    try:
        row = Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"])) or "row"
        raise ValueError(f"{where}: {first['msg']}") from None
    if digest_bytes(line) != row.digest:
        raise ValueError("not written in canonical form; accepted are rows as `backtest export` writes them")
    return row
