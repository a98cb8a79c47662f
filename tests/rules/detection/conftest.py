"""What the tests of detection share: playbook fragments, rows, and counts drawn with a fixed seed."""

from __future__ import annotations

import math
import os
import random
from bisect import bisect
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest

from countermand.detection.models import Arm, Block, BlockState, Row, Verdict
from countermand.detection.rules import Rule, compile_rules
from countermand.detection.state import State, made
from countermand.detection.watch import advance, start, step
from countermand.playbook.criteria import Detection

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Counts = tuple[int, int]

#: The fields of a row that need not be given.
_EMPTY = {name: field.default for name, field in Row.model_fields.items() if not field.is_required()}


@lru_cache
def _cumulative(n: int, p: float) -> tuple[float, ...]:
    total, sums = 0.0, []
    for k in range(n + 1):
        total += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(p)
            + (n - k) * math.log1p(-p)
        )
        sums.append(total)
        if total > 1 - 1e-12:
            break
    return tuple(sums)


def moments(scores: list[float]) -> dict[str, int]:
    """Fields of a score block, from scores in [0, 1]."""
    steps = [int(score * 10_000 + 0.5) for score in scores]
    n = len(steps)
    return {"served": n, "scored": n, "sum": sum(steps), "sumsq": sum(step * step for step in steps)}


class Traffic:
    """Counts of bad outputs, drawn with a fixed seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311

    def bad(self, n: int, p: float) -> int:
        return self.quantile(n, p, self.draw.random())

    def scores(self, n: int, mean: float, spread: float) -> list[float]:
        """Scores between 0 and 1 with about this mean and standard deviation (Beta)."""
        size = mean * (1 - mean) / spread**2 - 1
        return [self.draw.betavariate(mean * size, (1 - mean) * size) for _ in range(n)]

    def latencies(self, n: int, factor: float = 1.0) -> dict[int, int]:
        """Buckets of n log-normal latencies with median 500 · factor ms."""
        found: dict[int, int] = {}
        for _ in range(n):
            value = 500 * factor * math.exp(self.draw.gauss(0, 0.5))
            bucket = math.ceil(math.log(value) / math.log(1.05))
            found[bucket] = found.get(bucket, 0) + 1
        return found

    def mix(self, n: int, shares: list[float]) -> list[int]:
        """How often each category came among n outputs."""
        counts, left, rest = [], n, 1.0
        for share in shares[:-1]:
            here = self.bad(left, min(share / rest, 1.0)) if left and rest > 1e-12 else 0
            counts.append(here)
            left, rest = left - here, rest - share
        return [*counts, left]

    @staticmethod
    def quantile(n: int, p: float, u: float) -> int:
        return bisect(_cumulative(n, p), u)


@lru_cache(100_000)
def _sealed(signal: str, arm: Arm, bad: int, scored: int) -> Block:
    return Block(signal=signal, arm=arm, state=BlockState.ok, served=scored, scored=scored, bad=bad)


class Bench:
    """Builders with sensible values, so that a test states only what it is about."""

    traffic = Traffic
    moments = staticmethod(moments)

    def detection(self, triggers: list[dict[str, Any]] | None = None, **changes: Any) -> Detection:
        signal = {
            "kind": "rate",
            "bad": "higher",
            "expect": "0.005",
            "family": "model_quality",
            "meaning": "answers that the judge marks as wrong",
            "source": "judge",
            "unit": "answer",
            "show": "per_10000",
        }
        tolerant = [{"id": "truth", "any": [{"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}]}]
        common = {"severity": "sev2", "protects": {"kind": "user_impact", "what": "people who ask"}}
        fields = {
            "block": "60s",
            "watch": "24h",
            "sustain": "5m",
            "lateness": "10s",
            "dispersion": "1",
            "false_alarms": {"per_release": "0.01", "reserve": "0.1"},
            "signals": {"hallucinations": signal},
            **changes,
        }
        given = {name: {**signal, **spec} for name, spec in fields["signals"].items()}
        fields["signals"] = {
            name: {key: value for key, value in spec.items() if value is not None} for name, spec in given.items()
        }
        # The severe lane has tests of its own; elsewhere one lane keeps the arithmetic in sight.
        common |= {"severe": "none"}
        fields["triggers"] = [{**common, **trigger} for trigger in triggers or tolerant]
        return Detection.model_validate(fields)

    def rule(self, triggers: list[dict[str, Any]] | None = None, **changes: Any) -> Rule:
        """The first rule of a playbook fragment."""
        return compile_rules(self.detection(triggers, **changes))[0]

    def block(
        self, arm: Arm, bad: int, scored: int, *, signal: str = "hallucinations", served: int | None = None
    ) -> Block:
        return Block(
            signal=signal,
            arm=arm,
            state=BlockState.ok,
            served=scored if served is None else served,
            scored=scored,
            bad=bad,
        )

    def signal_rule(self, spec: dict[str, Any], tolerate: dict[str, str], **changes: Any) -> Rule:
        """The rule of one trigger on one signal `s`, beside a rate `hallucinations` and a score `utility`."""
        utility = {"kind": "score", "bad": "lower", "range": ["1", "5"], "expect": None, "show": None}
        full = {"bad": None, "expect": None, "show": None, **spec}
        return self.rule(
            [{"id": "t", "any": [{"signal": "s", "tolerate": tolerate, **changes.pop("criterion", {})}]}],
            signals={"s": full, "hallucinations": {}, "utility": utility, **changes.pop("signals", {})},
            **changes,
        )

    def unknown(self, arm: Arm, reason: str = "no_traffic", signal: str = "hallucinations") -> Block:
        return Block(signal=signal, arm=arm, state=BlockState.unknown, reason=reason, served=0, scored=0, bad=0)

    def filled(self, arm: Arm, signal: str = "s", segment: str = "all", **fields: Any) -> Block:
        """A block of any kind of signal; what is scored was served."""
        fields.setdefault("served", fields.get("scored"))
        return Block(signal=signal, arm=arm, segment=segment, state=BlockState.ok, **fields)

    def row(self, seq: int, *blocks: Block, block: str = "60s", late_of: int | None = None) -> Row:
        start = MIDNIGHT + seq * timedelta(minutes=1)
        return Row.model_validate({"seq": seq, "start": start, "block": block, "late_of": late_of, "blocks": blocks})

    def counted(self, seq: int, candidate: Counts, baseline: Counts, signal: str = "hallucinations") -> Row:
        """A row with (bad, scored) of both arms of one signal; made without checks, because simulations need many."""
        blocks = _sealed(signal, Arm.candidate, *candidate), _sealed(signal, Arm.baseline, *baseline)
        return made(Row, **{**_EMPTY, "seq": seq, "start": MIDNIGHT + seq * MINUTE, "block": MINUTE, "blocks": blocks})

    def dark(self, seq: int) -> Row:
        """A row in which the candidate served nothing."""
        return self.row(seq, self.unknown(Arm.candidate), self.block(Arm.baseline, 5, 1000))

    def watch(self, rule: Rule, rows: list[Row]) -> Iterator[tuple[State, Verdict]]:
        """State and verdict after each row."""
        state = start(rule)
        for row in rows:
            state, verdict = step(rule, state, row)
            yield state, verdict

    def fires(self, rule: Rule, rows: Iterable[Row]) -> int | None:
        """Rows until the trigger fires, or None."""
        state = start(rule)
        for row in rows:
            state = advance(rule, state, row)
            if state.latched_at is not None:
                return state.rows
        return None

    def last(self, rule: Rule, rows: list[Row]) -> tuple[State, Verdict]:
        return list(self.watch(rule, rows))[-1]


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def full() -> bool:
    """`make test-detection-full`: all the watches of the design sheet instead of 200."""
    return os.environ.get("COUNTERMAND_FULL") == "1"
