"""Verdicts made by the real detection core from stated counts."""

from __future__ import annotations

from datetime import UTC, datetime

from countermand.detection.models import Arm, Block, BlockState, Row, VerdictWord, WatchVerdict
from countermand.detection.rules import compile_rules
from countermand.detection.watch import combine, start, step
from countermand.playbook.model import Detection


def triggered(detection: Detection, bad: dict[Arm, int], *, scored: int, rows: int = 60) -> WatchVerdict:
    """The verdict of the first row that fires. Raises AssertionError when nothing fires."""
    rules = compile_rules(detection)
    states = [start(rule) for rule in rules]
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    for seq in range(rows):
        blocks = tuple(
            Block(signal=signal, arm=arm, state=BlockState.ok, served=scored, scored=scored, bad=bad[arm])
            for signal in detection.signals
            for arm in Arm
        )
        row = Row(seq=seq, start=begin + seq * detection.block, block=detection.block, blocks=blocks)
        stepped = [step(rule, state, row) for rule, state in zip(rules, states, strict=True)]
        states = [state for state, _ in stepped]
        verdict = combine([one for _, one in stepped])
        if verdict.word is VerdictWord.trigger:
            return verdict
    raise AssertionError(f"nothing fired within {rows} rows")
