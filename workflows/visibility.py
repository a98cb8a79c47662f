"""What people see of a workflow in the Temporal UI: typed search attributes and one sentence of details."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

ENVIRONMENT = SearchAttributeKey.for_keyword("CountermandEnvironment")
SERVICE = SearchAttributeKey.for_keyword("CountermandService")
RELEASE = SearchAttributeKey.for_keyword("CountermandRelease")
SEVERITY = SearchAttributeKey.for_keyword("CountermandSeverity")
PHASE = SearchAttributeKey.for_keyword("CountermandPhase")
WAITING_FOR = SearchAttributeKey.for_keyword("CountermandWaitingFor")

ALL = (ENVIRONMENT, SERVICE, RELEASE, SEVERITY, PHASE, WAITING_FOR)


def labels(environment: str, service: str, release_id: str, severity: str = "none") -> TypedSearchAttributes:
    """The attributes a workflow starts with."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(ENVIRONMENT, environment),
            SearchAttributePair(SERVICE, service),
            SearchAttributePair(RELEASE, release_id),
            SearchAttributePair(SEVERITY, severity),
            SearchAttributePair(PHASE, "starting"),
            SearchAttributePair(WAITING_FOR, "nothing"),
        ]
    )


def show(phase: str, sentence: str, waiting_for: str = "nothing") -> None:
    """Say in the Temporal UI what this workflow does and which roles it waits for.

    Nothing encrypts this: no name of a person, nothing that somebody typed, measured or answered belongs in here.
    """
    workflow.set_current_details(sentence)
    workflow.upsert_search_attributes([PHASE.value_set(phase), WAITING_FOR.value_set(waiting_for)])
