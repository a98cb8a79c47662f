"""The body of a push: JSON or newline-delimited JSON, a closed schema, each bad item refused for itself (SRC §3)."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from activities.signal_ports import (
    Batch,
    CountedBlock,
    ExternalEvent,
    ForeignId,
    LabelledOutput,
    RejectCode,
    Rejected,
)
from console.problems import Problem

MAX_ITEMS = 5_000
MAX_DEPTH = 32

#: The key that only items of one part have; lines of NDJSON are told apart by it.
_TELLS = {"observation_id": "items", "served": "counts", "event_id": "events"}


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["countermand.signals/v1"] = Field(alias="schema")
    batch_id: ForeignId


class PushBody(_Head):
    """The body of a push. Unknown fields are refused; the source is known from the credential, never from here."""

    items: Annotated[tuple[LabelledOutput, ...], Field(max_length=MAX_ITEMS)] = ()
    counts: Annotated[tuple[CountedBlock, ...], Field(max_length=MAX_ITEMS)] = ()
    events: Annotated[tuple[ExternalEvent, ...], Field(max_length=MAX_ITEMS)] = ()


class _AnyItems(_Head):
    items: Annotated[list[Any], Field(max_length=MAX_ITEMS)] = []
    counts: Annotated[list[Any], Field(max_length=MAX_ITEMS)] = []
    events: Annotated[list[Any], Field(max_length=MAX_ITEMS)] = []


class _Part(NamedTuple):
    name: Literal["items", "counts", "events"]
    adapter: TypeAdapter[Any]


_PARTS = (
    _Part("items", TypeAdapter(LabelledOutput)),
    _Part("counts", TypeAdapter(CountedBlock)),
    _Part("events", TypeAdapter(ExternalEvent)),
)


def batch_of(raw: bytes, *, lines: bool) -> Batch:
    """The batch in a body, with what was refused item by item. `lines`: newline-delimited JSON, the head first.

    Raises Problem when it is no JSON, when the head does not fit, and when it holds nothing.
    """
    body = _joined(raw) if lines else raw
    try:
        whole = PushBody.model_validate_json(body)
    except ValidationError as error:
        batch = _item_by_item(body, error)
    else:
        # Its parts are validated; a second time would cost as much as the database.
        batch = Batch.model_construct(
            batch_id=whole.batch_id, body_sha256="", items=whole.items, counts=whole.counts, events=whole.events
        )
    number = sum(len(part) for part in (batch.items, batch.counts, batch.events, batch.rejected))
    if not number or number > MAX_ITEMS:
        raise Problem(422, "schema", f"items: the batch holds {number} items", f"Send 1 to {MAX_ITEMS} items at once.")
    return batch.model_copy(update={"body_sha256": hashlib.sha256(raw).hexdigest()})


def _item_by_item(body: bytes, error: ValidationError) -> Batch:
    """Some item does not fit: the head must, and every other item counts."""
    try:
        values = from_json(body)
        _shallow(values)
        loose = _AnyItems.model_validate(values)
    except ValueError as fault:
        raise _of_envelope(fault if isinstance(fault, ValidationError) else error) from error
    kept: dict[str, list[Any]] = {}
    rejected: list[Rejected] = []
    for part in _PARTS:
        kept[part.name] = []
        for index, item in enumerate(getattr(loose, part.name)):
            try:
                kept[part.name].append(part.adapter.validate_json(to_json(item, inf_nan_mode="constants")))
            except ValidationError as misfit:
                first = misfit.errors(include_url=False)[0]
                rejected.append(Rejected(index=index, code=_code(first), detail=_detail(first), part=part.name))
    return Batch(batch_id=loose.batch_id, body_sha256="", rejected=tuple(rejected), **kept)


def _joined(raw: bytes) -> bytes:
    """Lines as one document, so that both forms have one schema."""
    found: dict[str, list[bytes]] = {"items": [], "counts": [], "events": []}
    head: bytes | None = None
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = from_json(line)
        except ValueError as error:
            raise Problem(
                400, "not_json", f"line {number}: {error}", "Send one JSON object per line; nothing was kept."
            ) from error
        keys = value.keys() if isinstance(value, dict) else ()
        if head is None:
            head = line.strip()
            continue
        part = next((part for key, part in _TELLS.items() if key in keys), None)
        if part is None:
            raise Problem(
                422,
                "schema",
                f"line {number}: {line[:100]!r} is no item",
                f"After the first line, which holds `schema` and `batch_id`, an item has one of {', '.join(_TELLS)}.",
            )
        found[part].append(line)
    if head is None or not head.startswith(b"{"):
        raise Problem(422, "schema", "line 1 is not the head", 'Begin with {"schema": …, "batch_id": …}.')
    parts = b"".join(b',"%s":[%s]' % (name.encode(), b",".join(own)) for name, own in found.items())
    return head[:-1] + parts + b"}"


def _of_envelope(error: ValidationError) -> Problem:
    """The whole body is refused: 400 when it is no JSON, else 422."""
    problems = [
        {"where": _where(item), "detail": item["msg"], "value": repr(item["input"])[:100]}
        for item in error.errors(include_url=False, include_context=False)[:20]
    ]
    malformed = error.errors()[0]["type"] == "json_invalid"
    return Problem(
        400 if malformed else 422,
        "not_json" if malformed else "schema",
        f"{problems[0]['where'] or 'body'}: {problems[0]['detail']} (got {problems[0]['value']})",
        "The schema is countermand.signals/v1 in the OpenAPI file; nothing was kept.",
        problems=problems,
    )


def _shallow(value: object, depth: int = 1) -> None:
    """Raises Problem for nesting that no schema here has."""
    if depth > MAX_DEPTH:
        raise Problem(400, "too_deep", f"the body nests deeper than {MAX_DEPTH} levels", "Send flat items.")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, dict | list):
            _shallow(inner, depth + 1)


def _code(error: ErrorDetails) -> RejectCode:
    value = error["input"]
    if isinstance(value, bool) and error["type"] != "extra_forbidden":
        return "bool_as_number" if error["loc"][-1:] != ("arm",) else "unknown_arm"
    if isinstance(value, float) and not math.isfinite(value):
        return "not_finite"
    match error["type"], error["loc"][-1:]:
        case _, ("arm",):
            return "unknown_arm"
        case "finite_number", _:
            return "not_finite"
        case "string_too_long", _:
            return "too_long"
        case "value_error", ():
            return "inconsistent"
        case "greater_than_equal" | "less_than", _:
            return "out_of_range"
    return "schema"


def _detail(error: ErrorDetails) -> str:
    return f"{_where(error)}: {error['msg']} (got {_said(error['input'])})"


def _where(error: ErrorDetails) -> str:
    return "/".join(str(part) for part in error["loc"])


def _said(value: object) -> str:
    try:
        return json.dumps(value, default=str)[:100]
    except ValueError:
        return repr(value)[:100]
