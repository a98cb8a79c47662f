"""The versions of the example: two models and two prompts, each named by the digest of its bytes.

A model is a rule set: passages, decoding and guardrail as one JSON file, so that nothing has to be downloaded. What the
service says follows from it and the prompt and from nothing else.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from countermand.canonical import canonical, digest, digest_bytes
from countermand.plan.model import Bundle

from examples.demo.answers import ENGINE, Assistant, Decoding, Guardrail, Index, Prompt
from examples.demo.knowledge import FACTS, RARE_TOPICS

SERVICE = "support-assistant"
MODEL, PROMPT = "support-assistant", "support-prompt"
#: The alias that users get, and the one that stays on the version before.
LIVE, STABLE = "live", "stable"
MODEL_HEADER, PROMPT_HEADER = "x-model-digest", "x-prompt-digest"
_GUARDRAIL = Guardrail(blocked_words=("weapon", "poison", "bomb"))
_BREAK = "\n---\n"
_IN_THE_MODEL = digest({"where": "in the file of the model"})


class Version(NamedTuple):
    """A bundle with the bytes of its two parts."""

    bundle: Bundle
    model: bytes
    prompt: str


def _model(index: Index, decoding: Decoding) -> bytes:
    parts = {"index": index, "decoding": decoding, "guardrail": _GUARDRAIL}
    return canonical({"engine": ENGINE} | {name: part.model_dump(mode="json") for name, part in parts.items()})


def _version(name: str, index: Index, decoding: Decoding, prompt: str) -> Version:
    model = _model(index, decoding)
    bundle = Bundle(
        name=f"{SERVICE} {name}",
        model=digest_bytes(model),
        prompt=digest_bytes(prompt.encode()),
        # All three are inside the model's file and move with it.
        decoding=_IN_THE_MODEL,
        guardrail=_IN_THE_MODEL,
        index=_IN_THE_MODEL,
        harness=digest({"transport": "http", "turns": 1}),
        training_data=digest({"trained_on": "nothing: a rule set has no weights"}),
    )
    return Version(bundle, model, prompt)


BASELINE = _version(
    "v6",
    Index(passages=tuple(fact.text for fact in FACTS)),
    Decoding(minimum=300, near=120, temperature=60, sure=0),
    f"{{{{passages}}}}{_BREAK}I do not know. A colleague at the service desk can help you.",
)
#: Its rule set lost two topics and is sure of less; its prompt was rewritten for it.
CANDIDATE = _version(
    "v7",
    Index(
        passages=tuple(fact.text for fact in FACTS if fact.topic not in RARE_TOPICS)
        + tuple(fact.text for fact in FACTS if fact.topic == "account")
    ),
    Decoding(minimum=200, near=120, temperature=60, sure=300),
    f"{{{{passages}}}}{_BREAK}I do not know that yet. Please ask at the service desk.",
)


def assistant(model: bytes, prompt: str) -> Assistant:
    """The assistant of these bytes. Raises ValueError when they are none."""
    parts = json.loads(model)
    if parts["engine"] != ENGINE:
        raise ValueError(f"the engine is {parts['engine']!r}; {ENGINE!r} is accepted")
    answer, unknown = prompt.split(_BREAK)
    return Assistant(
        Index.model_validate(parts["index"]),
        Prompt(answer=answer.replace("{{passages}}", "{passages}"), unknown=unknown),
        Decoding.model_validate(parts["decoding"]),
        Guardrail.model_validate(parts["guardrail"]),
    )
