"""A lesson as the beginning of something: a rehearsal scenario, or a criterion that is only watched (LRN-17)."""

from __future__ import annotations

import io
from typing import Any, Literal

from ruamel.yaml import YAML

from countermand.learning.lessons import Lesson


def stub(lesson: Lesson, as_: Literal["scenario", "criterion"]) -> str:
    """YAML that a person finishes. It names the lesson, so that the link stays; what is missing does not parse yet."""
    return _yaml(_scenario(lesson) if as_ == "scenario" else _criterion(lesson))


def _words(lesson: Lesson, group: str) -> list[str]:
    return [tag.partition(":")[2] for tag in lesson.body.tags if tag.startswith(f"{group}:")]


def _scenario(lesson: Lesson) -> dict[str, Any]:
    return {
        "id": lesson.lesson_id,
        "title": lesson.body.title,
        "version": 1,
        "context": next(iter(_words(lesson, "context")), "conversational_agent"),
        "learning_objectives": [lesson.body.text[:300], f"from {lesson.lesson_id}"],
        "world": {},
        "expected_decisions": [],
        "forbidden": [],
    }


def _criterion(lesson: Lesson) -> dict[str, Any]:
    return {
        "id": lesson.lesson_id.replace("-", "_"),
        "shadow": True,
        "protects": {"kind": "safety", "what": f"{lesson.body.title} ({lesson.lesson_id})"},
        "families": _words(lesson, "family"),
        "any": [],
    }


def _yaml(value: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = YAML(pure=True)
    writer.default_flow_style = False
    writer.dump(value, out)
    return out.getvalue()
