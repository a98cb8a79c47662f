"""Episodes from the Ledger and the sealed rows, and imported ones from their files (learning.md §2)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from activities.ports import Catalogue, Ledger
from activities.signal_ports import SignalStore
from countermand.detection.blocks import Row
from countermand.learning.episode import Episode
from countermand.learning.episode_file import SUFFIX, header, read, written
from countermand.learning.feeding import fed
from countermand.learning.known import episode_of, labelled
from countermand.ledger.bodies import EpisodeLabelled
from countermand.ledger.record import Kind, Record

_KINDS = (
    *(Kind.incident_opened, Kind.incident_phase, Kind.incident_closed, Kind.verdict),
    *(Kind.ask_opened, Kind.ask_vote, Kind.ask_closed, Kind.stage_intent),
)


class LedgerEpisodes:
    """Implements the port `EpisodeStore`."""

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, signals: SignalStore, imported: Path | None = None
    ) -> None:
        """imported: directory of episode files from elsewhere, as `backtest import` fills it."""
        self._ledger, self._catalogue, self._signals = ledger, catalogue, signals
        self._imported = imported

    async def known(self, service: str | None = None) -> tuple[Episode, ...]:
        """One per watch or imported file, under its newest label. Of the same name, the watch of this place counts.

        Raises ValueError for a label that its episode cannot have, and for a file that is no episode.
        """
        by_release: dict[str, list[Record]] = defaultdict(list)
        incidents: dict[str, str] = {}
        for record in await self._ledger.records(kinds=_KINDS):
            if record.release_id is not None and record.incident_id is not None:
                incidents[record.incident_id] = record.release_id
            release_id = record.release_id or incidents.get(record.incident_id or "")
            if release_id is not None:
                by_release[release_id].append(record)
        found = []
        for status in await self._catalogue.releases():
            release = status.release
            if service not in (None, release.service):
                continue
            detection = (await self._catalogue.playbook(release.playbook_digest)).detection
            sealed = await self._signals.sealed(release.release_id)
            one = episode_of(
                release.release_id,
                release.service,
                status.watched_from,
                detection.block,
                sealed,
                by_release[release.release_id],
            )
            if one is not None:
                found.append(one)
        own = {one.episode_id for one in found}
        found += [
            one
            for one in await asyncio.to_thread(_headers, self._imported)
            if one.episode_id not in own and service in (None, one.service)
        ]
        labels = await self._ledger.records(kinds=[Kind.episode_labelled])
        known = labelled(found, [EpisodeLabelled.model_validate(record.body) for record in labels])
        return tuple(sorted(known, key=lambda one: (one.begins, one.episode_id)))

    async def write(self, episodes: Sequence[Episode], folder: Path) -> None:
        """Rows beyond the cut of an episode are not even written. Raises ValueError for a row that is not what was
        sealed, for a file that changed since it was imported, and for an episode without rows."""
        for episode in episodes:
            name = f"{episode.episode_id}{SUFFIX}"
            rows = await self._signals.rows(episode.release_id)
            kept = None if self._imported is None else self._imported / name
            # A made-up release may have the name of a real one.
            if kept is not None and kept.exists() and (not rows or episode.source != "watch"):
                _, rows = await asyncio.to_thread(read, kept)
            path = folder / name
            await asyncio.to_thread(_put, path, episode, list(fed(episode, rows)))


def _headers(folder: Path | None) -> list[Episode]:
    """Of all imported files; their rows are read when they are judged."""
    return [] if folder is None else [header(path).episode for path in sorted(folder.glob(f"*{SUFFIX}"))]


def _put(path: Path, episode: Episode, rows: Sequence[Row]) -> None:
    path.write_bytes(written(episode, rows))
