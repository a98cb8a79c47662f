"""What the assessments of one trace say for one signal, and which judges said it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

from adapters.mlflow_traces import Judge, Trace
from countermand.detection.blocks import Arm
from countermand.detection.sealing import Encode, NotKept
from countermand.playbook.assessments import AssessmentQuery, yes_or_no

#: Outcome, value, category: one of them.
Label = tuple[Literal["ok", "bad"] | None, float | None, str | None]

#: As long as a category of an output may be.
_CATEGORY = 63


class Labelled(NamedTuple):
    """A trace and its label for one signal; without label it is missing, never a pass.

    judges: who labelled it. unfit: why what they said is no label.
    """

    arm: Arm
    trace: Trace
    label: Label | None
    judges: frozenset[Judge]
    unfit: str | None

    @classmethod
    def of(cls, arm: Arm, trace: Trace, kind: str, query: AssessmentQuery, encode: Encode) -> Self:
        """`encode` is that of the signal, of this `kind`."""
        wanted = [
            found
            for found in trace.assessments
            if found.assessment_name == query.assessment
            and found.source.source_type == query.by
            and found.feedback is not None
            and found.valid is not False
        ]
        judges = frozenset(found.judge for found in wanted)
        given = [found.feedback.value for found in wanted if found.feedback and found.feedback.value is not None]
        if not given:
            return cls(arm, trace, None, judges, "judge_failed" if wanted else None)
        try:
            labels = {_label(value, kind, query, encode) for value in given}
        except NotKept as refused:
            return cls(arm, trace, None, judges, refused.code)
        if len(labels) > 1:
            return cls(arm, trace, None, judges, "ambiguous")
        return cls(arm, trace, labels.pop(), judges, None)


class Judges(NamedTuple):
    """Who labelled a block, and who labels now: the newest labelled trace.

    changed: the block has labels of more than one judge, or of another one than the trace before it (SRC-25).
    """

    of_block: frozenset[Judge]
    now: frozenset[Judge]
    changed: bool

    @classmethod
    def of(cls, before: Sequence[Labelled], block: Sequence[Labelled]) -> Self:
        """Both in the order of their request times."""
        former = next((one.judges for one in reversed(before) if one.judges), frozenset())
        of_block = frozenset(judge for one in block for judge in one.judges)
        now = next((one.judges for one in reversed(block) if one.judges), former)
        return cls(of_block, now, changed=bool(of_block) and len(of_block | former) > 1)


def _label(value: object, kind: str, query: AssessmentQuery, encode: Encode) -> Label:
    """The label in a value. Raises NotKept when it is none of this kind of signal."""
    label: Label
    if kind in ("rate", "judgement"):
        answer = yes_or_no(value)
        if answer not in ("yes", "no"):
            raise NotKept("no_label", f"{value!r} is neither yes nor no")
        label = ("bad" if answer == query.bad_when else "ok", None, None)
    elif kind == "categories":
        if not isinstance(value, str) or len(value) > _CATEGORY:
            raise NotKept("no_label", f"{value!r} is no category; accepted is a text of at most {_CATEGORY} characters")
        label = (None, None, value)
    else:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise NotKept("no_label", f"{value!r} is not a number")
        try:
            label = (None, float(value), None)
        except OverflowError:
            raise NotKept("out_of_range", f"{value!r} is too large") from None
    encode(*label)
    return label
