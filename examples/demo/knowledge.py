"""The reference knowledge of the demo, read from knowledge.yaml.

The baseline's index holds all of it, the candidate's holds less, and the judge trusts it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML


class Fact(NamedTuple):
    """One help page: what is true, and how people ask for it."""

    topic: str
    text: str
    questions: tuple[str, ...]


FACTS = tuple(
    Fact(topic, page["text"], tuple(page["questions"]))
    for topic, pages in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml")).items()
    for page in pages
)

# Seldom asked about, until interest shifts.
RARE_TOPICS = ("refunds", "card_security")
