"""The made-up past: the same seed gives the same bytes, another seed another past."""

from __future__ import annotations

from countermand.learning.episode_file import written
from countermand.playbook.load import parse
from scripts.synthetic_history import BEGIN, PLAYBOOK, STORIES, history, incident

PARSED = parse(PLAYBOOK.read_bytes())


def told(seed: int, name: str) -> bytes:
    story = next(one for one in STORIES if one.name == name)
    return written(*incident(PARSED.detection, PARSED.service, story, BEGIN, seed))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others():
    # The story with late samples: their place in the order is part of the bytes.
    assert told(7, "dialect") == told(7, "dialect") != told(8, "dialect")


def test_every_story_is_an_incident_of_its_own_and_quiet_days_follow():
    names = [story.name for story in STORIES]
    assert len(set(names)) == len(names)
    episode, rows = next(history(PARSED.detection, PARSED.service, 7))
    assert (episode.episode_id, episode.kind, episode.source) == (f"synthetic-{names[0]}", "incident", "synthetic")
    assert episode.harm_start is not None
    assert episode.fired_at is not None
    assert rows[0].start < episode.harm_start < episode.fired_at < episode.cut_at
