"""Remarks about the wording of a review (LRN-3): they help and never stop anybody.

A sentence that blames somebody ends the search for what made it possible; see Dekker, The Field Guide to Understanding
Human Error (2014), and Allspaw, Blameless PostMortems and a Just Culture (2012).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from countermand.plan.target import Value


class Remark(Value):
    """One place that might read as blame. line: from 1; begins, ends: characters of that line, from 0."""

    rule: str
    line: int
    begins: int
    ends: int
    said: str
    why: str
    better: str


class _Rule(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    why: str
    better: str


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


_RULES = (
    _Rule(
        "counterfactual",
        _words(
            r"(?:should|could|would|ought to|must) (?:not |never )?(?:just |simply |also )?have",
            r"(?:should|could|would)n['’]t have",
            r"(?:should|could|would)['’]ve",
            r"failed to",
            r"neglected to",
            r"forgot to",
            r"if only",
        ),
        "It tells what did not happen.",
        "Say what was done instead, and what people knew and aimed for then.",
    ),
    _Rule(
        "human_error",
        _words(r"human (?:error|mistake|failure)s?", r"(?:operator|user|pilot) error", r"finger trouble"),
        "It ends the search where it begins.",
        "Say what made the slip easy, and what would have caught it.",
    ),
    _Rule(
        "judging",
        _words(
            r"careless(?:ly|ness)?",
            r"negligen(?:t|tly|ce)",
            r"incompeten(?:t|ce)",
            r"reckless(?:ly)?",
            r"sloppy",
            r"lazy",
            r"stupid(?:ly)?",
            r"inexcusabl[ey]",
            r"obvious(?:ly)?",
            r"(?:at|whose|his|her|their) fault",
            r"to blame",
        ),
        "It judges a person, or what only looks plain afterwards.",
        "Say what was seen then, and why it looked right.",
    ),
    _Rule(
        "single_cause",
        _words(
            r"root causes?",
            r"the (?:only |one |single |real |main |sole )cause",
            r"the (?:only|one|single|sole) (?:reason|factor)",
            r"caused solely by",
            r"(?:was|is) entirely due to",
        ),
        "There is never only one.",
        "Write “contributing factors”, and name the others.",
    ),
)


def lint(text: str, people: Mapping[str, str]) -> tuple[Remark, ...]:
    """Remarks in the order of the text. people: printed name → what to write instead, such as a role."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for rule in _RULES:
            for hit in rule.pattern.finditer(line):
                found.append(_remark(rule.name, number, hit, rule.why, rule.better))
        for name, role in people.items():
            for spelled in dict.fromkeys((name, *name.split())):
                if len(spelled) < 3:
                    continue
                for hit in re.finditer(rf"(?<!\w){re.escape(spelled)}(?!\w)", line):
                    if not any(one.line == number and one.begins <= hit.start() < one.ends for one in found):
                        found.append(_remark("name", number, hit, "It names a person.", f"Write “the {role}”."))
    return tuple(sorted(found, key=lambda one: (one.line, one.begins)))


def _remark(rule: str, line: int, hit: re.Match[str], why: str, better: str) -> Remark:
    begins, ends = hit.span()
    return Remark(rule=rule, line=line, begins=begins, ends=ends, said=hit.group(), why=why, better=better)
