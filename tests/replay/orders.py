"""What a workflow orders, read from a recorded history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Attributes of the events that an order of a step leaves, and what names the step there.
_STEPS = {
    "activityTaskScheduledEventAttributes": "activityType",
    "startChildWorkflowExecutionInitiatedEventAttributes": "workflowType",
}


def steps(history: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Activities and child workflows in their order: the attributes of each and, inside them, its type."""
    for event in history["events"]:
        for attributes, kind in _STEPS.items():
            if attributes in event:
                yield event[attributes], event[attributes][kind]


def kinds(history: dict[str, Any]) -> frozenset[str]:
    """What happens in it at all, in whatever order: kinds of events and names of steps."""
    return frozenset(kind["name"] for _, kind in steps(history)) | {event["eventType"] for event in history["events"]}


def workflow_of(history: dict[str, Any]) -> str:
    """The name of the workflow that wrote it."""
    return str(history["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"])
