"""The closed taxonomy that lessons are found by (LRN-15), and which lessons match a playbook (LRN-16)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator

from countermand.playbook.model import Playbook
from countermand.playbook.signals import SignalFamily
from countermand.playbook.terms import Part

Group = Literal["family", "failure", "context", "member", "control"]

#: Every group of tags with its words, in the order in which people read them.
TAGS: dict[Group, tuple[str, ...]] = {
    "family": tuple(family.value for family in SignalFamily),
    "failure": (
        *("drift", "regression", "hostile_input", "poisoned_data", "stale_index", "configuration", "capacity"),
        *("blind_source", "late_labels", "threshold_too_loose", "threshold_too_tight", "missing_criterion"),
        *("slow_decision", "people_unreachable", "target_failed", "unclear_message", "partial_revert"),
    ),
    "context": (
        *("conversational_agent", "image_generator", "data_augmentation"),
        *("retrieval", "agent_tool_use"),
    ),
    "member": get_args(Part),
    "control": (
        *("watch", "gate", "approval", "evidence_freeze", "staged_revert", "way_back", "verification"),
        *("communication", "obligation", "rollout", "rehearsal", "access"),
    ),
}


def _known(tag: str) -> str:
    group, _, word = tag.partition(":")
    known = next((words for name, words in TAGS.items() if name == group), None)
    if known is None:
        raise ValueError(f"{tag!r} is no tag; write one as {'|'.join(TAGS)}:word")
    if word not in known:
        raise ValueError(f"{tag!r} is not in the taxonomy; {group} knows {', '.join(known)}")
    return tag


#: `group:word`.
Tag = Annotated[str, AfterValidator(_known)]


def tags_of(playbook: Playbook) -> frozenset[str]:
    """The tags a playbook has by itself: the families of its signals and its context."""
    families = {f"family:{signal.family.value}" for signal in playbook.detection.signals.values()}
    return frozenset({*families, f"context:{playbook.context.value}"})


def matches(lesson: Iterable[str], playbook: Collection[str]) -> bool:
    """Whether a lesson with these tags is about a playbook with those.

    In each of the groups family and context in which the lesson says something, one of its words has to be the
    playbook's; a lesson that says nothing in both is about no playbook in particular.
    """
    tags = list(lesson)
    said = [[tag for tag in tags if tag.startswith(f"{group}:")] for group in ("family", "context")]
    return any(said) and all(any(tag in playbook for tag in group) for group in said if group)
