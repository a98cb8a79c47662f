"""Predicates as data with three answers: yes, no, unknown (OBL-8).

`scope` predicates are asked of the organisation profile, `trigger` predicates of the facts of an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from countermand.playbook.terms import Strict

#: A path such as `eu_ai_act.role` or `limbs`.
Path = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
#: What is known under a path; None: nobody said.
Answer = bool | int | str | tuple[str, ...] | None
Lookup = Callable[[str], Answer]


class Is(Strict):
    path: Path
    is_: bool | str = Field(alias="is")


class In(Strict):
    path: Path
    in_: tuple[str, ...] = Field(alias="in", min_length=1)


class Contains(Strict):
    path: Path
    contains: str


class AnyOf(Strict):
    path: Path
    any_of: tuple[str, ...] = Field(min_length=1)


class Gte(Strict):
    path: Path
    gte: int


class Lt(Strict):
    path: Path
    lt: int


class NonEmpty(Strict):
    path: Path
    non_empty: Literal[True]


class All(Strict):
    all: tuple[Predicate, ...] = Field(min_length=1)


class Any_(Strict):  # noqa: N801  # named after its key, which is a builtin
    any: tuple[Predicate, ...] = Field(min_length=1)


class Not(Strict):
    not_: Predicate = Field(alias="not")


class Always(Strict):
    always: Literal[True]


class Never(Strict):
    never: Literal[True]


_KEYS = ("is", "in", "contains", "any_of", "gte", "lt", "non_empty", "all", "any", "not", "always", "never")


def _key(value: object) -> str | None:
    """Which predicate this is: the one key that says so."""
    if isinstance(value, Mapping):
        found = [key for key in _KEYS if key in value]
        return found[0] if len(found) == 1 else None
    return next((key for key in _KEYS if hasattr(value, key) or hasattr(value, f"{key}_")), None)


Predicate = Annotated[
    Annotated[Is, Tag("is")]
    | Annotated[In, Tag("in")]
    | Annotated[Contains, Tag("contains")]
    | Annotated[AnyOf, Tag("any_of")]
    | Annotated[Gte, Tag("gte")]
    | Annotated[Lt, Tag("lt")]
    | Annotated[NonEmpty, Tag("non_empty")]
    | Annotated[All, Tag("all")]
    | Annotated[Any_, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Always, Tag("always")]
    | Annotated[Never, Tag("never")],
    Discriminator(
        _key,
        custom_error_type="predicate",
        custom_error_message=f"a predicate has exactly one of these keys: {', '.join(_KEYS)}",
    ),
]
for _model in (All, Any_, Not):
    _model.model_rebuild()


def holds(predicate: Any, lookup: Lookup) -> bool | None:
    """Yes, no, or None: it rests on something that nobody said. Kleene's three-valued logic."""
    match predicate:
        case Always():
            return True
        case Never():
            return False
        case Not():
            inner = holds(predicate.not_, lookup)
            return None if inner is None else not inner
        case All():
            answers = [holds(one, lookup) for one in predicate.all]
            return False if False in answers else None if None in answers else True
        case Any_():
            answers = [holds(one, lookup) for one in predicate.any]
            return True if True in answers else None if None in answers else False
        case _:
            known = lookup(predicate.path)
            return None if known is None else _compares(predicate, known)


def _compares(predicate: Any, known: bool | int | str | tuple[str, ...]) -> bool:
    match predicate:
        case Is():
            return known == predicate.is_
        case In():
            return known in predicate.in_
        case Contains():
            return isinstance(known, tuple) and predicate.contains in known
        case AnyOf():
            return isinstance(known, tuple) and bool(set(predicate.any_of) & set(known))
        case Gte():
            return isinstance(known, int) and known >= predicate.gte
        case Lt():
            return isinstance(known, int) and known < predicate.lt
        case NonEmpty():
            return bool(known)
        case _:
            raise TypeError(f"{predicate!r} is no predicate")


def leaves(predicate: Any) -> Iterator[Any]:
    """Every predicate below this one that asks for a path."""
    match predicate:
        case All():
            parts = predicate.all
        case Any_():
            parts = predicate.any
        case Not():
            parts = (predicate.not_,)
        case Always() | Never():
            return
        case _:
            yield predicate
            return
    for part in parts:
        yield from leaves(part)


def constant(predicate: Any) -> bool:
    """Whether it asks for nothing, so that nobody has stated anything when it holds."""
    return not any(True for _ in leaves(predicate))


def unknown_paths(predicate: Any, lookup: Lookup) -> tuple[str, ...]:
    """The paths that nobody said anything about and that this rests on."""
    return tuple(dict.fromkeys(one.path for one in leaves(predicate) if lookup(one.path) is None))
