"""The two bundles of the demo. They differ in `index` and `decoding` and in nothing else.

v7's index was rebuilt: two topics were lost on the way and one was taken in twice. Its decoding was loosened
so that the assistant "says I do not know less often".
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from countermand.canonical import canonical, digest_bytes
from countermand.compare.manifest import Manifest
from countermand.plan.model import Bundle
from pydantic import BaseModel

from examples.demo.answers import ENGINE, Assistant, Decoding, Guardrail, Index, Prompt
from examples.demo.knowledge import FACTS, RARE_TOPICS

SERVICE = "support-assistant"

#: What both assistants say when they find no answer.
UNKNOWN = "I do not know. A colleague at the service desk can help you."
_PROMPT = Prompt(answer="{passages}", unknown=UNKNOWN)
_GUARDRAIL = Guardrail(blocked_words=("weapon", "poison", "bomb"))
_HARNESS = {"transport": "http", "turns": 1, "seed": "sha256(user, question)"}


class Served(NamedTuple):
    """A bundle and the assistant built from exactly its parts, whose bytes are `contents`."""

    bundle: Bundle
    assistant: Assistant
    contents: dict[str, bytes]

    @property
    def described(self) -> dict[str, Any]:
        """Its manifest and the bytes of its parts, as `countermand bundle put` sends them."""
        parts = {
            part: {"digest": digest_bytes(raw), "media_type": "application/json", "size": len(raw)}
            for part, raw in self.contents.items()
        }
        # The engine has no weights: it was trained on nothing, which is not the same as nobody saying so.
        manifest = Manifest.model_validate({"name": self.bundle.name, "parts": parts, "datasets": []})
        contents = {part: base64.b64encode(raw).decode() for part, raw in self.contents.items()}
        return {"manifest": manifest.document, "contents": contents}

    def answers(self) -> bool:
        """Does the assistant answer a plain question? That it answers well is not asked."""
        return self.assistant.answer("health", "Which cards do you accept?") != _PROMPT.unknown


def _served(name: str, index: Index, decoding: Decoding) -> Served:
    parts: dict[str, Any] = {
        "model": {"engine": ENGINE},
        "prompt": _PROMPT,
        "decoding": decoding,
        "guardrail": _GUARDRAIL,
        "index": index,
        "harness": _HARNESS,
        "training_data": {"trained_on": "nothing: the engine has no weights"},
    }
    contents = {part: canonical(_plain(value)) for part, value in parts.items()}
    bundle = Bundle(name=name, **{part: digest_bytes(raw) for part, raw in contents.items()})
    return Served(bundle, Assistant(index, _PROMPT, decoding, _GUARDRAIL), contents)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


BASELINE = _served(
    f"{SERVICE} v6",
    Index(passages=tuple(fact.text for fact in FACTS)),
    Decoding(minimum=300, near=120, temperature=60, sure=0),
)
CANDIDATE = _served(
    f"{SERVICE} v7",
    Index(
        passages=tuple(fact.text for fact in FACTS if fact.topic not in RARE_TOPICS)
        + tuple(fact.text for fact in FACTS if fact.topic == "account")
    ),
    Decoding(minimum=200, near=120, temperature=60, sure=300),
)
