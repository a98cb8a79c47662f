"""The certificate of health: positive evidence that a candidate is not as bad as that (detection.md §8).

It tests the opposite hypothesis, badness of the candidate ≥ `ratio` × badness of the baseline + `absolute`, with the
arms swapped. The absence of a trigger is not evidence; no data certifies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil, floor, log
from typing import Literal

from countermand import canonical
from countermand.detection.blocks import Sealed
from countermand.detection.counted import share, words
from countermand.detection.coverage import usable
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, bets_on, log_mean, micronats, pay_off
from countermand.detection.figures import span
from countermand.detection.guarantees import guarantee
from countermand.detection.guesses import tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.past_weeks import hour_of, log_evidence_of_less, seasonal_low
from countermand.detection.kinds.table import KINDS
from countermand.detection.models import CORE, Arm, Guarantee, Row, VerdictWord
from countermand.detection.moments import largest_loss, log_evidence_of_moments
from countermand.detection.rules import tolerance_rule
from countermand.detection.state import Memory, made
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.signals import Tolerance
from countermand.playbook.terms import Routing
from countermand.playbook.units import Duration, Number, plain

#: How far below the boundary the alternatives lie, as parts of the way to the baseline.
PARTS = (0.25, 0.5, 0.75, 1.0)

#: Good behaviour must last this many blocks.
BLOCKS = 3

_EDGE = 1e-6
_STEPS = 10_000


class HealthRule(Sealed):
    """What must be shown: that no signal is as bad as its `ratio` times the baseline plus its `absolute`.

    Each is shown with probability 1 − `beta`, between `min_rows` and `max_rows`. past: of signals without a concurrent
    baseline, per hour of the week the least that past weeks allow to call usual, and their mean, in billionths.
    """

    core: str = CORE
    beta: Number
    min_rows: int
    max_rows: int
    block: Duration
    dispersion: Number
    routing: Routing
    signals: tuple[ToleranceRule, ...]
    past: dict[str, tuple[tuple[int, int], ...]]

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self)

    @cached_property
    def limit(self) -> int:
        """Evidence at which a signal is certified, in micronats."""
        return ceil(-log(float(self.beta)) * MICRO)

    @cached_property
    def cap(self) -> int:
        """The most one row can add, in micronats."""
        return micronats(-log(float(self.beta)) / BLOCKS)


class SignalHealth(Value):
    """Evidence of health of one signal, in micronats per alternative; `certified_at`: row that sufficed."""

    evidence: tuple[int, ...] = (0,) * len(PARTS)
    memory: Memory
    certified_at: int | None = None
    known: bool = False


class HealthState(Value):
    """What the certificate keeps between rows; `certified_at`: the row at which it was first given."""

    rule: str
    rows: int = 0
    certified_at: int | None = None
    signals: tuple[SignalHealth, ...]


class Certificate(Value):
    """The answer after one row. `certified` needs every signal, enough time, no evidence of harm and data now.

    `not_certified`: the time limit passed without it, which is neither success nor failure; a person decides (DET-29).
    """

    rule: str
    seq: int
    word: Literal["certified", "not_yet", "not_certified"]
    missing: tuple[str, ...]
    guarantee: Guarantee
    row: str
    sentence: str


def compile_health(detection: Detection, history: Sequence[Row] = ()) -> HealthRule | None:
    """The rule of the certificate; None when the playbook asks for none.

    `history`: rows from before the release, which a signal without a concurrent baseline is compared with.
    """
    health = detection.health
    if health is None:
        return None
    signals = []
    for name in health.required:
        by = health.not_worse_by.get(name)
        ruled_out = Tolerance(ratio=health.not_worse_than) if by is None else Tolerance(absolute=by)
        signals.append(tolerance_rule(detection, name, ruled_out))
    return HealthRule(
        beta=1 - health.confidence,
        min_rows=-(-health.min_time // detection.block),
        max_rows=(health.time_limit or detection.watch) // detection.block,
        block=detection.block,
        dispersion=detection.dispersion,
        routing=detection.routing,
        signals=tuple(signals),
        past={own.signal: seasonal_low(history, own.signal) for own in signals if own.kind == "past_weeks"},
    )


def start(rule: HealthRule, history: Sequence[Row] = ()) -> HealthState:
    """Nothing shown yet. `history`: rows from before; they train guesses only."""
    signals = []
    for signal in rule.signals:
        kind = KINDS[signal.kind]
        memory = kind.start(signal)
        for row in history:
            memory = kind.learn(signal, memory, row)
        signals.append(SignalHealth(memory=memory))
    return HealthState(rule=rule.digest, signals=tuple(signals))


def step(rule: HealthRule, state: HealthState, row: Row, word: VerdictWord) -> tuple[HealthState, Certificate]:
    """One block time; `word` is what the watch says after the same row. Raises ValueError for another rule's state."""
    if state.rule != rule.digest:
        raise ValueError(f"state belongs to certificate {state.rule!r}, not to {rule.digest!r}")
    signals = tuple(_advance(rule, signal, own, row) for signal, own in zip(rule.signals, state.signals, strict=True))
    rows = state.rows + 1
    pairs = list(zip(rule.signals, signals, strict=True))
    missing = [signal.signal for signal, own in pairs if own.certified_at is None or not own.known]
    if rows < rule.min_rows:
        missing.append("min_time")
    if word is not VerdictWord.ok:
        missing.append("verdict")
    late = state.certified_at is None and rows > rule.max_rows
    first = row.seq if state.certified_at is None and not missing and not late else state.certified_at
    answer: Literal["certified", "not_yet", "not_certified"] = "not_yet" if missing else "certified"
    if first is None and rows >= rule.max_rows:
        answer = "not_certified"
    bound = guarantee([(signal, own.memory) for signal, own in pairs], routing=rule.routing)
    certificate = made(
        Certificate,
        rule=rule.digest,
        seq=row.seq,
        word=answer,
        missing=tuple(missing),
        guarantee=bound,
        row=row.digest,
        sentence=_sentence(rule, answer, missing, bound),
    )
    return made(HealthState, rule=state.rule, rows=rows, certified_at=first, signals=signals), certificate


def _advance(rule: HealthRule, signal: ToleranceRule, state: SignalHealth, row: Row) -> SignalHealth:
    kind, memory = KINDS[signal.kind], state.memory
    evidence, certified = state.evidence, state.certified_at
    if signal.kind == "past_weeks":
        nats = _past(rule, signal, row)
        known = nats is not None
    else:
        seen = kind.look(signal, memory, row)
        known, nats = seen is not None, None
        if seen is not None and memory.guess:
            nats = _scores(signal, memory, seen) if signal.kind == "score" else _rates(signal, memory, seen)
    if nats is not None:
        phi = tempering(memory.noise[0], float(rule.dispersion), zero_tolerance=False)
        evidence = tuple(
            own + min(floor(value / phi * MICRO), rule.cap) for own, value in zip(evidence, nats, strict=True)
        )
        if certified is None and log_mean(evidence, len(evidence)) >= rule.limit:
            certified = row.seq
    return made(
        SignalHealth,
        evidence=evidence,
        memory=kind.learn(signal, memory, row),
        certified_at=certified,
        known=known,
    )


def _rates(signal: ToleranceRule, memory: Memory, seen: Seen) -> list[float]:
    """ln E with the arms swapped: the baseline is far below the candidate, unless the release is healthy."""
    ratio, absolute = signal.line
    b = min(max(memory.guess[0][0] / memory.guess[0][1], _EDGE), 1 - _EDGE)
    boundary = min(ratio * b + absolute, 1 - _EDGE)
    # The second rate of a pair is the candidate's under an alternative: a part of the way down to the baseline.
    assumed = [(b, boundary - part * (boundary - b)) for part in PARTS]
    chosen = bets_on(assumed, seen[3], seen[1], 1 / ratio, -absolute / ratio)
    return pay_off(chosen, seen[2], seen[3], seen[0], seen[1])


def _scores(signal: ToleranceRule, memory: Memory, seen: Seen) -> list[float]:
    ratio, absolute = signal.line
    n_c, n_t = seen[0], seen[3]
    mean_c, mean_t, variance = (min(max(x / n, 0.0), 1.0) for x, n in memory.guess)
    variance = max(variance, 1e-4)
    noise = variance / n_t + variance / (ratio * ratio * n_c)
    most = min(0.9 * n_t / largest_loss(1, mean_t), 0.9 * ratio * n_c / largest_loss(-1, mean_c))
    cells = (
        (1.0, n_t, seen[4] / _STEPS, seen[5] / _STEPS / _STEPS, mean_t),
        (-1 / ratio, n_c, seen[1] / _STEPS, seen[2] / _STEPS / _STEPS, mean_c),
    )
    steps = [max(part * ((ratio - 1) * mean_t + absolute) / ratio, 1e-6) for part in PARTS]
    return [log_evidence_of_moments(min(step / noise, most), cells, -absolute / ratio) for step in steps]


def _past(rule: HealthRule, signal: ToleranceRule, row: Row) -> list[float] | None:
    """ln E against past weeks; None when the row or its hour of the week is not known."""
    block, hours = usable(signal, row, Arm.candidate), rule.past[signal.signal]
    low, usual = hours[hour_of(row.start)] if hours else (-1, -1)
    if block is None or low < 0:
        return None
    ratio, absolute = signal.line
    return log_evidence_of_less(block.bad, block.scored, ratio * low / 1e9 + absolute, usual / 1e9, PARTS)


def _sentence(rule: HealthRule, answer: str, missing: Sequence[str], bound: Guarantee) -> str:
    claim = (
        f"a candidate {_worse(rule)} would get this certificate in at most {plain(rule.beta * 100)} % of cases"
        f"{', if past weeks are a fair comparison' if 'no_control' in bound.reasons else ''}"
    )
    if answer == "certified":
        return f"Healthy: {claim}."
    waits = {
        "min_time": f"it has not been watched for {span(rule.block * rule.min_rows)}",
        "verdict": "the watch does not say ok",
    }
    said = "; ".join(waits.get(name) or f"{words(name)} is not shown to be healthy" for name in missing)
    if answer == "not_yet":
        return f"Not certified yet: {said}."
    why = f": {said}" if missing else ""
    return (
        f"Not certified within {span(rule.block * rule.max_rows)}{why}. Neither healthy nor harmed; a person decides."
    )


def _worse(rule: HealthRule) -> str:
    """`at least twice as bad as the baseline or 5 percentage points worse in accuracy`."""
    said = []
    ratios = [signal for signal in rule.signals if "ratio" in signal.tolerance]
    if ratios:
        ratio = ratios[0].ratio
        said.append(f"at least {'twice' if ratio == 2 else f'{plain(ratio)} times'} as bad as the baseline")
    for signal in rule.signals:
        if signal not in ratios:
            by = signal.tolerance["absolute"]
            amount = plain(by) if signal.kind == "score" else share(signal, by, "percentage points")
            said.append(f"at least {amount} worse in {words(signal.signal)}")
    return " or ".join(said)
