"""TGT-9: configured and observed are never merged; what was not seen is never called seen."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from pydantic import ValidationError

from countermand.plan.target import CheckResult, CheckWord
from countermand.plan.traffic import traffic_suffices
from countermand.playbook.way_back import Observing, TrafficVerification

PASSED, FAILED, UNKNOWN = CheckWord.passed, CheckWord.failed, CheckWord.unknown


def check(name: str, word: CheckWord) -> CheckResult:
    return CheckResult(name=name, word=word, sentence=f"{name} is {word}.")


@pytest.mark.parametrize(("policy", "configured", "observed"), [*product(get_args(Observing), CheckWord, CheckWord)])
def test_tgt_9_a_stage_has_happened_only_when_both_pass_or_traffic_is_unknown_and_need_not_be_known(
    policy: Observing, configured: CheckWord, observed: CheckWord
) -> None:
    judged = traffic_suffices(policy, check("configured", configured), check("observed", observed))
    if (configured, observed) == (PASSED, PASSED):
        assert (judged.word, judged.basis) == (PASSED, "verified")
    elif (policy, configured, observed) == ("best_effort", PASSED, UNKNOWN):
        assert (judged.word, judged.basis) == (PASSED, "configured_only")
    elif FAILED in (configured, observed):
        assert (judged.word, judged.basis) == (FAILED, None)
    else:
        assert (judged.word, judged.basis) == (UNKNOWN, None)


def test_tgt_9_configured_only_says_so_and_says_what_is_not_known() -> None:
    judged = traffic_suffices("best_effort", check("configured", PASSED), check("observed", UNKNOWN))
    assert judged.sentence == ("configured only: configured is pass. What users get is not known: observed is unknown.")
    assert "seen in traffic" not in judged.sentence


@pytest.mark.parametrize(("configured", "said"), [(FAILED, "configured is fail."), (PASSED, "observed is fail.")])
def test_the_sentence_of_a_failure_is_that_of_the_check_that_failed(configured: CheckWord, said: str) -> None:
    assert traffic_suffices("best_effort", check("configured", configured), check("observed", FAILED)).sentence == said


def test_a_playbook_that_says_nothing_requires_traffic_and_knows_no_third_way() -> None:
    times = {"settle": "1s", "time_limit": "45s"}
    assert TrafficVerification.model_validate(times).observed == "required"
    assert TrafficVerification.model_validate(times | {"observed": "best_effort"}).observed == "best_effort"
    with pytest.raises(ValidationError, match="'required' or 'best_effort'"):
        TrafficVerification.model_validate(times | {"observed": "ignored"})
