"""Sealed blocks and the rows they form (detection.md §2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, model_validator

from countermand.canonical import digest, instant
from countermand.plan.target import Value
from countermand.playbook.units import Duration

#: A score is kept in steps of this part of its declared range.
SCORE_STEPS = 10_000

Count = Annotated[int, Field(ge=0, lt=2**53)]
Category = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")]


class Sealed(Value):
    """A value with parts derived once, such as its digest. A copy is checked and derives its own."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002
        """Validated like a new value, whatever `deep` says."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})


class Arm(StrEnum):
    """The two sides of a release."""

    candidate = "candidate"
    baseline = "baseline"

    # Blocks are looked up by arm several times per row; the hash of an enum's name is a slow detour.
    __hash__ = str.__hash__


#: Reading a member of an enum is a slow detour too.
_CANDIDATE = Arm.candidate


class BlockState(StrEnum):
    """`unknown` blocks give no evidence and no healthy credit."""

    ok = "ok"
    unknown = "unknown"


def _absent(value: Any) -> bool:
    return value is None or value in ({}, ())


class Block(Value):
    """Sealed sums of one signal and arm over one block time; immutable and hashed. Blocks are additive (DET-3).

    served: outputs that were due; scored: those with a value. By kind of signal:
    bad: outputs labelled bad, whichever way the signal's own value points: for a signal of correct answers
    (`bad: lower`) these are the incorrect ones.
    sum, sumsq: of each score's position in its declared range in steps of 1/10,000, and of its square.
    hist: outputs by latency bucket; bucket k holds values above edge k − 1 up to edge k.
    counts: outputs by category.
    source: who delivered it; evidence: digests of what a source was asked and answered.
    What a kind does not use stays out of the JSON, so that its digest does not depend on the others.
    """

    signal: str
    arm: Arm
    segment: str = "all"
    state: BlockState
    reason: str | None = None
    served: Count
    scored: Count
    bad: Count = 0
    sum: Count | None = Field(None, exclude_if=_absent)
    sumsq: Count | None = Field(None, exclude_if=_absent)
    hist: dict[Annotated[int, Field(ge=0)], Count] = Field(default_factory=dict, exclude_if=_absent)
    counts: dict[Category, Count] = Field(default_factory=dict, exclude_if=_absent)
    source: str | None = Field(None, exclude_if=_absent)
    evidence: tuple[str, ...] = Field((), exclude_if=_absent)

    def __add__(self, other: Block) -> Block:
        """The block of both sets of outputs. Raises ValueError unless signal, arm and segment are the same."""
        if (self.signal, self.arm, self.segment) != (other.signal, other.arm, other.segment):
            raise ValueError(f"{_name(self)} and {_name(other)} are not parts of one block")
        return Block(
            signal=self.signal,
            arm=self.arm,
            segment=self.segment,
            state=max(self.state, other.state),
            reason=self.reason or other.reason,
            served=self.served + other.served,
            scored=self.scored + other.scored,
            bad=self.bad + other.bad,
            sum=_plus(self.sum, other.sum),
            sumsq=_plus(self.sumsq, other.sumsq),
            hist=dict(Counter(self.hist) + Counter(other.hist)),
            counts=dict(Counter(self.counts) + Counter(other.counts)),
            source=self.source or other.source,
            evidence=tuple(sorted({*self.evidence, *other.evidence})),
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.bad <= self.scored <= self.served:
            raise ValueError(f"bad {self.bad} ≤ scored {self.scored} ≤ served {self.served} does not hold")
        if (self.state is BlockState.unknown) != (self.reason is not None):
            raise ValueError("an unknown block has a reason, an ok block has none")
        if (self.sum is None) != (self.sumsq is None):
            raise ValueError(f"sum {self.sum!r} and sumsq {self.sumsq!r} are given together or not at all")
        if self.sum is not None and self.sumsq is not None:
            top, n = SCORE_STEPS * self.sum, self.scored
            if self.sum > SCORE_STEPS * n or self.sumsq > top or self.sum * self.sum > n * self.sumsq:
                raise ValueError(f"no {n} scores between 0 and {SCORE_STEPS} have sum {self.sum}, sumsq {self.sumsq}")
        for name, parts in (("hist", self.hist), ("counts", self.counts)):
            if parts and sum(parts.values()) != self.scored:
                raise ValueError(f"{name} holds {sum(parts.values())} outputs, scored are {self.scored}")
        return self


class Context(Value):
    """What else was so during a block: the bundles by digest, and external events that overlap it. Never judged."""

    bundles: dict[Arm, str]
    events: tuple[str, ...] = ()


class Row(Sealed):
    """All sealed blocks of one block time.

    A late row (`late_of` = its `seq`) holds the samples of both arms that came after their block was sealed.
    """

    seq: int = Field(ge=0)
    start: AwareDatetime
    block: Duration
    late_of: int | None = None
    blocks: tuple[Block, ...]
    context: Context | None = Field(None, exclude_if=_absent)

    @cached_property
    def digest(self) -> str:
        fields = self.model_dump(mode="json")
        fields["start"] = instant(self.start)
        fields["blocks"] = sorted(fields["blocks"], key=lambda b: (b["signal"], b["arm"], b["segment"]))
        return digest(fields)

    def find(self, signal: str, arm: Arm, segment: str = "all") -> Block | None:
        """The block of one signal and arm: of all its traffic, or of one segment."""
        return self._by_key.get((signal, arm, segment))

    def both(self, signal: str) -> tuple[Block | None, Block | None]:
        """The blocks of all traffic of a signal: of the candidate, of the baseline."""
        return self._whole.get(signal, (None, None))

    @cached_property
    def _whole(self) -> dict[str, tuple[Block | None, Block | None]]:
        found: dict[str, tuple[Block | None, Block | None]] = {}
        for block in self.blocks:
            if block.segment == "all":
                candidate, baseline = found.get(block.signal, (None, None))
                found[block.signal] = (block, baseline) if block.arm is _CANDIDATE else (candidate, block)
        return found

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, str], Block]:
        return {(block.signal, block.arm, block.segment): block for block in self.blocks}

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if len(self._by_key) != len(self.blocks):
            raise ValueError("a row holds at most one block per signal, arm and segment")
        if self.late_of not in (None, self.seq):
            raise ValueError(f"late_of {self.late_of!r} of a late row is its own seq {self.seq!r}")
        return self


def _plus(x: int | None, y: int | None) -> int | None:
    return x if y is None else y if x is None else x + y


def _name(block: Block) -> str:
    return f"{block.signal!r} of the {block.arm} ({block.segment})"
