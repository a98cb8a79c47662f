"""What the demo's users ask: the usual mix, and the mix after interest shifts to two rare topics."""

from __future__ import annotations

from random import Random

from examples.demo.knowledge import FACTS, RARE_TOPICS

SHIFTED_SHARE = 0.6

_USUAL = tuple(question for fact in FACTS if fact.topic not in RARE_TOPICS for question in fact.questions)
_RARE = tuple(question for fact in FACTS if fact.topic in RARE_TOPICS for question in fact.questions)


def draw(dice: Random, *, shifted: bool) -> str:
    """One question; after the shift about 60 % of them are about the rare topics."""
    return dice.choice(_RARE if shifted and dice.random() < SHIFTED_SHARE else _USUAL)
