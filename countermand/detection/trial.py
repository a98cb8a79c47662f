"""Trying criteria before they are trusted: planted harm must fire in time, a burst and a clean run must not (LRN-28).

The rows are judged by the same `advance` as a live watch; only what is planted into them differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from math import ceil, inf

from countermand.detection.blocks import Row
from countermand.detection.composition import value
from countermand.detection.criterion_rules import CriterionRule, ToleranceRule
from countermand.detection.evalue import MICRO
from countermand.detection.figures import span
from countermand.detection.forecast import Traffic, about, forecast, price
from countermand.detection.harm import Size, harm, said, size
from countermand.detection.planted import Harm, plant
from countermand.detection.record import verdict
from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.detection.state import State
from countermand.detection.tried import CriterionTrial, Setting, TriggerTrial
from countermand.detection.watch import advance, start
from countermand.playbook.criteria import Detection
from countermand.playbook.plain_words import spoken, words
from countermand.playbook.units import plain

#: A criterion keeps its promise within this many times the forecast's p95 (LRN-28).
SLACK = 1.5

#: Name of a run → numbers between 0 and 1 for it; the same name gives the same numbers.
Draws = Callable[[str], Iterator[float]]


def trials(
    detection: Detection,
    rows: Sequence[Row],
    usual: Mapping[str, float],
    traffic: Mapping[str, Traffic],
    setting: Setting,
    draws: Draws,
) -> Iterator[TriggerTrial]:
    """One trial per trigger, in playbook order. Rows of late samples are left out.

    usual: badness of the baseline by signal. traffic: outputs per row on (candidate, baseline). Raises ValueError for
    rows that no watch of this playbook could have, and when nothing is left after `setting.at`.
    """
    in_time = [row for row in rows if row.late_of is None]
    if setting.at >= len(in_time) * detection.block:
        raise ValueError(f"the rows last {span(len(in_time) * detection.block)}; harm begins after {span(setting.at)}")
    if setting.spike >= detection.sustain:
        raise ValueError(
            f"a burst of {span(setting.spike)} is lasting harm to this playbook, which asks for "
            f"{span(detection.sustain)}; a shorter one must not fire"
        )
    for rule in compile_rules(detection):
        yield _Trial(detection, rule, in_time, usual, traffic, setting, draws).result()


class _Trial:
    """All runs of one trigger."""

    def __init__(
        self,
        detection: Detection,
        rule: Rule,
        rows: Sequence[Row],
        usual: Mapping[str, float],
        traffic: Mapping[str, Traffic],
        setting: Setting,
        draws: Draws,
    ) -> None:
        self._signals, self._rule, self._rows = detection.signals, rule, rows
        self._usual, self._traffic, self._setting, self._draws = usual, traffic, setting, draws
        self._first = int(setting.at // rule.block)

    def result(self) -> TriggerTrial:
        sizes = {place: self._size(place) for place in self._rule.main.node.places}
        criteria = tuple(self._criterion(place, found) for place, found in sizes.items())
        harms: dict[str, Harm] = {}
        for place, found in sizes.items():
            if isinstance(found, Size):
                signal = self._rule.criteria[place].signal
                most = harm(signal, self._signals[signal], found)
                harms[signal] = max(most, harms.get(signal, most), key=lambda one: (one.part, one.factor))
        together = self._fires("together", list(harms.values())) if len(harms) > 1 else self._alone(criteria)
        clean, spike = self._fires("clean", []), self._fires("spike", self._spikes(), lasts=self._setting.spike)
        kept = all(one.state == "found" for one in criteria) and clean is None and spike is None
        kept = kept and (len(harms) < 2 or self._in_time(together, criteria))
        return TriggerTrial(
            trigger=self._rule.trigger,
            criteria=criteria,
            together=together,
            clean=clean,
            spike=spike,
            as_promised=kept,
            sentence=self._sentence(criteria, together, clean, spike),
        )

    # --- what is planted ------------------------------------------------------------------------------------------

    def _size(self, place: int) -> Size | str:
        rule = self._rule.criteria[place]
        if isinstance(rule, ToleranceRule) and rule.kind == "past_weeks":
            return "it is compared with past weeks, which these rows do not hold"
        spec = self._signals[rule.signal]
        return size(rule, spec, self._usual.get(rule.signal), self._setting.times, self._setting.points)

    def _spikes(self) -> list[Harm]:
        """Every signal of the trigger, `spike_times` as bad; a mix becomes `other` as a whole."""
        found = {}
        for place in self._rule.main.node.places:
            rule = self._rule.criteria[place]
            spec, usual = self._signals[rule.signal], self._usual.get(rule.signal)
            if spec.kind == "categories":
                sized: Size | str = Size(before=0, after=1, accepted=None)
            else:
                sized = size(rule, spec, usual, self._setting.spike_times, None)
            if isinstance(sized, Size):
                found[rule.signal] = harm(rule.signal, spec, sized)
        return list(found.values())

    def _planted(self, name: str, harms: Sequence[Harm], lasts: timedelta | None) -> Iterator[Row]:
        draws, block = self._draws(f"{self._rule.trigger}/{name}"), self._rule.block
        begins = self._setting.at
        ends = begins + lasts if lasts is not None else len(self._rows) * block
        for index, row in enumerate(self._rows):
            inside = min((index + 1) * block, ends) - max(index * block, begins)
            planted = row
            for one in harms:
                planted = plant(self._signals, one, planted, inside / block, draws)
            yield planted

    # --- what comes of it -----------------------------------------------------------------------------------------

    def _fires(self, name: str, harms: Sequence[Harm], lasts: timedelta | None = None) -> int | None:
        """Blocks until the trigger fires: since the harm began if it lasts, else since the first row."""
        state = start(self._rule)
        for index, row in enumerate(self._planted(name, harms, lasts)):
            state = advance(self._rule, state, row)
            if state.latched_at is not None:
                return max(index + 1 - (self._first if harms and lasts is None else 0), 0)
        return None

    def _criterion(self, place: int, found: Size | str) -> CriterionTrial:
        rule = self._rule.criteria[place]
        if isinstance(found, str):
            return CriterionTrial(signal=rule.signal, limit=_limit(rule), state="untried", why=found)
        spec = self._signals[rule.signal]
        after, state, row = self._reached(place, harm(rule.signal, spec, found))
        planted = said(spec, found)
        fields = {"signal": rule.signal, "limit": _limit(rule), "planted": planted, "after": after}
        fields["alone"] = state.latched_at is not None
        if not found.beyond:
            why = "what was planted is within what it accepts: plant more"
            return CriterionTrial(**fields, state="tolerated", why=why)
        median, p95, why_not = self._forecast(place, found, state, row)
        within = None if p95 is None else ceil(SLACK * p95)
        if after is None:
            why = why_not or f"nothing within {about(self._rule, len(self._rows) - self._first)}"
            return CriterionTrial(**fields, state="silent", median=median, p95=p95, within=within, why=why)
        late = within is not None and after > within
        return CriterionTrial(**fields, state="late" if late else "found", median=median, p95=p95, within=within)

    def _reached(self, place: int, one: Harm) -> tuple[int | None, State, Row]:
        """Blocks until the criterion has shown all that its trigger needs of it, in whichever lane comes first."""
        rule, needed = self._rule, self._needed(place)
        state, row = start(rule), self._rows[0]
        for index, row in enumerate(self._planted(f"{place}/{one.signal}", [one], None)):
            state = advance(rule, state, row)
            if index >= self._first and any(value(state.criteria[at]) >= least for at, least in needed):
                return index + 1 - self._first, state, row
        return None, state, row

    def _needed(self, place: int) -> list[tuple[int, float]]:
        """(place, evidence in micronats) of the criterion, and of its twins in other lanes."""
        own = self._rule.criteria[place]
        found = []
        for lane in self._rule.lanes:
            for at in lane.node.places:
                twin = lane.name != own.lane and self._rule.criteria[at].signal == own.signal
                if at == place or twin:
                    nats = lane.nats_to_fire + price(lane.node, at)
                    found.append((at, inf if nats == inf else ceil(nats * MICRO)))
        return found

    def _forecast(self, place: int, found: Size, state: State, row: Row) -> tuple[int | None, int | None, str | None]:
        """(median, p95, why there is none) for what was planted, at the dispersion that tempered the evidence."""
        own = self._rule.criteria[place]
        if not isinstance(own, ToleranceRule):
            return None, None, None
        tolerant = [p for p in self._rule.main.node.places if isinstance(self._rule.criteria[p], ToleranceRule)]
        usual = Decimal(repr(found.before)) if own.kind not in ("latency", "categories") else None
        criteria = tuple(
            one.model_copy(update={"expect": usual})
            if isinstance(one, ToleranceRule) and one.signal == own.signal
            else one
            for one in self._rule.criteria
        )
        rule = self._rule.model_copy(update={"criteria": criteria})
        times = found.after / found.before if found.before else inf
        phi = float(verdict(self._rule, state, row).criteria[place].dispersion or 1)
        told = forecast(rule, self._traffic, [times], phi).criteria[tolerant.index(place)]
        if not told.delays:
            return None, None, None
        delay = told.delays[0]
        median, p95 = (delay.deploy, delay.deploy_p95) if not self._first else (delay.later, delay.later_p95)
        why = None if median is not None else "the forecast does not see it within the watch: score more outputs"
        return median, p95, why

    @staticmethod
    def _alone(criteria: Sequence[CriterionTrial]) -> int | None:
        return next((one.after for one in criteria if one.alone), None)

    @staticmethod
    def _in_time(together: int | None, criteria: Sequence[CriterionTrial]) -> bool:
        """All signals harmed at once must fire no later than the slowest of them may."""
        limits = [one.within for one in criteria]
        most = inf if None in limits else max(limit for limit in limits if limit is not None)
        return together is not None and together <= most

    def _sentence(
        self, criteria: Sequence[CriterionTrial], together: int | None, clean: int | None, spike: int | None
    ) -> str:
        rule = self._rule
        name = words(rule.trigger.replace("-", "_"))
        if together is None:
            fires = f"{name} does not fire on what was planted"
        else:
            alone = [one.signal for one in criteria if one.alone]
            by = f" (alone enough: {spoken(list(dict.fromkeys(alone)))})" if alone and len(criteria) > 1 else ""
            fires = f"{name} fires {about(rule, together)} after the harm begins{by}"
        quiet = []
        if spike is not None:
            quiet.append(f"it also fires on a burst of {span(self._setting.spike)}")
        if clean is not None:
            quiet.append(f"it fires {about(rule, clean)} into rows without planted harm")
        if not quiet:
            clean_for = span(len(self._rows) * rule.block)
            quiet.append(f"a burst of {span(self._setting.spike)} and {clean_for} without harm do not fire")
        return f"{fires}. {'; '.join(quiet).capitalize()}."


def _limit(rule: CriterionRule) -> str:
    """`ratio 1.2`, `bound above 0.05`."""
    if isinstance(rule, ToleranceRule):
        return ", ".join(f"{words(name)} {plain(accepted)}" for name, accepted in rule.tolerance.items())
    return f"{words(rule.kind)} {rule.outside} {plain(rule.limit)}"
