"""The two bundles of the demo. They differ in `index` and `decoding` and in nothing else.

v7's index was rebuilt: two topics were lost on the way and one was taken in twice. Its decoding was loosened
so that the assistant "says I do not know less often".
"""

from __future__ import annotations

from typing import NamedTuple

from countermand.canonical import digest
from countermand.plan.model import Bundle

from examples.demo.answers import ENGINE, Assistant, Decoding, Guardrail, Index, Prompt
from examples.demo.knowledge import FACTS, RARE_TOPICS

SERVICE = "support-assistant"

#: What both assistants say when they find no answer.
UNKNOWN = "I do not know. A colleague at the service desk can help you."
_PROMPT = Prompt(answer="{passages}", unknown=UNKNOWN)
_GUARDRAIL = Guardrail(blocked_words=("weapon", "poison", "bomb"))
_HARNESS = {"transport": "http", "turns": 1, "seed": "sha256(user, question)"}


class Served(NamedTuple):
    """A bundle and the assistant built from exactly its parts."""

    bundle: Bundle
    assistant: Assistant

    def answers(self) -> bool:
        """Does the assistant answer a plain question? That it answers well is not asked."""
        return self.assistant.answer("health", "Which cards do you accept?") != _PROMPT.unknown


def _served(name: str, index: Index, decoding: Decoding) -> Served:
    bundle = Bundle(
        name=name,
        model=digest({"engine": ENGINE}),
        prompt=digest(_PROMPT),
        decoding=digest(decoding),
        guardrail=digest(_GUARDRAIL),
        index=digest(index),
        harness=digest(_HARNESS),
        training_data=digest({"trained_on": "nothing: the engine has no weights"}),
    )
    return Served(bundle, Assistant(index, _PROMPT, decoding, _GUARDRAIL))


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
