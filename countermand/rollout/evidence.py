"""What one step of a rollout has shown: a certificate of health on rows since the step began (detection.md §8).

The absence of a trigger promotes nothing. A trigger, or no certificate in time, ends the step.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from countermand.detection import health
from countermand.detection.blocks import Arm, Row
from countermand.detection.evaluator import Evaluator
from countermand.detection.models import VerdictWord
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection
from countermand.rollout.plan import RolloutStep


class StepSeen(Value):
    """What is known of a step. Only `certified` lets it go on."""

    word: Literal["certified", "not_yet", "not_certified", "trigger"]
    sentence: str
    signals: tuple[str, ...] = ()
    certificate: dict[str, Any] | None = None


class StepEvidence:
    """Judges rows in the order in which they are stored. Raises ValueError for a playbook without `health`."""

    def __init__(self, detection: Detection, step: RolloutStep, since: datetime) -> None:
        if detection.health is None:
            raise ValueError("nothing goes forward without `detection.health`")
        self._required = detection.health.required
        self._kinds = {signal: detection.signals[signal].kind for signal in self._required}
        own = detection.health.model_copy(update={"min_time": step.at_least, "time_limit": step.time_limit})
        rule = health.compile_health(detection.model_copy(update={"health": own}))
        assert rule is not None  # noqa: S101  # there is a `health`, see above
        self._rule = rule
        self._evaluator = Evaluator(detection)
        self._since = since
        self._before: list[Row] = []
        self._state: health.HealthState | None = None
        self._counts = {(signal, arm): (0, 0) for signal in self._required for arm in Arm}
        self.seen = StepSeen(word="not_yet", sentence="Nothing has been judged since the step began.")

    def take(self, row: Row) -> None:
        """Judge one more row; a verdict that is reached stays."""
        verdict = self._evaluator.judge(row)
        if row.late_of is not None or self.seen.word != "not_yet":
            return
        if row.start < self._since:
            self._before.append(row)
            return
        if verdict.word is VerdictWord.trigger:
            self.seen = StepSeen(word="trigger", sentence=verdict.sentence)
            return
        state = self._state or health.start(self._rule, self._before)
        self._state, certificate = health.step(self._rule, state, row, verdict.word)
        self._count(row)
        self.seen = StepSeen(
            word=certificate.word,
            sentence=f"{certificate.sentence} {self.sample}",
            signals=self._required if certificate.word == "certified" else (),
            certificate=certificate.model_dump(mode="json"),
        )

    @property
    def sample(self) -> str:
        """How much was seen since the step began."""
        said = []
        for signal in self._required:
            counts = {arm: self._counts[signal, arm] for arm in Arm}
            rate = self._kinds[signal] != "score"
            parts = [
                f"{arm.value} {f'{bad:,} bad of ' if rate else ''}{scored:,}" for arm, (bad, scored) in counts.items()
            ]
            said.append(f"{signal.replace('_', ' ')}: {', '.join(parts)}")
        return f"Seen since the step began: {'; '.join(said)}."

    def _count(self, row: Row) -> None:
        for block in row.blocks:
            known = self._counts.get((block.signal, block.arm))
            if known is not None and block.segment == "all":
                self._counts[block.signal, block.arm] = (known[0] + block.bad, known[1] + block.scored)
