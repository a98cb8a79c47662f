"""What pydantic found, in words for the people who write playbooks."""

from __future__ import annotations

import re
import types
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from countermand.playbook.model import Playbook
from countermand.playbook.source import Path, Written
from countermand.playbook.units import plain

_LIMITS = {
    "greater_than": ("gt", "too small; write more than {}"),
    "greater_than_equal": ("ge", "too small; write {} or more"),
    "less_than": ("lt", "too large; write less than {}"),
    "less_than_equal": ("le", "too large; write {} or less"),
}
_SHAPES = {
    "model_type": "keys and values are needed below it",
    "dict_type": "keys and values are needed below it",
    "tuple_type": "a list is needed: one line with '- ' per entry, or [a, b]",
    "int_type": "write a whole number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "string_type": "write text; put numbers and true or false in quotes",
}


def in_words(error: ErrorDetails, written: Written, root: type[BaseModel] = Playbook) -> str:
    """The message for one error of pydantic: it quotes what was written and says what would be accepted.

    root: the model of the whole file.
    """
    path = path_of(error)
    said = repr(path[-1]) if "[key]" in error["loc"] else _said(written.at(path))
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            keys = _keys(root, error["loc"][:-1])
            hint = _did_you_mean(str(path[-1]), keys)
            if " " in str(path[-1]):
                hint = "a text with a comma inside { } needs quotes; "
            return f"unknown key {str(path[-1])!r}; {hint}accepted here: {', '.join(keys)}"
        case "missing":
            return f"{str(path[-1])!r} is missing ({_description(root, error['loc'])})"
        case "union_tag_not_found":
            return f"'kind' is missing; write kind: {_spoken(_kinds(root, path[:-1]))}"
        case "union_tag_invalid":
            kinds = _kinds(root, path[:-1])
            hint = _did_you_mean(said.strip("'"), kinds)
            return f"{said} is not accepted; {hint}write {_spoken(kinds)}"
        case "literal_error" | "enum":
            options = re.findall(r"'([^']*)'", context["expected"])
            hint = _did_you_mean(said.strip("'"), options)
            return f"{said} is not accepted; {hint}write {_spoken(options)}"
        case "string_pattern_mismatch":
            signs = "'_' and '-'" if "_-]" in context["pattern"] else "'_'"
            rule = f"at most 63 lower-case letters, digits, {signs}, beginning with a letter"
            return f"{said} is not a name; write {rule}"
        case "string_too_short" | "string_too_long":
            return f"{said} is not accepted; write 3 to 2000 characters"
        case "too_short":
            return f"{said} is empty; at least {context['min_length']} entry is needed"
        case "value_error":
            return _shortened(str(context["error"]), 600)
        case kind if kind in _LIMITS:
            key, words = _LIMITS[kind]
            return f"{said} is {words.format(_plain(context[key]))}"
        case kind if kind in _SHAPES:
            return f"{said} is not accepted; {_SHAPES[kind]}"
        case _:
            return f"{said} is not accepted here"


def path_of(error: ErrorDetails) -> Path:
    """Where the error is; an error in a key is at that key. Parts in brackets are not of the playbook."""
    of_kind = ("kind",) if error["type"].startswith("union_tag") else ()
    return (*(part for part in error["loc"] if not str(part).startswith("[")), *of_kind)


def dotted(path: Path) -> str:
    """`revert.stages[1].give_back`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _said(written: Written | None) -> str:
    if written is None or written.value is None:
        return "an empty value"
    if written.text is None:
        return "a mapping" if isinstance(written.value, dict) else "a list"
    return repr(_shortened(written.text, 60))


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _plain(limit: Any) -> str:
    match limit:
        case Decimal():
            return plain(limit)
        case str():  # pydantic names some decimal limits by their repr
            return limit.removeprefix("Decimal('").removesuffix("')")
        case _:
            return str(limit)


def _did_you_mean(word: str, options: list[str]) -> str:
    close = get_close_matches(word, options, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _spoken(options: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(options[:-1]), options[-1]]))


def _keys(root: type[BaseModel], loc: Path) -> list[str]:
    model = _model_at(root, loc)
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _description(root: type[BaseModel], loc: Path) -> str:
    model = _model_at(root, loc[:-1])
    fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
    text = (fields[str(loc[-1])].description or "").rstrip(".")
    return text[:1].lower() + text[1:]


def _kinds(root: type[BaseModel], loc: Path) -> list[str]:
    """What `kind` may be where one of several models stands."""
    return [kind for option in _options_at(root, loc) for kind in _kind(option)]


def _kind(option: Any) -> tuple[str, ...]:
    if not (isinstance(option, type) and issubclass(option, BaseModel)) or "kind" not in option.model_fields:
        return ()
    return get_args(option.model_fields["kind"].annotation)


def _model_at(root: type[BaseModel], loc: Path) -> type[BaseModel] | None:
    return next((o for o in _options_at(root, loc) if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _options_at(root: type[BaseModel], loc: Path) -> list[Any]:
    here: list[Any] = [root]
    for part in loc:
        if str(part).startswith("["):  # pydantic says which of several models it took
            here = [option for option in here if str(part).strip("[]") in _kind(option)] or here
            continue
        inner = [_below(option, part) for option in here]
        here = _options(next((found for found in inner if found is not None), None))
    return here


def _below(option: Any, part: str | int) -> Any:
    """The type of one key of a model or of the entries of a container; None if there is no such key."""
    if isinstance(option, type) and issubclass(option, BaseModel):
        fields = {field.alias or name: field for name, field in option.model_fields.items()}
        return fields[str(part)].annotation if str(part) in fields else None
    arguments = get_args(option)
    return arguments[1 if get_origin(option) is dict else 0] if arguments else None


def _options(annotation: Any) -> list[Any]:
    """The types that a value may have: what stands below Annotated, and the sides of a union."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for side in get_args(annotation) for option in _options(side)]
    return [annotation]
