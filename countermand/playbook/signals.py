"""What is measured: kinds of signals, what each kind needs, and how much worse is accepted (detection.md §4)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from countermand.playbook.assessments import AssessmentQuery
from countermand.playbook.queries import SignalQuery
from countermand.playbook.terms import Faults, Name, SignalName, Strict, Text
from countermand.playbook.units import Number, Positive, plain

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,62}$")]

#: Categories are keys of sealed blocks.
Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,63}$")]


#: Labels that hang on traces are named by an `assessment`; everything else is counted. Tags are not of the playbook.
Query = Annotated[
    Annotated[SignalQuery, Tag("[counters]")] | Annotated[AssessmentQuery, Tag("[assessment]")],
    Discriminator(
        lambda value: (
            "[assessment]"
            if isinstance(value, AssessmentQuery) or (isinstance(value, dict) and "assessment" in value)
            else "[counters]"
        )
    ),
]


class SignalFamily(StrEnum):
    """The families of the signal taxonomy."""

    user_experience = "user_experience"
    model_quality = "model_quality"
    operational_health = "operational_health"
    safety = "safety"
    fairness = "fairness"
    cost = "cost"


#: By kind: the keys it must have, and those it may have beyond the ones every kind has.
_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "rate": ({"bad", "expect"}, {"show", "baseline"}),
    "judgement": ({"bad", "expect"}, {"show", "baseline"}),
    "score": ({"bad", "range"}, {"expect", "clipped"}),
    "latency": (set(), {"quantiles", "edges", "measured_in"}),
    "gap": ({"of", "group_by", "groups"}, {"show"}),
    "categories": ({"categories"}, set()),
    "missing": ({"of"}, {"expect", "show"}),
    "alert": ({"alert"}, {"labels"}),
}
_COMMON = {"kind", "family", "meaning", "source", "unit", "min_coverage", "per_minute", "block", "query"}
_COMMON |= {"lag", "weaknesses"}


class SignalSpec(Strict):
    """One measured thing, summed per arm and block. Which keys it takes depends on `kind`."""

    kind: Literal["rate", "judgement", "score", "latency", "gap", "categories", "missing", "alert"] = Field(
        description="`rate`: a share of outputs. `judgement`: the same, labelled by people. `score`: a number in a "
        "declared range. `latency`: a length of time. `gap`: how much worse one group is served than the rest. "
        "`categories`: a mix of topics or types. `missing`: outputs that were due and never scored. `alert`: an alert "
        "of another system that fires about the candidate."
    )
    bad: Literal["higher", "lower"] = Field(
        "higher", description="Which direction is worse: `higher` for failures, `lower` for a share of good outputs."
    )
    expect: Annotated[Number, Field(gt=0)] | None = Field(
        None,
        description="The usual value in the signal's own direction: a share between 0 and 1 (0.03 or 3%), or a score.",
    )
    family: SignalFamily = Field(description="The family of the signal taxonomy it belongs to.")
    meaning: Text = Field(description="What is counted, in words a release manager understands.")
    source: Name = Field(description="The source that labels outputs, as named in the source settings.")
    lag: Text | None = Field(
        None, description="How long after an output its label arrives; not needed for signals of the taxonomy."
    )
    weaknesses: Text | None = Field(
        None, description="What it does not see, and what moves it without harm; not needed for those of the taxonomy."
    )
    unit: Name = Field("output", description="What one label is about: output, session, task, record, image …")
    show: Literal["percent", "per_10000"] = Field("percent", description="How people see the share.")
    min_coverage: Annotated[Number, Field(gt=0, le=1)] = Field(
        Decimal("0.8"),
        description="Share of due outputs that must be labelled; below it the block is unknown.",
    )
    baseline: Literal["concurrent", "none"] = Field(
        "concurrent",
        description="`none`: no traffic stays on the current version; compared with its past weeks instead.",
    )
    per_minute: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None,
        description="Outputs scored per minute and arm, if known: `playbook check` says what it cannot find.",
    )
    block: Positive | None = Field(
        None, description="A longer block of its own for few labels, a multiple of `detection.block`: 10m."
    )
    query: Query | None = Field(
        None, description="What a source that is asked is asked for: counters, or labels; sources that push need none."
    )
    range: tuple[Number, Number] | None = Field(None, description="Lowest and highest possible score: [0, 1].")
    clipped: bool = Field(False, description="Scores outside the range are cut to it; verdicts then say so.")
    quantiles: Annotated[tuple[Annotated[Number, Field(gt=0, lt=1)], ...], Field(min_length=1, max_length=5)] = Field(
        (Decimal("0.5"), Decimal("0.9"), Decimal("0.99")), description="Which quantiles of the latency are compared."
    )
    edges: Annotated[tuple[Annotated[Number, Field(gt=0)], ...], Field(min_length=2, max_length=400)] | None = Field(
        None, description="Upper edges of the latency buckets, ascending; without them edge k is 1.05^k."
    )
    measured_in: Name = Field("ms", description="Unit of the latency.")
    of: SignalName | None = Field(None, description="The signal whose groups or missing outputs are counted.")
    group_by: Name | None = Field(None, description="The segment key whose groups are compared: language, region …")
    groups: Annotated[tuple[Label, ...], Field(min_length=1, max_length=8)] | None = Field(
        None, description="The groups, each compared with everybody else."
    )
    categories: Annotated[tuple[Category, ...], Field(min_length=1, max_length=29)] | None = Field(
        None, description="The categories; whatever is none of them counts as `other`."
    )
    alert: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="The name of the alert that is counted: HighErrorRate."
    )
    labels: Annotated[dict[str, str], Field(max_length=20)] | None = Field(
        None, description="Only alerts that carry these labels: {severity: page}."
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needs, may = _KEYS[self.kind]
        faults = Faults()
        # A playbook that was stored and read again states its defaults too.
        fields = type(self).model_fields
        given = {name for name in self.model_fields_set if getattr(self, name) != fields[name].get_default()}
        for name in sorted(needs - given - (self.model_fields_set & {"bad"})):
            description = fields[name].description or ""
            faults.add(f"{name!r} is missing ({description[:1].lower()}{description[1:].rstrip('.')})", name)
        for name in sorted(given - needs - may - _COMMON):
            takes = ", ".join(sorted(needs | may))
            faults.add(f"{name!r} does not belong to a signal of kind {self.kind}; it takes {takes}", name)
        self._check_values(faults)
        self._check_query(faults)
        faults.refuse()
        return self

    def _check_query(self, faults: Faults) -> None:
        if self.query is None:
            return
        if (why := self.query.misfit(self.kind)) is not None:
            faults.add(why, "query")
        if not isinstance(self.query, SignalQuery):
            return
        if self.kind == "latency" and self.edges is None:
            faults.add("a histogram is read by its buckets: `edges` must list every `le` of it but +Inf", "query")
        if self.kind == "score" and self.range is not None and self.range[0] < 0:
            low = plain(self.range[0])
            faults.add(
                f"scores below 0 ({low} is possible) make a sum that is no counter; export them shifted", "query"
            )
        if self.clipped:
            faults.add("scores that come as sums cannot be clipped here; clip them where they are counted", "clipped")

    def _check_values(self, faults: Faults) -> None:
        if self.range is not None and self.range[0] >= self.range[1]:
            faults.add(f"the range {[plain(end) for end in self.range]!r} is empty; write [lowest, highest]", "range")
        low, high = self.range or (Decimal(0), Decimal(1))
        if self.expect is not None and not low < self.expect < high:
            size = "small; write more" if self.expect <= low else "large; write less"
            limit = plain(low if self.expect <= low else high)
            faults.add(f"'{plain(self.expect)}' is too {size} than {limit}", "expect")
        for name in ("edges", "quantiles"):
            values = getattr(self, name) or ()
            if any(x >= y for x, y in pairwise(values)):
                faults.add(f"{[plain(value) for value in values]!r} are not ascending", name)


class Tolerance(Strict):
    """How much worse than the baseline is accepted; ratio and absolute add up. Which keys fit depends on the kind."""

    ratio: Annotated[Number, Field(ge=Decimal("0.25"), le=10)] | None = Field(
        None, description="Accepted multiple of the baseline's bad share: 1.2 = up to 20 % worse."
    )
    absolute: Annotated[Number, Field(ge=0)] | None = Field(
        None, description="Accepted difference: 0.01 of a share = one percentage point worse; of a score in its units."
    )
    relative: Annotated[Number, Field(ge=0, lt=1)] | None = Field(
        None, description="Accepted part of the good share or of the score that may be lost: 5%."
    )
    slower_by: Annotated[Number, Field(ge=0, le=10)] | None = Field(
        None, description="For latency: how much slower is accepted, 10%."
    )
    size: Annotated[Number, Field(gt=0, le=10)] | None = Field(
        None, description="For categories: the population stability index above which a change of the mix matters, 0.1."
    )

    @property
    def given(self) -> dict[str, Decimal]:
        """What was written, by name."""
        return {name: value for name in Tolerance.model_fields if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not self.given:
            raise ValueError(
                "tolerate needs `ratio` (1.2 = up to 20 % worse) or `absolute` (0.01 = one point worse); "
                "by kind also relative, slower_by or size"
            )
        return self


def misfit(spec: SignalSpec, tolerate: Tolerance, values: SignalSpec) -> str | None:
    """Why a tolerance cannot be used with a signal; None when it can. `values`: what a gap compares, else `spec`."""
    if spec.kind == "alert":
        return "an alert fires or does not and is compared with nothing; write rule: {firing: {for: 2m}} instead"
    given = set(tolerate.given)
    accepted: dict[str, tuple[set[str], ...]] = {
        "rate": ({"ratio", "absolute"}, {"relative"}) if spec.bad == "lower" else ({"ratio", "absolute"},),
        "missing": ({"ratio", "absolute"},),
        "score": ({"absolute"}, {"relative"}),
        "latency": ({"slower_by"}, {"ratio"}),
        "gap": ({"absolute"},),
        "categories": ({"size"},),
    }
    forms = accepted["rate" if spec.kind == "judgement" else spec.kind]
    if not any(given <= form for form in forms):
        said = " and ".join(sorted(given))
        takes = " or ".join(" and ".join(sorted(form)) for form in forms)
        return f"{said} does not fit a signal of kind {spec.kind} whose worse direction is {spec.bad}; it takes {takes}"
    if values.kind == "score":
        low, high = values.range or (Decimal(0), Decimal(1))
        if tolerate.relative is not None and low < 0:
            return f"relative needs scores that are never negative; the range begins at {plain(low)}: write absolute"
        if tolerate.absolute is not None and tolerate.absolute >= high - low:
            return f"'{plain(tolerate.absolute)}' is the whole range or more: this can never fire"
    elif tolerate.absolute is not None and tolerate.absolute > Decimal("0.5"):
        return f"'{plain(tolerate.absolute)}' is too large; write 0.5 or less"
    return None
