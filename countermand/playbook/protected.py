"""Protected attributes, and selectors that would single people out by one (GOV-35). Exposure changes for all alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Attributes that law or custom protects in many places, as they are called in segment keys and selectors
#: (EU Charter of Fundamental Rights, Art. 21; GDPR Art. 9).
PROTECTED = frozenset(
    {
        *("age", "sex", "gender", "gender_identity", "race", "ethnicity", "ethnic_origin", "skin_colour", "colour"),
        *("nationality", "national_origin", "language", "dialect", "accent", "religion", "belief", "disability"),
        *("sexual_orientation", "orientation", "pregnancy", "maternity", "marital_status", "genetic_features"),
        *("assistive_technology", "assistive_use", "political_opinion", "trade_union", "health"),
    }
)
#: `gender=f`, `language:de`, `age > 60`, `religion in [...]`, `dialect != x`: a name followed by how it is compared.
_SELECTS = re.compile(r"([A-Za-z][A-Za-z _-]*?)\s*(?:!?==?|:|[<>]=?|\bnot in\b|\bin\b)", re.IGNORECASE)


def protected(attributes: Iterable[str]) -> tuple[str, ...]:
    """Those of the segment keys that name a protected attribute."""
    return tuple(sorted({one for one in attributes if _plain(one) in PROTECTED}))


def singles_out(selector: str) -> str:
    """The protected attribute by which a name of a target's member selects people; empty when it does not."""
    for found in _SELECTS.finditer(selector):
        words = _plain(found.group(1)).split("_")
        for first in range(len(words)):
            if (name := "_".join(words[first:])) in PROTECTED:
                return name
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
