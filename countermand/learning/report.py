"""What a backtest found, current and proposed version side by side (LRN-9). Its digest is the backtest digest.

It holds no floats: rates are decimal strings, lengths are whole seconds, so that its canonical bytes are the same
everywhere.
"""

from __future__ import annotations

from typing import Literal

from countermand.canonical import digest
from countermand.learning.episode import EpisodeKind, EpisodeSource, Utc
from countermand.plan.target import Value


class Carrier(Value):
    """A signal whose evidence was there when a trigger fired; odds are None where a fixed limit decided."""

    trigger: str
    signal: str
    odds: str | None


class Fired(Value):
    """What one version would have done in an incident.

    at: end of the block at which it would have fired, None if it would have missed it. after_actual_s: seconds after
    the live watch fired, below 0 is earlier; after_harm_s: seconds after harm began. unknown_rows: blocks up to then
    at which the verdict was unknown. false_alarms: alarms before harm began; they are no catch.
    """

    at: Utc | None
    triggers: tuple[str, ...] = ()
    carried_by: tuple[Carrier, ...] = ()
    after_actual_s: int | None = None
    after_harm_s: int | None = None
    unknown_rows: int = 0
    false_alarms: tuple[Utc, ...] = ()


class BadServed(Value):
    """Outputs of one signal that were bad on the candidate from the start of harm until each version would fire.

    `at_least`: a version never fired, so that its number ends where the rows end.
    """

    signal: str
    current: int
    proposed: int
    at_least: bool = False


class IncidentRow(Value):
    """One incident or near miss. rows: blocks that were judged; cut_at: where judging ended at the latest."""

    episode_id: str
    kind: EpisodeKind
    source: EpisodeSource
    release_id: str
    incident_id: str | None
    begins: Utc
    cut_at: Utc
    harm_start: Utc | None
    actual_at: Utc | None
    rows: int
    current: Fired
    proposed: Fired
    bad_served: tuple[BadServed, ...] = ()


class Alarm(Value):
    """A false alarm: the end of the block, and the trigger."""

    at: Utc
    trigger: str


class QuietSide(Value):
    """What one version would have done in a quiet stretch.

    asks: instants at which people would have been asked; triggers that fire at once are one ask. flaps: times the
    ramp would have been held; longest_hold_s: the longest of them until it was reset.
    """

    alarms: tuple[Alarm, ...] = ()
    asks: int = 0
    flaps: int = 0
    longest_hold_s: int = 0
    unknown_rows: int = 0


class QuietRow(Value):
    """One quiet stretch; after an alarm judging starts anew, as a watch that begins then."""

    episode_id: str
    source: EpisodeSource
    release_id: str
    begins: Utc
    ends: Utc
    rows: int
    current: QuietSide
    proposed: QuietSide


class Cost(Value):
    """bad_served: outputs of all incidents; needless_rollbacks: asks in quiet stretches; held_ramps: flaps there."""

    bad_served: int
    needless_rollbacks: int
    held_ramps: int


class Costs(Value):
    current: Cost
    proposed: Cost


class SweepRow(Value):
    """The proposed version with one changed value moved. `refused`: why no playbook can hold that value."""

    path: str
    place: str
    percent: int
    value: str
    caught: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    false_alarms: int = 0
    refused: str | None = None


class LeftOut(Value):
    """The proposed value derived again without one incident: does it still catch it?

    value: what the search chose from the other episodes, None when it found none.
    """

    episode_id: str
    path: str
    place: str
    value: str | None
    caught: bool
    sentence: str


class Rate(Value):
    """False alarms of one version in all quiet stretches, counts first.

    per_week: alarms a week; upper_per_week: upper 95 % bound of it (3/n for none, Poisson otherwise), from_boot and
    to_boot: 95 % interval of a bootstrap of whole days, None with fewer than 5 days. weeks: how much was watched.
    """

    alarms: int
    asks: int
    weeks: str
    per_week: str | None
    asks_per_week: str | None
    upper_per_week: str | None
    from_boot: str | None
    to_boot: str | None


class Detectable(Value):
    """What the proposed version can find with the traffic of the episodes.

    smallest_times: the smallest multiple of the usual bad rate found within the watch in half of all releases;
    blocks_to_double: blocks until a doubling is found. `why`: why nothing can be said.
    """

    trigger: str
    signal: str
    smallest_times: str | None
    blocks_to_double: int | None
    block_s: int
    why: str | None = None


class Honesty(Value):
    """How far the figures carry. left_out: episodes that count for nothing because nobody labelled them."""

    incidents: int
    quiet_stretches: int
    synthetic: int
    left_out: int
    current: Rate
    proposed: Rate
    detectable: tuple[Detectable, ...] = ()
    not_recorded: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


class BacktestReport(Value):
    """One proposal on all labelled episodes.

    missed: incidents that the current version catches and the proposed one misses; gained: the reverse.
    change: places that differ, as `path: before → after`. episodes_digest: of the episodes with their labels;
    rows_digest: of the rows that were judged.
    """

    schema_name: Literal["countermand.backtest/v1"] = "countermand.backtest/v1"
    core: str
    seed: int
    current_digest: str
    proposed_digest: str
    episodes_digest: str
    rows_digest: str
    change: tuple[str, ...]
    incidents: tuple[IncidentRow, ...]
    quiet: tuple[QuietRow, ...]
    cost: Costs
    sensitivity: tuple[SweepRow, ...]
    leave_one_out: tuple[LeftOut, ...]
    honesty: Honesty
    missed: tuple[str, ...]
    gained: tuple[str, ...] = ()
    sentences: tuple[str, ...]

    @property
    def fitted(self) -> tuple[str, ...]:
        """Incidents that the proposed version catches, and would miss if its values were derived without them."""
        caught = {row.episode_id for row in self.incidents if row.proposed.at is not None}
        return tuple(sorted({row.episode_id for row in self.leave_one_out if not row.caught} & caught))

    @property
    def digest(self) -> str:
        """`sha256:…` over the canonical bytes: what a decision about the proposal names."""
        return digest(self)
