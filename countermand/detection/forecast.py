"""How long it would take to find harm of a given size, before there is any (detection.md §10). It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, erf, exp, expm1, inf, log, log1p, pi, sqrt

from countermand.detection.composition import Node
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, bets
from countermand.detection.figures import count, plural, span
from countermand.detection.rule import Lane, Rule
from countermand.plan.target import Value

#: Kinds whose evidence depends on rates alone; for the others the spread of values would have to be known.
FORECAST = ("rate", "judgement", "missing")

#: Outputs scored per block on (candidate, baseline).
Traffic = tuple[int, int]

_P95 = 1.645
_SPOKEN = {2.0: "twice", 5.0: "five times"}


class Delay(Value):
    """Blocks until `times` the usual bad rate is found, for harm from the start and for harm that begins later.

    None: not within the watch. The p95 figures are what 19 of 20 such releases need at most.
    """

    times: float
    deploy: int | None
    deploy_p95: int | None
    later: int | None
    later_p95: int | None


class CriterionForecast(Value):
    """One criterion; `delays` is empty when nothing can be said, and `why` says why."""

    signal: str
    usual: float | None
    traffic: Traffic | None
    delays: tuple[Delay, ...] = ()
    why: str | None = None


class Forecast(Value):
    """One trigger: the part of the budget of each lane, and every criterion of the main lane."""

    trigger: str
    alpha: dict[str, str]
    criteria: tuple[CriterionForecast, ...]


def forecast(rule: Rule, traffic: Mapping[str, Traffic], effects: Sequence[float], dispersion: float = 1.0) -> Forecast:
    """The delays of every criterion with a tolerance, whichever lane finds it first.

    traffic: by signal. effects: multiples of the usual bad rate. dispersion: φ of the blocks. In a combination the
    criterion's delay counts the price of `any` and of weights; for `all` and k of n the others are taken to be
    harmed as well. Medians were 0.97 to 1.33 times the simulated ones, seldom too hopeful.
    """
    criteria = []
    for place in rule.main.node.places:
        criterion = rule.criteria[place]
        if not isinstance(criterion, ToleranceRule):
            continue
        here = traffic.get(criterion.signal)
        why = _impossible(criterion, here)
        delays: tuple[Delay, ...] = ()
        if why is None and here is not None:
            twins = [
                (lane, other, own)
                for lane in rule.lanes
                for other in lane.node.places
                if isinstance(own := rule.criteria[other], ToleranceRule)
                and own.signal == criterion.signal
                and (lane.name != "main" or other == place)
            ]
            delays = tuple(
                _first([_delay(rule, lane, at, own, here, times, dispersion) for lane, at, own in twins])
                for times in effects
            )
        usual = None if criterion.expect is None else float(criterion.expect)
        criteria.append(CriterionForecast(signal=criterion.signal, usual=usual, traffic=here, delays=delays, why=why))
    alpha = {lane.name: f"{lane.alpha:f}" for lane in rule.lanes if lane.alpha is not None}
    return Forecast(trigger=rule.trigger, alpha=alpha, criteria=tuple(criteria))


def sentence(rule: Rule, criterion: CriterionForecast, unit: str, dispersion: float = 1.0) -> str:
    """What the delays mean for a person, and what traffic would find a doubling within two hours."""
    name = criterion.signal.replace("_", " ")
    if criterion.why is not None or criterion.traffic is None:
        return f"{name}: no forecast, because {criterion.why or 'its traffic is not known'}."
    minutes = rule.block.total_seconds() / 60
    per_minute = criterion.traffic[0] / minutes
    parts = []
    for delay in criterion.delays:
        if delay.times in _SPOKEN:
            found = "not within the watch" if delay.deploy is None else f"after about {about(rule, delay.deploy)}"
            parts.append(f"{_SPOKEN[delay.times]} the usual bad rate is found {found}")
    said = f"With {per_minute:,.0f} {plural(unit)} a minute scored for {name}, {'; '.join(parts)}."
    two = next((delay for delay in criterion.delays if delay.times == 2), None)
    limit = ceil(120 / minutes)
    if two is None or (two.deploy is not None and two.deploy <= limit):
        return said
    for factor in (2, 5, 10, 20, 50, 100, 200, 500, 1000):
        more = {criterion.signal: (criterion.traffic[0] * factor, criterion.traffic[1] * factor)}
        again = next(c for c in forecast(rule, more, [2], dispersion).criteria if c.signal == criterion.signal)
        if again.delays[0].deploy is not None and again.delays[0].deploy <= limit:
            return f"{said} To find twice within 2 hours score about {per_minute * factor:,.0f} a minute."
    return said


def about(rule: Rule, rows: int) -> str:
    """A number of blocks as a length of time that claims no more than it knows: `16 hours`, `80 minutes`."""
    length = rule.block * rows
    minutes = length.total_seconds() / 60
    if minutes < 120:
        return span(length) if minutes < 1 else count(round(minutes), "minute")
    hours = minutes / 60
    return f"{hours:.0f} hours" if hours >= 10 else f"{hours:.1f} hours".replace(".0 ", " ")


def _impossible(criterion: ToleranceRule, traffic: Traffic | None) -> str | None:
    if criterion.kind not in FORECAST:
        return f"it depends on how much a {criterion.kind.replace('_', ' ')} varies"
    if criterion.every > 1:
        return "it has longer blocks of its own"
    if criterion.expect is None:
        return "no usual value is expected"
    return "its traffic is not known" if traffic is None or 0 in traffic else None


def _first(delays: Sequence[Delay]) -> Delay:
    """The earliest of several lanes, figure by figure."""

    def least(name: str) -> int | None:
        found = [value for delay in delays if (value := getattr(delay, name)) is not None]
        return min(found) if found else None

    figures = {name: least(name) for name in ("deploy", "deploy_p95", "later", "later_p95")}
    return Delay(times=delays[0].times, **figures)


def _delay(
    rule: Rule, lane: Lane, place: int, criterion: ToleranceRule, traffic: Traffic, times: float, dispersion: float
) -> Delay:
    usual = float(criterion.expect or 0)
    harmed = min(times * usual, 0.999)
    cap = lane.cap / MICRO
    gains = [_gain(bet, harmed, usual, traffic, cap, dispersion) for bet in bets(*traffic, usual, *criterion.line)]
    limit = lane.nats_to_fire + price(lane.node, place)
    first, later = rule.first_weight / MICRO, rule.later_weight / MICRO
    early = [first] * len(gains)
    # Harm that begins later gathers the mass of all rows since: a geometric sum.
    late = [later - (log(-expm1(-d)) if d > 0 else 0.0) for d, _ in gains]
    return Delay(
        times=times,
        deploy=_blocks(gains, early, limit, rule.watch_blocks, 0),
        deploy_p95=_blocks(gains, early, limit, rule.watch_blocks, _P95),
        later=_blocks(gains, late, limit, rule.watch_blocks, 0),
        later_p95=_blocks(gains, late, limit, rule.watch_blocks, _P95),
    )


def _gain(
    bet: tuple[float, float, float, float],
    harmed: float,
    usual: float,
    traffic: Traffic,
    cap: float,
    dispersion: float,
) -> tuple[float, float]:
    """Mean and variance of what one block adds to a bet: a normal approximation, cut off at the cap."""
    stake_c, a, stake_t, m = bet
    mean = variance = 0.0
    for n, rate, stake, centre in ((traffic[0], harmed, stake_c, a), (traffic[1], usual, -stake_t, m)):
        win, lose = log1p(stake * (1 - centre)), log1p(-stake * centre)
        mean += n * (rate * win + (1 - rate) * lose) / dispersion
        variance += n * rate * (1 - rate) * (win - lose) ** 2 / dispersion
    if variance == 0:
        return min(mean, cap), 0.0
    spread = sqrt(variance)
    z = (cap - mean) / spread
    below, density = (1 + erf(z / sqrt(2))) / 2, exp(-z * z / 2) / sqrt(2 * pi)
    cut = mean * below - spread * density + cap * (1 - below)
    square = (mean * mean + variance) * below - spread * (mean + cap) * density + cap * cap * (1 - below)
    return cut, max(square - cut * cut, 0.0)


def price(node: Node, place: int) -> float:
    """What a combination costs one criterion, in nats: ln n for `any`, −ln weight for weights, none for k of n."""
    for at, member in enumerate(node.members):
        places = member.places if isinstance(member, Node) else (member,)
        if place in places:
            inner = price(member, place) if isinstance(member, Node) else 0.0
            if node.weights:
                return inner - log(node.weights[at])
            return inner + (log(len(node.members)) if node.k == 1 else 0.0)
    return inf


def _blocks(
    gains: Sequence[tuple[float, float]], before: Sequence[float], limit: float, most: int, z: float
) -> int | None:
    """The first block at which the mean over the bets reaches the limit; None if not within `most`."""
    for t in range(1, most + 1):
        found = [pre + t * d - z * sqrt(t * q) for (d, q), pre in zip(gains, before, strict=True)]
        top = max(found)
        if top + log(sum(exp(value - top) for value in found) / len(found)) >= limit:
            return t
    return None
