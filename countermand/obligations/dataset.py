"""The obligation rows as data: closed models, loaded with errors that name file, row, value and what is accepted.

`obligations.yaml` is shipped; an organisation's own copy replaces it. Nothing here is legal advice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from countermand.canonical import digest
from countermand.obligations.due import Due, MinOf, Relative
from countermand.obligations.predicates import Predicate
from countermand.playbook.terms import Faults, Strict, repeated

LegalStatus = Literal[
    "in_force",
    "in_force_scope_uncertain",
    "voluntary_code",
    "future",
    "pending",
    "repealed",
    "internal",
    "user_supplied",
]
#: Shown and never computed (OBL-6).
NEVER_COMPUTED = ("pending", "repealed")
Confidence = Literal["wording_seen", "secondary", "unverified", "own_policy"]
Counting = Literal["eu_1182_71", "strict", "calendar_days", "business_days", "dora_art5", "dora_art5_final", "none"]
RowId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
WarnAt = Annotated[str, Field(pattern=r"^([1-9][0-9]?%|-[1-9][0-9]*[mhd])$")]

FILE = "obligations.yaml"
#: When the organisation's own service levels warn, where their row says nothing: they are many, and short.
OWN_WARN_AT = ("80%",)
#: So long before a row counts as unchecked people are asked to check it (OBL-7).
RECHECK_BEFORE = timedelta(days=30)


class DatasetInvalid(ValueError):
    """A dataset that cannot be used; the message names file, row, value and what is accepted."""


class Row(Strict):
    """One reminder. `anchor` is the event that it counts from; `chained_on` a report that has to be filed before.

    starts_later: the trigger does not say that the anchor's event happened (a corrective measure comes later).
    """

    id: RowId
    regime: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
    title: Words
    citation: Words
    source_url: str | None
    paraphrase: Words
    period_quote: Words | None
    scope: Predicate
    trigger: Predicate
    group: str | None = None
    precedence: int | None = None
    anchor: Annotated[str, Field(pattern=r"^(none|[a-z_]+\.[a-z0-9_]+)$")]
    starts_later: bool = False
    due: Due
    counting: Counting
    chained_on: str | None
    allows_partial: bool = False
    evidence_hold: bool = False
    tolling: tuple[str, ...] = ()
    audience: Words
    template: Words
    owner_role: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
    warn_at: tuple[WarnAt, ...] = ()
    legal_status: LegalStatus
    effective_from: date | None
    effective_until: date | None = None
    retrieved_on: date
    recheck_by: date
    confidence: Confidence
    unverified_fields: tuple[str, ...] = ()
    note: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The row as plain data, as it is kept with a clock."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def sha256(self) -> str:
        """Digest of the row as it is now (OBL-1)."""
        return digest(self.plain)

    @property
    def internal(self) -> bool:
        """A service level of the organisation, not law."""
        return self.legal_status == "internal"

    @property
    def needs_hours(self) -> bool:
        """Whether a bare date is not enough of an anchor (OBL-18)."""
        due = self.due
        return isinstance(due, MinOf) or due.kind in ("seconds", "minutes", "hours", "immediately", "repeat")


class Group(Strict):
    rule: Literal["exactly_one"]
    choose: Literal["shortest_applicable"]
    on_reclassification: Literal["rebase_keep_history"]


class TollMax(Strict):
    """The longest delay a rule allows; `days` one after the other."""

    oral_days: Annotated[int, Field(ge=1)] | None = None
    days: tuple[Annotated[int, Field(ge=1)], ...] = ()
    business_days: Annotated[int, Field(ge=1)] | None = None


class TollRule(Strict):
    """`max: null`: a notice beside the clock, which moves nothing."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    citation: Words
    paraphrase: Words
    max: TollMax | None
    confidence: Confidence


class Constraint(Strict):
    """A duty without a clock that gates something."""

    id: RowId
    citation: Words
    effect: Literal[
        "evidence_hold",
        "target_ineligible_if_false",
        "target_ineligible_if_true",
        "target_needs_second_approver_if_false",
    ]
    while_: Words | None = Field(default=None, alias="while")
    check: str | None = None
    effective_from: date | None = None
    paraphrase: Words
    legal_status: LegalStatus
    confidence: Confidence


class Keep(Strict):
    years: Annotated[int, Field(ge=1)] | None = None
    months: Annotated[int, Field(ge=1)] | None = None
    days: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.years, self.months, self.days)) != 1:
            raise ValueError("exactly one of years, months and days is accepted")
        return self


class RetentionClass(Strict):
    id: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    keep: Keep
    purge: Words
    reason: Words


class Defaults(Strict):
    warn_at: tuple[WarnAt, ...]
    owner_role: str


class Dataset(Strict):
    """All rows with their rules. Raises Misfit when they do not fit together."""

    schema_version: Literal[1]
    dataset: Words
    dataset_version: Annotated[int, Field(ge=1)]
    as_of: date
    disclaimer: Words
    defaults: Defaults
    groups: dict[str, Group]
    obligations: tuple[Row, ...]
    tolling_rules: tuple[TollRule, ...]
    constraints: tuple[Constraint, ...]
    retention_classes: tuple[RetentionClass, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        faults = Faults()
        known = [row.id for row in self.obligations]
        rules = [rule.id for rule in self.tolling_rules]
        for index in repeated(known):
            faults.add(f"{known[index]!r} stands twice; write every id once", "obligations", index, "id")
        for index, row in enumerate(self.obligations):
            if row.group is not None and row.group not in self.groups:
                faults.add(f"{row.group!r} is not among {sorted(self.groups)}", "obligations", index, "group")
            named = [row.chained_on] if row.chained_on else []
            named += [row.due.obligation] if isinstance(row.due, Relative) else []
            for name in named:
                if name not in known and name.removeprefix("group:") not in self.groups:
                    faults.add(f"{name!r} is no row and no group of this file", "obligations", index)
            for rule in row.tolling:
                if rule not in rules:
                    faults.add(f"{rule!r} is not among {rules}", "obligations", index, "tolling")
        faults.refuse()
        return self

    @cached_property
    def by_id(self) -> Mapping[str, Row]:
        return {row.id: row for row in self.obligations}

    @property
    def sha256(self) -> str:
        plain = self.model_dump(mode="json", by_alias=True)
        return digest(plain | {"groups": sorted(plain["groups"].items())})

    @property
    def regimes(self) -> tuple[str, ...]:
        """Regimes that people decide on, in the order of the file; service levels of the organisation are none."""
        return tuple(dict.fromkeys(row.regime for row in self.obligations if not row.internal))

    def warn_at(self, row: Row) -> tuple[str, ...]:
        return row.warn_at or (OWN_WARN_AT if row.internal else self.defaults.warn_at)

    def rows_changed(self, other: Dataset) -> tuple[str, ...]:
        """Ids of rows that say something else there, or stand in one of the two only."""
        ids = sorted({*self.by_id, *other.by_id})
        return tuple(one for one in ids if self.by_id.get(one) != other.by_id.get(one))

    def unchecked(self, on: date) -> tuple[Row, ...]:
        """Rows that should have been checked again by that day, the longest waiting first (OBL-7)."""
        return tuple(sorted((row for row in self.obligations if row.recheck_by < on), key=lambda row: row.recheck_by))

    def toll_rule(self, rule: str) -> TollRule:
        """Raises KeyError."""
        return next((one for one in self.tolling_rules if one.id == rule), None) or _unknown_rule(rule)


def _unknown_rule(rule: str) -> TollRule:
    raise KeyError(rule)


@cache
def shipped() -> Dataset:
    """The dataset that comes with the product."""
    return parse(files("countermand.obligations").joinpath(FILE).read_text("utf-8"), FILE)


def parse(text: str, name: str) -> Dataset:
    """The dataset in a YAML text. Raises DatasetInvalid; `name` is the file people have to change."""
    try:
        plain = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise DatasetInvalid(f"{name}: not readable as YAML: {error}") from error
    try:
        return Dataset.model_validate(plain)
    except ValidationError as error:
        raise DatasetInvalid("\n".join(_fault(name, plain, one) for one in error.errors()[:20])) from error


def _fault(name: str, plain: Any, error: Any) -> str:
    """One misfit with the id of its row. Which union member was tried is no word for people."""
    place = error["loc"]
    where = "/".join(str(part) for part in place)
    if len(place) > 1 and isinstance(place[1], int):
        row = plain[place[0]][place[1]]
        rest = "/".join(str(part) for part in place[2:])
        where = f"{place[0]}: row {row.get('id', place[1])!r}{f', {rest}' if rest else ''}"
    return f"{name}: {where}: {error['msg']} (got {error.get('input')!r:.80})"
