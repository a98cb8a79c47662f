"""What sources deliver, and the ports that take it in (sources.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol, Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from countermand.detection.blocks import Arm, Block, BlockState, Category, Count, Row
from countermand.governance.gating import Trust
from countermand.plan.model import Release
from countermand.plan.target import Value
from countermand.playbook.signals import SignalSpec

#: Ids of other systems; control characters are refused because not every database can store them.
ForeignId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
SignalId = Annotated[str, Field(min_length=1, max_length=63)]
GroupKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,62}$")]

RejectCode = Literal[
    "unknown_release",
    "unknown_arm",
    "unknown_signal",
    "wrong_source",
    "wrong_kind",
    "not_finite",
    "out_of_range",
    "inconsistent",
    "future",
    "too_old",
    "duplicate_id_other_value",
    "bool_as_number",
    "too_long",
    "schema",
    "release_closed",
]


#: The source under which what people say is counted. Nobody proves more than one opinion with it.
PEOPLE = "people"

#: (release id, environment) → may this credential write to it?
May = Callable[[str, str], bool]


class LabelledOutput(Value):
    """One scored output. By kind of signal it has an `outcome` (rates, people's labels), a `value` (scores in their own
    units, latencies) or a `category`; with none of them it was served but not labelled: missing, never a pass.

    `groups`: which group it belongs to, by key (`{"language": "de"}`); keys no gap signal compares are not kept.
    """

    # Numbers are numbers: true, "1" and NaN are refused.
    model_config = ConfigDict(strict=True)

    observation_id: ForeignId
    release_id: ForeignId
    arm: Annotated[Arm, Field(strict=False)]
    signal: SignalId
    event_time: Annotated[AwareDatetime, Field(strict=False)]
    outcome: Literal["ok", "bad"] | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    category: Annotated[str, Field(max_length=63)] | None = None
    groups: Annotated[dict[GroupKey, Group], Field(max_length=16)] | None = None


class CountedBlock(Value):
    """Sums that a source made itself, of one signal, arm and segment from `start` on; they join the block that holds
    `start`. What each sum means stands at `Block`.

    state, reason: only sources that this program asks say `unknown`, with the reason of sources.md §2.
    evidence: digest of what was asked and answered. supersedes: replaces what the source said before about the same
    start, until the block is sealed.
    """

    model_config = ConfigDict(strict=True)

    release_id: ForeignId
    arm: Annotated[Arm, Field(strict=False)]
    signal: SignalId
    segment: Annotated[str, Field(max_length=127)] = "all"
    start: Annotated[AwareDatetime, Field(strict=False)]
    state: Annotated[BlockState, Field(strict=False)] = BlockState.ok
    reason: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")] | None = None
    served: Count
    scored: Count
    bad: Count = 0
    sum: Count | None = None
    sumsq: Count | None = None
    hist: dict[Annotated[int, Field(ge=0, le=10_000)], Count] = Field(default_factory=dict, max_length=500)
    counts: dict[Category, Count] = Field(default_factory=dict, max_length=40)
    evidence: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    supersedes: bool = False

    def block(self) -> Block:
        """As a block. Raises ValueError when the sums contradict each other."""
        shared = (set(Block.model_fields) & set(type(self).model_fields)) - {"evidence"}
        return Block(**{name: getattr(self, name) for name in shared})

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        self.block()
        return self


class ExternalEvent(Value):
    """Something outside that may explain a change: a campaign, a holiday, an outage. Shown, never judged.

    `release_id` None: every release that is watched at that time.
    """

    event_id: ForeignId
    release_id: ForeignId | None = None
    begins: AwareDatetime
    ends: AwareDatetime | None = None
    what: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Rejected(Value):
    """Why one item of a batch was not stored. `index` counts within `part` of the batch."""

    index: int
    code: RejectCode
    detail: str
    part: Literal["items", "counts", "events"] = "items"


class BatchAnswer(Value):
    """What happened to a batch; `accepted` includes late items, which are kept and marked."""

    batch_id: str
    accepted: int
    duplicates: int
    late: int
    rejected: tuple[Rejected, ...]


class Batch(Value):
    """What a source delivers at once. `rejected`: items that were refused before they became values."""

    batch_id: ForeignId
    body_sha256: str
    items: tuple[LabelledOutput, ...] = ()
    counts: tuple[CountedBlock, ...] = ()
    events: tuple[ExternalEvent, ...] = ()
    rejected: tuple[Rejected, ...] = ()


class BatchConflict(Exception):
    """The same batch id with another body."""


class SignalStore(Protocol):
    """What sources deliver in, sealed blocks out."""

    async def add(self, source_id: str, batch: Batch, now: datetime, *, may: May) -> BatchAnswer:
        """Store a batch durably, whole or not at all; the same batch again returns the first answer.

        `may`: whether its credential reaches a release. Raises BatchConflict when the batch id is
        known with another body.
        """
        ...

    async def seal(
        self, release_id: str, *, signals: Mapping[str, SignalSpec], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        """Seal every block that ends at or before `until` and is not sealed yet; returns the new rows in order.

        Row `seq` counts blocks since `start`. Blocks without any output are sealed as unknown(no_traffic). A row of
        late samples follows the row after which it was closed.
        """
        ...

    async def sealed(self, release_id: str) -> int:
        """How many rows are sealed: the `seq` of the next one."""
        ...

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        """Sealed rows in the order in which they are judged; `after_seq` and `limit` count rows that are not late."""
        ...

    async def put_evaluations(self, release_id: str, records: Mapping[int, dict[str, object]]) -> None:
        """Keep what was judged, by row `seq` (one statement; known rows stay as they are); pages draw from it."""
        ...

    async def evaluations(
        self, release_id: str, *, after_seq: int = -1, limit: int = 100_000
    ) -> list[tuple[int, dict[str, object]]]:
        """(row `seq`, what was kept of its judgement) in order."""
        ...

    async def newest_evaluations(
        self, release_ids: Sequence[str] | None = None
    ) -> dict[str, tuple[int, dict[str, object]]]:
        """The newest judged row of these releases (None: of all that are still watched), by release id."""
        ...


# --- sources that are asked -----------------------------------------------------------------------------------


class PullRequest(Value):
    """What a source is asked for: one block of both arms, for the signals of the playbook that name it."""

    release: Release
    signals: dict[str, SignalSpec]
    start: AwareDatetime
    end: AwareDatetime


class Pulled(Value):
    """What a source answered. A block it could not answer for is a CountedBlock that is unknown, with its reason."""

    items: tuple[LabelledOutput, ...] = ()
    counts: tuple[CountedBlock, ...] = ()


class PullSource(Protocol):
    """A source that is asked for each block when it is due, by Prometheus-like or trace-like systems."""

    async def pull(self, request: PullRequest) -> Pulled:
        """Answers within the seconds its settings allow. Never raises for what the source does or fails to do: that is
        an unknown block (sources.md §2)."""
        ...


class PullSources(Protocol):
    """Sources by the name that playbooks use."""

    def __call__(self, name: str) -> PullSource | None:
        """None for a source that pushes."""
        ...


class SourceTrust(Protocol):
    """What the settings say about a source, by the name that playbooks use."""

    def __call__(self, name: str) -> Trust: ...
