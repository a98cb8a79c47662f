"""When a candidate is certified as healthy, and what cannot be asked for (detection.md §8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from countermand.playbook.combination import Criterion
from countermand.playbook.signals import SignalSpec
from countermand.playbook.terms import Fault, SignalName, Strict
from countermand.playbook.units import Duration, Number, Positive, format_duration, plain

_CERTIFIED = ("rate", "judgement", "score")


class Health(Strict):
    """When a candidate is certified as not worse: positive evidence, not the absence of a trigger."""

    not_worse_than: Annotated[Number, Field(gt=1, le=10)] = Field(
        Decimal(2), description="The multiple of the baseline's bad share that is ruled out."
    )
    not_worse_by: dict[SignalName, Annotated[Number, Field(gt=0)]] = Field(
        default_factory=dict,
        description="For these signals a difference is ruled out, not a multiple: {accuracy: 0.05}.",
    )
    confidence: Annotated[Number, Field(gt=Decimal("0.5"), lt=1)] = Field(
        Decimal("0.95"), description="How sure before it is certified: 0.95."
    )
    required: Annotated[tuple[SignalName, ...], Field(min_length=1)] = Field(
        description="The signals that must all be shown to be healthy."
    )
    min_time: Duration = Field(description="Never certified before this time, for example 30m.")
    time_limit: Positive | None = Field(
        None, description="Without a certificate by then a person decides; default: the length of the watch."
    )


def faults_of(
    health: Health, signals: Mapping[str, SignalSpec], criteria: Iterable[tuple[str, Criterion]]
) -> Iterator[Fault]:
    """What cannot be certified, with paths below `health`. `criteria`: each with the id of its trigger."""
    found = list(criteria)
    for i, name in enumerate(health.required):
        kind = signals[name].kind if name in signals else "unknown"
        if kind not in _CERTIFIED:
            yield ("required", i), f"{name!r} is {kind}; a rate or a score can be certified"
        else:
            yield from _ruled_out(health, name, signals[name], found)
    for name in sorted(health.not_worse_by.keys() - set(health.required)):
        yield ("not_worse_by", name), f"{name!r} is not among the required signals; add it there"
    if health.time_limit is not None and health.time_limit <= health.min_time:
        limit, least = format_duration(health.time_limit), format_duration(health.min_time)
        yield ("time_limit",), f"{limit!r} must be longer than min_time {least}"


def _ruled_out(
    health: Health, name: str, spec: SignalSpec, criteria: Iterable[tuple[str, Criterion]]
) -> Iterator[Fault]:
    """What the certificate rules out must be worse than what a trigger accepts."""
    by = health.not_worse_by.get(name)
    what, bad = ("ratio", health.not_worse_than) if by is None else ("absolute", by)
    place = ("not_worse_than",) if by is None else ("not_worse_by", name)
    low, high = spec.range or (Decimal(0), Decimal(1))
    if by is not None and by >= high - low:
        yield place, f"'{plain(by)}' is the whole range of {name!r} or more; write less"
    for trigger, criterion in criteria:
        tolerated = criterion.tolerate.given.get(what) if criterion.tolerate and criterion.signal == name else None
        if tolerated is not None and tolerated >= bad:
            yield (
                place,
                f"'{plain(bad)}' must exceed the {what} {plain(tolerated)} that trigger {trigger!r} "
                f"tolerates for {name!r}",
            )
