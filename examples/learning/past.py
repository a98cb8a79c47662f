"""The past of the made-up help desk: seven incidents and fourteen quiet days, written where backtests find them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from countermand.learning.episode_file import SUFFIX, written
from countermand.playbook.model import Playbook
from scripts.synthetic_history import QUIET_DAYS, Story, history

SEED = 7
_AT, _LASTS, _FOUND = timedelta(hours=1), timedelta(hours=3), timedelta(minutes=100)


def _story(name: str, harms: Mapping[str, float], note: str, **more: Any) -> Story:
    return Story(name, harms, note, at=_AT, lasts=_LASTS, found=_FOUND, **more)


STORIES = (
    _story("made-up-prices", {"hallucinations": 0.03}, "Prices that no page names, from one minute to the next."),
    _story("slow-drift", {"hallucinations": 0.03}, "Answers lose touch with the pages.", grows=timedelta(hours=1)),
    _story("dialect", {"refusals": 0.05}, "Questions in regional wording are refused."),
    _story("guardrail", {"refusals": 0.08}, "A new guardrail refuses every question about money."),
    _story("deaf-judge", {"hallucinations": 0.04}, "The judge falls silent for a while.", silent="hallucinations"),
    _story("both", {"hallucinations": 0.02, "refusals": 0.03}, "A wrong index: less is known, more is refused."),
    _story("faint", {"hallucinations": 0.003}, "Within what the playbook tolerates; found by people."),
)


def write_past(playbook: Playbook, folder: Path) -> int:
    """Write the episodes as files into the folder; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    episodes = list(history(playbook.detection, playbook.service, SEED, QUIET_DAYS, STORIES))
    for episode, rows in episodes:
        (folder / f"{episode.episode_id}{SUFFIX}").write_bytes(written(episode, rows))
    return len(episodes)
