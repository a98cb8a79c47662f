"""Threshold rules that teams already run; they carry no bound on false alarms (detection.md §6)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from countermand.playbook.terms import Strict
from countermand.playbook.units import Duration, Number, Positive

Span = tuple[tuple[str | int, ...], timedelta]


class Outside(Strict):
    """One side on which the candidate's value is outside."""

    above: Annotated[Number, Field(ge=0, lt=1)] | None = Field(None, description="Outside above this share.")
    below: Annotated[Number, Field(gt=0, le=1)] | None = Field(None, description="Outside below this share.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of `above` and `below` is needed")
        return self


class Bound(Outside):
    """Breached when the candidate's value over `window` is outside during every block of `for`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    window: Positive = Field(description="The span over which the share is taken, for example 5m.")
    hold_for: Duration = Field(alias="for", description="How long it must stay outside, for example 10m.")

    @property
    def spans(self) -> tuple[Span, ...]:
        return (("window",), self.window), (("for",), self.hold_for)


class FailureLimit(Outside):
    """Breached when more than `limit` measurements, one per `interval`, were outside the bound."""

    interval: Positive = Field(description="One measurement per interval, for example 5m.")
    limit: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        description="How many failures are still accepted."
    )
    count: Literal["cumulative", "consecutive"] = Field(
        "cumulative",
        description="`cumulative` counts all failures of the watch, `consecutive` those in a row.",
    )

    @property
    def spans(self) -> tuple[Span, ...]:
        return ((("interval",), self.interval),)


class FailedChecks(Outside):
    """Breached when `threshold` checks, one per `interval`, were outside; never reset."""

    interval: Positive = Field(description="One check per interval, for example 1m.")
    threshold: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        description="How many failed checks are too many."
    )

    @property
    def spans(self) -> tuple[Span, ...]:
        return ((("interval",), self.interval),)


class NOfM(Outside):
    """Breached when n of the last m blocks were outside."""

    n: Annotated[int, Field(ge=1, le=60, strict=True)] = Field(description="How many blocks outside.")
    m: Annotated[int, Field(ge=1, le=60, strict=True)] = Field(description="Of how many blocks.")

    @property
    def spans(self) -> tuple[Span, ...]:
        return ()

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.n > self.m:
            raise ValueError(f"{self.n} of {self.m} blocks can never be outside; write n up to m")
        return self


class Burn(Strict):
    """A long and a short window that must both burn the budget faster than `factor`."""

    long: Positive = Field(description="The long window, for example 1h.")
    short: Positive = Field(description="The short window, for example 5m.")
    factor: Annotated[Number, Field(gt=0)] = Field(description="How many times faster than the budget allows: 14.4.")


class BurnRate(Strict):
    """Breached when in one pair both windows burn the error budget too fast (SRE workbook, alerting on SLOs)."""

    budget: Annotated[Number, Field(gt=0, lt=1)] = Field(description="Accepted share of bad outputs: 0.001.")
    pairs: Annotated[tuple[Burn, ...], Field(min_length=1, max_length=4)] = Field(description="Pairs of windows.")

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(
            (("pairs", i, name), getattr(pair, name)) for i, pair in enumerate(self.pairs) for name in ("long", "short")
        )


class TimesBaseline(Strict):
    """Breached when the bad share over `window` exceeded `ratio` × the baseline's more than `limit` times."""

    ratio: Annotated[Number, Field(gt=0, le=100)] = Field(description="Accepted multiple of the baseline: 2.")
    window: Positive = Field(description="The span over which both shares are taken, for example 10m.")
    interval: Positive = Field(description="One measurement per interval, for example 10m.")
    limit: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        description="How many failures are still accepted."
    )

    @property
    def spans(self) -> tuple[Span, ...]:
        return (("window",), self.window), (("interval",), self.interval)


class Firing(Strict):
    """Breached when the alert fired for the candidate during every block of `for`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    hold_for: Duration = Field(
        timedelta(0), alias="for", description="How long it must fire, for example 2m; default one block."
    )

    @property
    def spans(self) -> tuple[Span, ...]:
        return ((("for",), self.hold_for),)


Form = Bound | FailureLimit | FailedChecks | NOfM | BurnRate | TimesBaseline | Firing


class ThresholdRule(Strict):
    """A rule teams already run; it carries no bound on false alarms and its verdicts say so."""

    bound: Bound | None = Field(None, description="An alert with a `for:` time.")
    failure_limit: FailureLimit | None = Field(None, description="More failed measurements than accepted.")
    failed_checks: FailedChecks | None = Field(None, description="A number of failed checks, never reset.")
    n_of_m: NOfM | None = Field(None, description="n of the last m blocks outside.")
    burn_rate: BurnRate | None = Field(None, description="The error budget burns too fast in two windows.")
    times_baseline: TimesBaseline | None = Field(None, description="A multiple of the baseline, measured in windows.")
    firing: Firing | None = Field(None, description="An alert of your monitoring fires, for signals of kind alert.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(getattr(self, name) is not None for name in ThresholdRule.model_fields) != 1:
            names = ", ".join(f"`{name}`" for name in ThresholdRule.model_fields)
            raise ValueError(f"a rule has exactly one of {names}")
        return self

    @property
    def form(self) -> Form:
        """The one form that was written."""
        written: list[Form | None] = [getattr(self, name) for name in ThresholdRule.model_fields]
        return next(form for form in written if form is not None)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Its durations, each with its place below the rule; all are whole numbers of blocks."""
        name = next(name for name in ThresholdRule.model_fields if getattr(self, name) is not None)
        return tuple(((name, *place), span) for place, span in self.form.spans)


def limit_of(rule: Outside) -> tuple[Literal["above", "below"], Decimal]:
    """On which side of which share the value is outside."""
    if rule.above is not None:
        return "above", rule.above
    return "below", rule.below or Decimal(0)
