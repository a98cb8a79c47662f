"""The certificate of health: positive evidence that a candidate is not as bad as that (detection.md §8).

It tests the opposite hypothesis, badness of the candidate ≥ `ratio` × badness of the baseline, with the arms
swapped. The absence of a trigger is not evidence; no data certifies nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil, floor, log
from typing import Literal

from countermand import canonical
from countermand.detection.blocks import Sealed
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, bets_on, log_mean, micronats, pay_off
from countermand.detection.figures import span
from countermand.detection.guesses import tempering
from countermand.detection.kinds.kind import Seen
from countermand.detection.kinds.table import KINDS
from countermand.detection.models import CORE, Row, VerdictWord
from countermand.detection.moments import largest_loss, log_evidence_of_moments
from countermand.detection.rules import tolerance_rule
from countermand.detection.state import Memory
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.playbook.signals import Tolerance
from countermand.playbook.units import Duration, Number, plain

#: How far below the boundary the alternatives lie, as parts of the way to the baseline.
PARTS = (0.25, 0.5, 0.75, 1.0)

#: Good behaviour must last this many blocks.
BLOCKS = 3

_EDGE = 1e-6
_STEPS = 10_000


class HealthRule(Sealed):
    """What must be shown: every signal better than `ratio` times the baseline, with probability 1 − `beta`."""

    core: str = CORE
    ratio: Number
    beta: Number
    min_rows: int
    block: Duration
    dispersion: Number
    signals: tuple[ToleranceRule, ...]

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
    """What the certificate keeps between rows."""

    rule: str
    rows: int = 0
    signals: tuple[SignalHealth, ...]


class Certificate(Value):
    """The answer after one row. `certified` needs every signal, enough time, no evidence of harm and data now."""

    rule: str
    seq: int
    word: Literal["certified", "not_yet"]
    missing: tuple[str, ...]
    row: str
    sentence: str


def compile_health(detection: Detection) -> HealthRule | None:
    """The rule of the certificate; None when the playbook asks for none."""
    health = detection.health
    if health is None:
        return None
    return HealthRule(
        ratio=health.not_worse_than,
        beta=1 - health.confidence,
        min_rows=-(-health.min_time // detection.block),
        block=detection.block,
        dispersion=detection.dispersion,
        signals=tuple(
            tolerance_rule(detection, name, Tolerance(ratio=health.not_worse_than)) for name in health.required
        ),
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
    after = HealthState(rule=state.rule, rows=state.rows + 1, signals=signals)
    missing = [
        rule_of.signal
        for rule_of, own in zip(rule.signals, signals, strict=True)
        if own.certified_at is None or not own.known
    ]
    if after.rows < rule.min_rows:
        missing.append("min_time")
    if word is not VerdictWord.ok:
        missing.append("verdict")
    certificate = Certificate(
        rule=rule.digest,
        seq=row.seq,
        word="not_yet" if missing else "certified",
        missing=tuple(missing),
        row=row.digest,
        sentence=_sentence(rule, missing),
    )
    return after, certificate


def _advance(rule: HealthRule, signal: ToleranceRule, state: SignalHealth, row: Row) -> SignalHealth:
    kind, memory = KINDS[signal.kind], state.memory
    seen = kind.look(signal, memory, row)
    evidence, certified = state.evidence, state.certified_at
    if seen is not None and memory.guess:
        phi = tempering(memory.noise[0], float(rule.dispersion), zero_tolerance=False)
        nats = _scores(rule, memory, seen) if signal.kind == "score" else _rates(rule, memory, seen)
        evidence = tuple(
            own + min(floor(value / phi * MICRO), rule.cap) for own, value in zip(evidence, nats, strict=True)
        )
        if certified is None and log_mean(evidence, len(evidence)) >= rule.limit:
            certified = row.seq
    return SignalHealth(
        evidence=evidence,
        memory=kind.learn(signal, memory, row),
        certified_at=certified,
        known=seen is not None,
    )


def _rates(rule: HealthRule, memory: Memory, seen: Seen) -> list[float]:
    """ln E with the arms swapped: the baseline is at most 1/ratio of the candidate, unless the release is healthy."""
    bad = float(rule.ratio)
    b = min(max(memory.guess[0][0] / memory.guess[0][1], _EDGE), 1 - _EDGE)
    boundary = min(bad * b, 1 - _EDGE)
    # The second rate of a pair is the candidate's under an alternative: a part of the way down to the baseline.
    assumed = [(b, boundary - part * (boundary - b)) for part in PARTS]
    chosen = bets_on(assumed, seen[3], seen[1], 1 / bad, 0.0)
    return pay_off(chosen, seen[2], seen[3], seen[0], seen[1])


def _scores(rule: HealthRule, memory: Memory, seen: Seen) -> list[float]:
    bad = float(rule.ratio)
    n_c, n_t = seen[0], seen[3]
    mean_c, mean_t, variance = (min(max(x / n, 0.0), 1.0) for x, n in memory.guess)
    variance = max(variance, 1e-4)
    noise = variance / n_t + variance / (bad * bad * n_c)
    most = min(0.9 * n_t / largest_loss(1, mean_t), 0.9 * bad * n_c / largest_loss(-1, mean_c))
    cells = (
        (1.0, n_t, seen[4] / _STEPS, seen[5] / _STEPS / _STEPS, mean_t),
        (-1 / bad, n_c, seen[1] / _STEPS, seen[2] / _STEPS / _STEPS, mean_c),
    )
    steps = [max(part * (bad - 1) * mean_t / bad, 1e-6) for part in PARTS]
    return [log_evidence_of_moments(min(step / noise, most), cells, 0.0) for step in steps]


def _sentence(rule: HealthRule, missing: Sequence[str]) -> str:
    claim = (
        f"a candidate at least {_times(rule)} as bad as the baseline would get this certificate in at most "
        f"{plain(rule.beta * 100)} % of cases"
    )
    if not missing:
        return f"Healthy: {claim}."
    waits = {
        "min_time": f"it has not been watched for {span(rule.block * rule.min_rows)}",
        "verdict": "the watch does not say ok",
    }
    said = [waits.get(name) or f"{name.replace('_', ' ')} is not shown to be healthy" for name in missing]
    return f"Not certified yet: {'; '.join(said)}."


def _times(rule: HealthRule) -> str:
    return "twice" if rule.ratio == 2 else f"{plain(rule.ratio)} times"
