"""How a workflow answers a signed decision: the one Update every decidable workflow has is called `decide`."""

from __future__ import annotations

from collections.abc import Callable

from temporalio.exceptions import ApplicationError

from countermand.governance.decision import Decision, Refused
from countermand.plan.target import Value

UPDATE = "decide"
REFUSED = "Refused"


class Answer(Value):
    """What a person hears after an accepted decision."""

    status: str
    sentence: str
    have: int = 0
    need: int = 0


def refuse_in_words(rule: Callable[[Decision], object], decision: Decision) -> None:
    """Run a rule; turn Refused into the failure that travels to the caller with its reason code."""
    try:
        rule(decision)
    except Refused as error:
        raise ApplicationError(
            str(error), error.code.value, error.detail, error.next, type=REFUSED, non_retryable=True
        ) from error
