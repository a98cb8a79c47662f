"""Which episodes the Ledger knows: one per watch, with what people later said it was. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from countermand.learning.episode import Episode, EpisodeKind
from countermand.ledger import bodies as b
from countermand.ledger.record import Record
from countermand.messages.incident import IncidentView, incident

#: A shorter watch without an incident says little about false alarms.
LEAST_QUIET = timedelta(days=1)

#: How an incident that people took back counts as harm, until somebody labels it.
_KINDS: dict[str, EpisodeKind] = {
    "reverted": "incident",
    "reverted_not_verified": "incident",
    "unresolved": "incident",
    "reversed": "near_miss",
    "rejected": "near_miss",
    "withdrawn": "near_miss",
    "expired": "near_miss",
    "aborted": "near_miss",
}


def episode_of(
    release_id: str, service: str, begins: datetime, block: timedelta, sealed: int, records: Iterable[Record]
) -> Episode | None:
    """The watch of one release as an episode; None when it is short and nothing happened.

    begins: start of its first block; sealed: how many rows there are; records: all of the release and its incidents.
    """
    ends = begins + sealed * block
    own = sorted(records, key=lambda record: record.seq)
    first = next((record.incident_id for record in own if record.kind.value == "incident.opened"), None)
    fields = {
        "episode_id": f"watch-{release_id.lower()}",
        "source": "watch",
        "release_id": release_id,
        "service": service,
        "begins": begins,
        "ends": ends,
    }
    if first is None:
        long = sealed * block >= LEAST_QUIET
        return Episode.model_validate(fields | {"kind": "quiet"}) if long else None
    view = incident([record for record in own if record.incident_id == first])
    if view is None or not sealed:
        return None
    intents = [r.at.astimezone(UTC) for r in own if r.incident_id == first and r.kind.value == "stage.intent"]
    kind = _KINDS.get(view.closed.outcome, "unknown") if view.closed else "unknown"
    # From the first intent on, the target may have moved users: nothing later is what would have been served.
    effect = min((at for at in intents if at > begins), default=None)
    return Episode.model_validate(
        fields
        | {"kind": kind, "incident_id": first, "first_effect_at": effect}
        | {"fired_at": _fired_at(own, begins, block), **_people(view)}
    )


def _fired_at(records: Iterable[Record], begins: datetime, block: timedelta) -> datetime | None:
    """End of the block at which the live watch first fired; None when only people declared it."""
    for record in records:
        body = b.parse_body(record)
        if isinstance(body, b.VerdictChanged) and body.word == "trigger" and body.verdicts:
            return begins + (body.row + 1) * block
    return None


def _people(view: IncidentView) -> dict[str, datetime | None]:
    asked = view.asks[0].opened.opened_at if view.asks else None
    decided = next((ask.closed_at for ask in view.asks if ask.closed and ask.closed.status == "approved"), None)
    return {"asked_at": asked and asked.astimezone(UTC), "decided_at": decided and decided.astimezone(UTC)}


def labelled(episodes: Iterable[Episode], labels: Iterable[b.EpisodeLabelled]) -> tuple[Episode, ...]:
    """The episodes as people said they were: of several labels the one with the highest version."""
    newest: dict[str, b.EpisodeLabelled] = {}
    for label in labels:
        known = newest.get(label.episode_id)
        if known is None or label.version > known.version:
            newest[label.episode_id] = label
    return tuple(with_label(one, newest[one.episode_id]) if one.episode_id in newest else one for one in episodes)


def with_label(episode: Episode, label: b.EpisodeLabelled) -> Episode:
    """The episode under a label. Raises ValueError for a start of harm that cannot be."""
    said = {
        "kind": label.word,
        "harm_start": label.harm_start and label.harm_start.astimezone(UTC),
        "labelled_by": label.subject,
        "label_version": label.version,
        "note": label.note,
    }
    return Episode.model_validate({**dict(episode), **said})
