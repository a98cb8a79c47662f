"""What a trigger keeps between blocks: small integers, strings, booleans and null only (DET-4)."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field

from countermand.detection.blocks import Block
from countermand.detection.evalue import log_mean
from countermand.detection.guesses import Dispersion, Pair
from countermand.plan.target import Value

V = TypeVar("V", bound=Value)

# How pydantic itself fills a frozen value, without the way through `__setattr__`.
_new = object.__new__
_set_fields, _set_names, _set_extra, _set_private = (
    BaseModel.__dict__[slot].__set__
    for slot in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


class Memory(Value):
    """What one criterion learned from past rows; how its kind uses the parts stands in that kind's module.

    guess: pairs whose quotients are rates or means; empty before a first row has trained it. previous: the last
    baseline block, None after a gap. noise: dispersion of each compared value. recent: other small integers.
    """

    guess: tuple[Pair, ...] = ()
    previous: tuple[int, ...] | None = None
    noise: tuple[Dispersion, ...] = ((0, 0, 0),)
    recent: tuple[int, ...] = ()


class ToleranceState(Value):
    """One tolerance criterion.

    evidence: S of its bets in micronats, empty before the first row. pessimistic: the same if every missing output
    of the candidate were bad, None while equal. used: what each bet added in the last row, empty if it was unknown.
    rising: evidence of all bets together since row `since`, uncapped, 0 when used up. counts: sums of both arms over
    the known rows since then, as the kind sees a row. pending: of a criterion with longer blocks, what is pooled.
    shut: a second condition does not hold, so it counts as no evidence. unknown_rows: how many rows of the watch gave
    no evidence; unknown: why the last one did not.
    """

    form: Literal["tolerance"] = "tolerance"
    evidence: tuple[int, ...] = ()
    pessimistic: tuple[int, ...] | None = None
    used: tuple[int, ...] = ()
    memory: Memory
    rising: int = 0
    since: int | None = None
    counts: tuple[int, ...] = ()
    pending: tuple[Block, ...] = ()
    shut: bool = False
    unknown_rows: int = 0
    unknown: Literal["missing", "training", "warm_up", "pooling"] | None = None

    @property
    def micronats(self) -> int:
        """Evidence of the criterion after at least one row: the mean over its bets."""
        return log_mean(self.evidence, len(self.evidence))


class ThresholdState(Value):
    """One threshold rule.

    window: sums per row that the rule compares, oldest first, zeros for an unknown row. outside: successive blocks
    outside (bound), or failures that count. waited: rows since the last measurement. unknown_rows: how many rows of
    the watch gave no value; unknown: the last one did not.
    """

    form: Literal["threshold"] = "threshold"
    window: tuple[tuple[int, ...], ...] = ()
    outside: int = 0
    waited: int = 0
    breached: bool = False
    unknown_rows: int = 0
    unknown: bool = False

    def total(self, rows: int | None = None) -> tuple[int, ...]:
        """Sums over the last `rows` rows of the window; over all of it by default."""
        part = self.window if rows is None else self.window[-rows:]
        return tuple(map(sum, zip(*part, strict=True)))


class LaneState(Value):
    """Evidence of one lane after the last row, in micronats; None when fixed limits alone decide."""

    micronats: int | None = None
    hold: bool = False


class State(Value):
    """One trigger. `rule`: digest of its Rule; `rows`: all rows in time so far, known or not (t of §5.1).

    lanes: the main lane first. latched_at: `seq` of the row at which it fired, and `latched_lane` in which; only
    closing the watch clears them. late: the newest row whose late samples were judged.
    """

    core: str
    rule: str
    seq: int | None = None
    rows: int = 0
    lanes: tuple[LaneState, ...]
    latched_at: int | None = None
    latched_lane: int | None = None
    late: int | None = None
    unknown_in_a_row: int = 0
    criteria: tuple[Annotated[ToleranceState | ThresholdState, Field(discriminator="form")], ...]

    @property
    def micronats(self) -> int | None:
        """Evidence of the main lane."""
        return self.lanes[0].micronats

    @property
    def hold(self) -> bool:
        """Enough evidence in some lane to hold the ramp (DET-24)."""
        return any(lane.hold for lane in self.lanes)


@cache
def _names(kind: type[Value]) -> set[str]:
    return set(kind.model_fields)


def made(kind: type[V], private: dict[str, Any] | None = None, /, **fields: Any) -> V:
    """A value from our own figures: the fields are right, checking them again would double the cost."""
    return filled(kind, fields, private)


def filled(kind: type[V], fields: dict[str, Any], private: dict[str, Any] | None = None) -> V:
    """As `made`, with the fields in a dict that nobody else keeps."""
    value = _new(kind)
    _set_fields(value, fields)
    _set_names(value, _names(kind))
    _set_extra(value, None)
    _set_private(value, private)
    return value
