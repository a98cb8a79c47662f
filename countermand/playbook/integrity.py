"""Checks of the destination and of the data, and when they run. Each kind is a small model with its own parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from countermand.playbook.data_questions import Get, Query, Table, named
from countermand.playbook.terms import Faults, Misfit, Name, Strict, Text, repeated
from countermand.playbook.units import Number, Positive


class _Check(Strict):
    """A test that is run by name."""

    id: Name = Field(description="Name by which `before`, `between` and `after` call it.")
    meaning: Text = Field(description="What a pass says, in plain words.")

    @model_validator(mode="before")
    @classmethod
    def _as_recorded(cls, given: Any) -> Any:
        # Records from before each kind had its own parameters hold this one everywhere, empty.
        if isinstance(given, dict) and given.get("max_error_rate", "") is None:
            return {key: value for key, value in given.items() if key != "max_error_rate"}
        return given


class DestinationHealthy(_Check):
    """The version that users return to answers and is healthy."""

    kind: Literal["destination_healthy"] = Field(description="What is tested.")


class DigestServed(_Check):
    """The destination serves exactly the version that was approved."""

    kind: Literal["digest_served"] = Field(description="What is tested.")


class ErrorRate(_Check):
    """Requests do not fail while users move."""

    kind: Literal["error_rate"] = Field(description="What is tested.")
    max_error_rate: Annotated[Number, Field(ge=0, le=1)] = Field(
        description="Highest accepted share of failed requests, for example 2%."
    )


class _OfData(_Check):
    """A test that asks a data source one question."""

    source: Name = Field(description="The data source, as named in the data-sources file.")
    query: Query | None = Field(None, description="One SELECT, for a source that speaks SQL.")
    get: Get | None = Field(None, description="One GET, for a source that speaks HTTP and JSON.")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.query is None) == (self.get is None):
            raise Misfit((("source",), "what is the source asked? write either `query` or `get`"))
        return self

    @property
    def compares(self) -> bool:
        """Whether it compares with what was measured before the first stage."""
        return False


class IndexVersion(_OfData):
    """The loaded search index is the one of the version that users return to."""

    kind: Literal["index_version"] = Field(description="What is tested.")
    embedding_model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="The embedding model that the index must have been built with."
    )


class SqlInvariant(_OfData):
    """A query that must return no rows, or one number within bounds."""

    kind: Literal["sql_invariant"] = Field(description="What is tested.")
    at_most: Number | None = Field(None, description="Highest accepted number; without any bound, no row may come.")
    at_least: Number | None = Field(None, description="Lowest accepted number.")
    equals: Number | None = Field(None, description="The only accepted number.")

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.query is None:
            raise Misfit((("get",), "a check of kind sql_invariant takes a `query`; `get` belongs to other kinds"))
        if self.equals is not None and (self.at_most is not None or self.at_least is not None):
            raise Misfit((("equals",), "`equals` stands alone; leave out `at_most` and `at_least`, or write only them"))
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise Misfit((("at_least",), f"at_least {self.at_least} is more than at_most {self.at_most}"))
        return self


class RowCounts(_OfData):
    """Tables keep their rows: counted before the first stage, and compared from then on."""

    kind: Literal["row_counts"] = Field(description="What is tested.")
    tables: tuple[Table, ...] = Field((), description="Tables to count; or a `query` or `get` that gives the counts.")
    may_grow: Annotated[bool, Field(strict=True)] = Field(description="Whether new rows are accepted.")
    may_shrink_by: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="How many rows fewer are accepted, per table."
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [bool(self.tables), self.query is not None, self.get is not None]
        if sum(given) != 1:
            raise Misfit((("source",), "what is counted? write one of `tables`, `query` and `get`"))
        if again := repeated(self.tables):
            raise Misfit((("tables", again[0]), f"{self.tables[again[0]]!r} is listed before; list each table once"))
        return self

    @property
    def compares(self) -> bool:
        return True


class Checksum(_OfData):
    """Rows stay exactly as they were before the first stage."""

    kind: Literal["checksum"] = Field(description="What is tested.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.query is not None and "order by" not in " ".join(self.query.lower().split()):
            raise Misfit((("query",), "without ORDER BY the same rows may come in another order; add one"))
        return self

    @property
    def compares(self) -> bool:
        return True


class Drained(_OfData):
    """Something of the bad version runs dry: conversations in flight, entries in a cache."""

    kind: Literal["drained"] = Field(description="What is tested.")
    at_most: Annotated[Number, Field(ge=0)] = Field(description="How much may be left.")
    time_limit: Positive = Field(description="How long it is waited for, within the stage's own time limit.")


class Dispositions(_OfData):
    """Everything that the bad version wrote is marked with what becomes of it: keep, quarantine, purge, reprocess.

    The question gives `id`, `kind` and `disposition` of every row that carries the candidate's digest.
    """

    kind: Literal["dispositions"] = Field(description="What is tested.")

    @model_validator(mode="after")
    def _of_the_candidate(self) -> Self:
        asked = named(self.query or "") if self.get is None else list(self.get.parameters.values())
        if not any(name.startswith("candidate_") for name in asked):
            where = "query" if self.get is None else "get"
            raise Misfit(((where,), "it asks for the rows of every version; name the bad one: :candidate_digest"))
        return self


TargetCheck = DestinationHealthy | DigestServed | ErrorRate
DataCheck = IndexVersion | SqlInvariant | RowCounts | Checksum | Drained | Dispositions


def _kind(given: Any) -> str | None:
    """In brackets, so that the place of an error is a place in the playbook."""
    kind = given.get("kind") if isinstance(given, dict) else getattr(given, "kind", None)
    return None if kind is None else f"[{kind}]"


Check = Annotated[
    Annotated[DestinationHealthy, Tag("[destination_healthy]")]
    | Annotated[DigestServed, Tag("[digest_served]")]
    | Annotated[ErrorRate, Tag("[error_rate]")]
    | Annotated[IndexVersion, Tag("[index_version]")]
    | Annotated[SqlInvariant, Tag("[sql_invariant]")]
    | Annotated[RowCounts, Tag("[row_counts]")]
    | Annotated[Checksum, Tag("[checksum]")]
    | Annotated[Drained, Tag("[drained]")]
    | Annotated[Dispositions, Tag("[dispositions]")],
    Discriminator(_kind),
]


class DataIntegrity(Strict):
    """Which checks run before the first stage, between stages and after the last."""

    checks: Annotated[tuple[Check, ...], Field(min_length=1)] = Field(description="The checks, defined once.")
    before: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Ids run before the first stage.")
    between: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Ids run between stages.")
    after: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Ids run after the last stage.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        ids = [check.id for check in self.checks]
        faults = Faults()
        for i in repeated(ids):
            faults.add(f"check id {ids[i]!r} is used before; ids must differ", "checks", i, "id")
        for phase in ("before", "between", "after"):
            for i, name in enumerate(getattr(self, phase)):
                if name not in ids:
                    known = ", ".join(sorted(set(ids)))
                    faults.add(f"{phase} names unknown check {name!r}; defined are {known}", phase, i)
        comparing = {check.id for check in self.checks if isinstance(check, DataCheck) and check.compares}
        for phase in ("between", "after"):
            for i, name in enumerate(getattr(self, phase)):
                if name in comparing.difference(self.before):
                    faults.add(
                        f"{name!r} compares with what was measured before the first stage; list it in `before` too",
                        *(phase, i),
                    )
        faults.refuse()
        return self

    def named(self, phase: Literal["before", "between", "after"]) -> tuple[Check, ...]:
        by_id = {check.id: check for check in self.checks}
        return tuple(by_id[name] for name in getattr(self, phase))
