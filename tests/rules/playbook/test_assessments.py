"""What a playbook may say about labels on traces."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from countermand.playbook.assessments import AssessmentQuery


@pytest.mark.parametrize(("written", "meant"), [(False, "no"), (True, "yes"), ("No", "no"), (" yes ", "yes")])
def test_the_bad_answer_may_be_a_word_or_a_boolean(written: object, meant: str) -> None:
    query = AssessmentQuery.model_validate({"assessment": "x", "by": "CODE", "bad_when": written})
    assert query.bad_when == meant
    assert AssessmentQuery.model_validate(query.model_dump()) == query


@pytest.mark.parametrize(
    "changes", [{"by": "AI"}, {"bad_when": "bad"}, {"bad_when": 0}, {"assessment": "a\nb"}, {"url": "http://x"}]
)
def test_anything_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AssessmentQuery.model_validate({"assessment": "x", "by": "CODE", "bad_when": "no"} | changes)


@pytest.mark.parametrize(
    ("kind", "by", "bad_when", "said"),
    [
        ("rate", "LLM_JUDGE", "no", None),
        ("judgement", "HUMAN", "yes", None),
        ("score", "CODE", None, None),
        ("categories", "HUMAN", None, None),
        ("rate", "LLM_JUDGE", None, "bad_when"),
        ("judgement", "LLM_JUDGE", "no", "by: HUMAN"),
        ("score", "CODE", "no", "leave `bad_when` out"),
        ("gap", "CODE", None, "takes no `query`"),
        ("missing", "CODE", None, "takes no `query`"),
    ],
)
def test_a_query_fits_the_kind_of_its_signal(kind: str, by: str, bad_when: str | None, said: str | None) -> None:
    query = AssessmentQuery.model_validate({"assessment": "x", "by": by, "bad_when": bad_when})
    why = query.misfit(kind)
    assert why is None if said is None else said in (why or "")
