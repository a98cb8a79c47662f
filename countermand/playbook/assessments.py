"""How a signal is read from the labels that judges and people attach to traces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from countermand.playbook.terms import Strict

AssessmentName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,250}$")]


def yes_or_no(value: object) -> object:
    """True → `yes`, False → `no`, "Yes" → `yes`; what is neither stays as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.strip().lower() if isinstance(value, str) else value


class AssessmentQuery(Strict):
    """Labels that judges or people attach to traces (MLflow)."""

    assessment: AssessmentName = Field(description="Name of the assessment that holds the label.")
    by: Literal["LLM_JUDGE", "HUMAN", "CODE"] = Field(
        description="Who labels, as MLflow calls it. Labels of others under the same name are another signal."
    )
    bad_when: Annotated[Literal["yes", "no"], BeforeValidator(yes_or_no)] | None = Field(
        None, description="Which answer is bad: yes (or true) or no (or false). For rates and people's labels only."
    )

    def misfit(self, kind: str) -> str | None:
        """Why a signal of this kind cannot be read this way; None when it can."""
        shares = ("rate", "judgement")
        if kind not in (*shares, "score", "latency", "categories"):
            return f"a signal of kind {kind} is not read from assessments; it takes no `query`"
        if kind == "judgement" and self.by != "HUMAN":
            return f"a signal of kind judgement is labelled by people; write by: HUMAN instead of {self.by!r}"
        if kind in shares and self.bad_when is None:
            return "say which answer is bad: bad_when: no (or yes)"
        if kind not in shares and self.bad_when is not None:
            return f"a signal of kind {kind} has no bad answer; leave `bad_when` out"
        return None
