"""What the demo's users ask: the usual mix, with a share of questions about two rare topics."""

from __future__ import annotations

from random import Random

from examples.demo.knowledge import FACTS, RARE_TOPICS

#: Shares of questions about rare topics: a short spike makes the candidate about twenty times worse, the lasting shift
#: about three times.
SPIKE = 0.6
LASTING = 0.06

_USUAL = tuple(question for fact in FACTS if fact.topic not in RARE_TOPICS for question in fact.questions)
_RARE = tuple(question for fact in FACTS if fact.topic in RARE_TOPICS for question in fact.questions)


def draw(dice: Random, *, rare: float) -> str:
    """One question; this share of them is about the rare topics."""
    return dice.choice(_RARE if rare and dice.random() < rare else _USUAL)
