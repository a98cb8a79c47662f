"""Is it enough that the system says so, or must it be seen in traffic as well (TGT-9)? Pure."""

from __future__ import annotations

from typing import Literal

from countermand.plan.target import CheckResult, CheckWord, Value
from countermand.playbook.way_back import Observing


class TrafficJudgement(Value):
    """Whether a stage has happened, and on what that rests.

    basis: `verified` when both checks passed; `configured_only` when only the system says so and the playbook takes
    that; None when the stage has not happened or nobody knows. sentence: says the same in words.
    """

    word: CheckWord
    basis: Literal["verified", "configured_only"] | None
    sentence: str


def traffic_suffices(policy: Observing, configured: CheckResult, observed: CheckResult) -> TrafficJudgement:
    """Both checks must pass; under `best_effort` what stays unknown in traffic is taken as configured only.

    To be asked once the time limit is over or both checks are decided. A failed check always fails, and a
    configuration that cannot be read is never enough.
    """
    if CheckWord.failed in (configured.word, observed.word):
        failed = configured if configured.word is CheckWord.failed else observed
        return TrafficJudgement(word=CheckWord.failed, basis=None, sentence=failed.sentence)
    if configured.word is CheckWord.unknown:
        return TrafficJudgement(word=CheckWord.unknown, basis=None, sentence=configured.sentence)
    if observed.word is CheckWord.passed:
        return TrafficJudgement(word=CheckWord.passed, basis="verified", sentence=observed.sentence)
    if policy == "best_effort":
        return TrafficJudgement(
            word=CheckWord.passed,
            basis="configured_only",
            sentence=f"configured only: {configured.sentence} What users get is not known: {observed.sentence}",
        )
    return TrafficJudgement(word=CheckWord.unknown, basis=None, sentence=observed.sentence)
