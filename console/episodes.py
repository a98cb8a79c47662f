"""Labelling episodes of the past: what they were is said by people, and a later label replaces an earlier one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from activities.ports import LedgerConflict
from adapters.episodes import LedgerEpisodes
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.learning.acts import WAIVES
from countermand.learning.episode import Episode
from countermand.learning.known import with_label
from countermand.ledger.bodies import EpisodeLabelled


def store(deps: Console) -> LedgerEpisodes:
    return LedgerEpisodes(deps.ledger, deps.catalogue, deps.signals, deps.settings.episodes)


async def known(deps: Console, service: str | None) -> dict[str, Any]:
    """`countermand.episodes/v1`: every episode under its newest label."""
    found = await store(deps).known(service)
    return {"schema": "countermand.episodes/v1", "items": [one.model_dump(mode="json") for one in found]}


async def label(
    deps: Console,
    person: Person,
    episode_id: str,
    word: Literal["incident", "near_miss", "quiet", "unknown"],
    harm_start: datetime | None,
    version: int,
    note: str,
) -> dict[str, Any]:
    """Record what an episode was; `version` is one above the label that was seen. Raises Problem."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    episode: Episode | None = next((one for one in await store(deps).known() if one.episode_id == episode_id), None)
    if episode is None:
        raise Problem(
            404, "unknown_episode", f"there is no episode {episode_id!r}.", "See `countermand backtest list`."
        )
    if episode.incident_id is not None and not set(WAIVES) & set(directory.roles_of(person.subject)):
        raise Problem(
            403,
            "not_your_role",
            f"it holds {episode.incident_id}; this needs the role {' or '.join(WAIVES)}.",
            "Ask one of them.",
        )
    if version != episode.label_version + 1:
        raise _labelled_meanwhile(episode_id, version, episode.label_version)
    body = EpisodeLabelled(
        episode_id=episode_id,
        word=word,
        harm_start=harm_start,
        version=version,
        subject=person.subject,
        name=person.name,
        note=note,
    )
    try:
        after = with_label(episode, body)
    except ValueError as error:
        raise Problem(422, "label_does_not_fit", f"{error}", "Give a harm start within the episode, or none.") from None
    entry = body.entry(f"episode/{episode_id}/label/{version}", person.subject, release_id=episode.release_id)
    try:
        await deps.ledger.append(entry)
    except LedgerConflict:
        raise _labelled_meanwhile(episode_id, version, version) from None
    return {"schema": "countermand.episode/v1", "episode": after.model_dump(mode="json")}


def _labelled_meanwhile(episode_id: str, version: int, newest: int) -> Problem:
    return Problem(
        409,
        "labelled_meanwhile",
        f"label {version!r} of {episode_id!r} does not follow {newest!r}, the newest one.",
        "Look at the newest label, then give yours the next version.",
    )
