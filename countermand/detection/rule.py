"""What is decided before the first block arrives: one Rule per trigger, with every default filled in."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from countermand import canonical
from countermand.detection.composition import Node, fixed_limits_suffice
from countermand.detection.criterion_rules import LaneName, ThresholdRule, ToleranceRule
from countermand.detection.evalue import micronats
from countermand.detection.models import CORE, Sealed
from countermand.playbook.terms import Routing, Severity
from countermand.playbook.units import Duration, Number


class Lane(Sealed):
    """The same data against one set of tolerances, with its own part of the budget (§5.2).

    `alpha` is the allowed probability that it ever fires wrongly during the watch; None when it has no criterion
    with a tolerance, because then nothing bounds it. `standing_blocks`: blocks between two wrong alarms after it.
    `one_clock`: all criteria have blocks of one length.
    """

    name: LaneName
    alpha: Number | None
    sustain_blocks: int
    standing_blocks: Number
    w0: Number
    one_clock: bool = True
    node: Node

    @cached_property
    def nats_to_fire(self) -> float:
        """ln(1/α); infinite when only threshold rules can fire."""
        return math.inf if self.alpha is None else -math.log(float(self.alpha))

    @cached_property
    def limit(self) -> int | float:
        """Evidence at which the lane fires, in micronats."""
        return math.inf if self.alpha is None else math.ceil(self.nats_to_fire * 1_000_000)

    @cached_property
    def hold_limit(self) -> int | float:
        """Evidence at which the ramp is held: α^(−1/2), in micronats (DET-24)."""
        return math.inf if self.alpha is None else math.ceil(self.nats_to_fire * 500_000)

    @cached_property
    def cap(self) -> int:
        """The most one block can add, in micronats: harm must last `sustain_blocks` blocks (§5.1)."""
        return micronats((self.nats_to_fire - math.log(float(self.w0))) / self.sustain_blocks)

    def cap_of(self, every: int) -> int:
        """The cap of a criterion whose blocks are `every` rows long."""
        if every == 1:
            return self.cap
        blocks = -(-self.sustain_blocks // every)
        return micronats((self.nats_to_fire - math.log(float(self.w0))) / blocks)

    @cached_property
    def standing(self) -> Lane:
        """The lane after the declared length: it fires at `standing_blocks` to 1 and stakes nothing early (DET-13)."""
        alpha = None if self.alpha is None else 1 / self.standing_blocks
        return self.model_copy(update={"alpha": alpha, "w0": 1})


class Rule(Sealed):
    """One trigger, ready to run. The lanes combine its criteria; the main lane comes first.

    per_release, unreserved, allotted: the false-alarm budget of the release, without its reserve, of this trigger.
    spent: what all rules of the release had been given when this one was made, this one included.
    ramp_rows: rows at which the candidate gets more traffic; `ramp_mass` is staked there in equal parts.
    """

    core: str = CORE
    trigger: str
    severity: Severity
    shadow: bool = False
    block: Duration
    watch_blocks: int
    blind_after: int
    late_horizon: int = 60
    w0: Number
    dispersion: Number
    routing: Routing = "random"
    per_release: Number
    unreserved: Number
    allotted: Number | None
    spent: Number = Decimal(0)
    ramp_mass: Number = Decimal(0)
    ramp_rows: tuple[int, ...] = ()
    lanes: Annotated[tuple[Lane, ...], Field(min_length=1)]
    criteria: tuple[Annotated[ToleranceRule | ThresholdRule, Field(discriminator="form")], ...]

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self)

    @property
    def main(self) -> Lane:
        return self.lanes[0]

    @property
    def alpha(self) -> Number | None:
        """α of the main lane; `limit`, `hold_limit` and `cap` belong to it too."""
        return self.main.alpha

    @property
    def limit(self) -> int | float:
        return self.main.limit

    @property
    def hold_limit(self) -> int | float:
        return self.main.hold_limit

    @property
    def cap(self) -> int:
        return self.main.cap

    def lanes_at(self, t: int) -> tuple[Lane, ...]:
        """The lanes in row t: those of the watch, or of the standing watch after it."""
        return self.lanes if t < self.watch_blocks else self._standing

    def lane_of(self, place: int, t: int) -> Lane:
        """The lane of a criterion in row t."""
        name = self.criteria[place].lane
        return next(lane for lane in self.lanes_at(t) if lane.name == name)

    def caps_at(self, t: int) -> tuple[int, ...]:
        """The most that one block can add to each criterion in row t, in micronats."""
        return self._caps if t < self.watch_blocks else self._standing_caps

    def mass_at(self, t: int) -> int:
        """Mass staked in row t on harm that begins then, in micronats (DET-13, DET-14)."""
        if t == 0:
            return self.first_weight
        if t < self.watch_blocks:
            return self.ramp_weight if t in self.ramp_rows else self.later_weight
        # The standing watch starts afresh and stakes one unit in every row.
        return 0

    @cached_property
    def _caps(self) -> tuple[int, ...]:
        return self._caps_from(0)

    @cached_property
    def _standing_caps(self) -> tuple[int, ...]:
        return self._caps_from(self.watch_blocks)

    def _caps_from(self, t: int) -> tuple[int, ...]:
        return tuple(
            self.lane_of(place, t).cap_of(own.every) if own.form == "tolerance" else 0
            for place, own in enumerate(self.criteria)
        )

    @cached_property
    def _standing(self) -> tuple[Lane, ...]:
        return tuple(lane.standing for lane in self.lanes)

    @cached_property
    def assumed_dispersion(self) -> float:
        return float(self.dispersion)

    @cached_property
    def first_weight(self) -> int:
        """Mass staked on harm from the first row on, in micronats."""
        return micronats(math.log(float(self.w0) + self._spread))

    @cached_property
    def later_weight(self) -> int:
        """Mass staked in each later row on harm that begins there, in micronats."""
        return micronats(math.log(self._spread))

    @cached_property
    def ramp_weight(self) -> int:
        """The same in a row at which the candidate gets more traffic (DET-14)."""
        return micronats(math.log(self._spread + float(self.ramp_mass) / len(self.ramp_rows)))

    @cached_property
    def _spread(self) -> float:
        return (1 - float(self.w0) - float(self.ramp_mass)) / self.watch_blocks

    @property
    def spends(self) -> bool:
        """Does it use a part of the release's budget? A shadow and fixed limits alone do not."""
        return self.allotted is not None and not self.shadow

    @property
    def left(self) -> Decimal:
        """What nobody had been given of the release's budget when this rule was made; below 0 if overdrawn."""
        return self.per_release - self.spent

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.w0 + self.ramp_mass >= 1 or bool(self.ramp_mass) != bool(self.ramp_rows):
            raise ValueError(
                f"w0 {self.w0!r} and ramp mass {self.ramp_mass!r} on {len(self.ramp_rows)} rows leave nothing for "
                "the other rows; together less than 1 is accepted"
            )
        return self

    @cached_property
    def bounded(self) -> bool:
        """Can it fire only with evidence? False when its threshold rules alone are enough (DET-23)."""
        fixed = [criterion.form == "threshold" for criterion in self.criteria]
        return not any(fixed_limits_suffice(lane.node, fixed) for lane in self.lanes)
