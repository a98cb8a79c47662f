"""What a scenario's world measures: its harms, lies, lags and outages put into the blocks of a playbook's signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from countermand.detection.blocks import Arm, Block, Row
from countermand.detection.chance import binomial
from countermand.detection.planted import Harm as Planted
from countermand.detection.planted import plant
from countermand.detection.tolerances import bad_value
from countermand.playbook.signals import SignalSpec
from countermand.rehearsal.world import Harm, Lie, Period, World

_OTHER = {Arm.candidate: Arm.baseline, Arm.baseline: Arm.candidate}


class Measured:
    """`block`: the playbook's own block length; times of the scenario count in it."""

    def __init__(self, world: World, signals: dict[str, SignalSpec], block: timedelta, draws: Iterator[float]) -> None:
        self._world = world
        self._signals = signals
        self._block = block
        self._draws = draws

    def row(self, number: int, row: Row) -> Row:
        """The row of block `number` as it is measured: with every harm of that time, and every lie told of it."""
        at = number * self._block
        for harm in self._world.signals:
            if harm.from_ <= at and (harm.to is None or at < harm.to):
                row = self._harmed(harm, row)
        for source in self._world.sources.values():
            for lie in source.lies:
                if covers(lie, at):
                    row = self._told(lie, row)
        return row

    def silent(self, source: str, number: int) -> bool:
        """Whether the source says nothing of this block."""
        known = self._world.sources.get(source)
        return known is not None and any(covers(outage, number * self._block) for outage in known.outages)

    def lag(self, source: str) -> timedelta:
        """How much later the source delivers, in the scenario's time."""
        known = self._world.sources.get(source)
        return known.lag if known else timedelta()

    def _harmed(self, harm: Harm, row: Row) -> Row:
        for arm in _arms(harm.arm):
            if harm.group is not None:
                row = self._group(harm, arm, harm.group, row)
            elif harm.times is not None and harm.times < 1:
                row = _changed(row, harm.signal, arm, lambda block: round(block.bad * float(harm.times or 1)))
            else:
                turned = row if arm is Arm.candidate else _swapped(row)
                turned = plant(self._signals, self._planted(harm), turned, 1.0, self._draws)
                row = turned if arm is Arm.candidate else _swapped(turned)
        return row

    def _planted(self, harm: Harm) -> Planted:
        spec = self._signals[harm.signal]
        if harm.part is not None:
            return Planted(signal=harm.signal, part=float(harm.part))
        times = float(harm.times or 1)
        if spec.kind == "latency":
            return Planted(signal=harm.signal, part=1.0, factor=times)
        usual = float(bad_value(spec) or 0)
        return Planted(signal=harm.signal, part=min(usual * (times - 1) / (1 - usual), 1.0) if usual < 1 else 1.0)

    def _group(self, harm: Harm, arm: Arm, group: str, row: Row) -> Row:
        """Only this group's outputs turn bad; the whole counts them too."""
        reads = self._signals[harm.signal].of or harm.signal
        part = self._planted(harm).part
        own = next((one for one in row.blocks if (one.signal, one.arm, one.segment) == (reads, arm, group)), None)
        if own is None:
            return row
        more = binomial(own.scored - own.bad, part, next(self._draws))
        segments = ("all", group)
        blocks = tuple(
            one.model_copy(update={"bad": one.bad + more})
            if (one.signal, one.arm) == (reads, arm) and one.segment in segments
            else one
            for one in row.blocks
        )
        return row.model_copy(update={"blocks": blocks})

    def _told(self, lie: Lie, row: Row) -> Row:
        for arm in _arms(lie.arm):
            row = _changed(row, lie.signal, arm, lambda block: round(block.scored * lie.says / 10_000))
        return row


def covers(period: Period, at: timedelta) -> bool:
    """Whether the period holds this time of the scenario."""
    return period.at <= at and (period.for_ is None or at < period.at + period.for_)


def _arms(said: str) -> Sequence[Arm]:
    return tuple(Arm) if said == "both" else (Arm(said),)


def _changed(row: Row, signal: str, arm: Arm, bad: Callable[[Block], int]) -> Row:
    blocks = tuple(
        one.model_copy(update={"bad": min(bad(one), one.scored)}) if (one.signal, one.arm) == (signal, arm) else one
        for one in row.blocks
    )
    return row.model_copy(update={"blocks": blocks})


def _swapped(row: Row) -> Row:
    blocks: tuple[Block, ...] = tuple(one.model_copy(update={"arm": _OTHER[one.arm]}) for one in row.blocks)
    return row.model_copy(update={"blocks": blocks})
