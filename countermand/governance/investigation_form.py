"""The form of a targeted investigation: what people have to say before anybody may decide (GOV-33)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from countermand.canonical import digest
from countermand.governance.decision import Decision, Refusal, Refused

#: Most characters of one field.
MAX_FIELD = 2_000


class Outcome(StrEnum):
    """What a fairness reviewer can find (GOV-34)."""

    revert = "revert"
    adjust = "adjust"
    continue_ = "continue"
    insufficient_evidence = "insufficient_evidence"


class TargetIs(StrEnum):
    """How the rollback target serves the same groups, compared with the candidate."""

    better = "better"
    equal = "equal"
    worse = "worse"


class Field(NamedTuple):
    """One required field. choices: the only words that are accepted; none: a text."""

    name: str
    asks: str
    choices: tuple[str, ...] = ()


FIELDS = (
    Field("groups", "Which groups of people are affected?"),
    Field("membership", "How was it known who belongs to them?"),
    Field("protected", "Does membership rest on a protected attribute?", ("yes", "no")),
    Field("samples", "Where are the sampled prompts and outputs? Name the evidence, do not copy it here."),
    Field("accessibility", "What does it mean for people who use assistive technology?"),
    Field("cause", "What is the suspected cause?"),
    Field("target_is", "Are the same groups served better, equally or worse by the rollback target?", tuple(TargetIs)),
    Field("target_why", "How is that known?"),
    Field("guardrail_change", "Alternative: could a guardrail be changed instead?"),
    Field("feature_adjustment", "Alternative: could the feature be adjusted instead?"),
    Field("exposure_limit", "Alternative: could exposure be limited, for everybody alike?"),
    Field("recommendation", "What is recommended?", tuple(Outcome)),
    Field("recommendation_why", "Why?"),
)
_BY_NAME = {field.name: field for field in FIELDS}
#: Fields whose words come from a closed set.
CHOSEN = tuple(field.name for field in FIELDS if field.choices)
#: Fields that hold what people typed.
TYPED = tuple(field.name for field in FIELDS if not field.choices)

Form = Mapping[str, str]


def filled(before: Form, decision: Decision) -> dict[str, str]:
    """The form with the fields of this decision in place of the earlier ones. Raises Refused."""
    given = {name: text.strip() for name, text in decision.terms.items() if text.strip()}
    if not given:
        raise Refused(Refusal.wrong_state, "no field is filled in.", f"Fill in one of: {', '.join(_BY_NAME)}.")
    for name, text in given.items():
        field = _BY_NAME.get(name)
        if field is None:
            raise Refused(
                Refusal.wrong_state, f"{name!r} is no field of the form.", f"Fields are: {', '.join(_BY_NAME)}."
            )
        if field.choices and text not in field.choices:
            raise Refused(
                Refusal.wrong_state,
                f"{name}: {text[:60]!r} is not accepted.",
                f"Accepted: {', '.join(field.choices)}.",
            )
        if len(text) > MAX_FIELD:
            raise Refused(
                Refusal.wrong_state,
                f"{name} has {len(text)} characters; at most {MAX_FIELD} are accepted.",
                "Shorten it, and name the evidence for the rest.",
            )
    return {**before, **given}


def missing(form: Form) -> tuple[str, ...]:
    """Names of required fields that are empty, in the order of the form."""
    return tuple(field.name for field in FIELDS if not form.get(field.name, "").strip())


def form_digest(investigation_id: str, form: Form, slices_sha256: str) -> str:
    """What a finding is signed on: the form as it stands, and the numbers that were generated for it."""
    return digest({"investigation_id": investigation_id, "form": dict(form), "slices": slices_sha256})


Ended = Literal["revert", "adjust", "continue", "lapsed"]


def outcome_of(terms: Mapping[str, Any]) -> Outcome:
    """The outcome somebody decided on. Raises Refused."""
    said = str(terms.get("outcome", ""))
    if said not in tuple(Outcome):
        raise Refused(Refusal.wrong_state, f"outcome {said!r} is not known.", f"Accepted: {', '.join(Outcome)}.")
    return Outcome(said)
