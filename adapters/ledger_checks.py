"""Self-checks of the Ledger's head (storage.md §7): what keeps us from writing, and what people only have to know."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.anchor_folder import FolderAnchor
from adapters.anchor_settings import AnchorSettings, anchor_settings
from adapters.anchors import AnchorStore
from adapters.checkpoints import SqlCheckpoints, checkpoint_lines, forks
from adapters.database import Database
from adapters.keys import key_files, known_keys
from adapters.ledger import SqlLedger
from adapters.outside import missing_records
from adapters.selfcheck import RECENT, SelfCheck
from adapters.settings import Settings, SettingsInvalid
from adapters.signing import LedgerKey
from countermand.ledger import tree
from countermand.ledger.key_chain import KeyChain, KeyChainBroken
from countermand.ledger.note_reading import NoteInvalid
from countermand.ledger.record import Kind

#: A head that is older than this although something is new: the worker's task does not work.
LATE = timedelta(minutes=5)
#: A place outside that has taken nothing for so long although there is a newer checkpoint.
LATE_OUTSIDE = timedelta(hours=1)
#: An effect without an outcome after so long is nobody's work any more.
LATE_OUTCOME = timedelta(minutes=10)

_KEEP = (
    "Do not append. Keep a copy of the database as it is, compare it with backups and outside copies, and tell the "
    "people responsible for the record."
)


async def stopping(db: Database, settings: Settings) -> list[SelfCheck]:
    """What must hold before anything is appended."""
    checkpoints = _checkpoints(db, settings)
    return [
        _check("checkpoint", await _newest_holds(db, checkpoints), "the newest checkpoint fits the records", _KEEP),
        _check(
            "outside",
            " ".join(await missing_records(SqlLedger(db), checkpoints, _folders(settings))),
            "no folder outside has seen more records than there are",
            "Restore the newest copy of the database; nothing may be appended to this one.",
        ),
    ]


async def shown(db: Database, settings: Settings, now: datetime) -> list[SelfCheck]:
    """What people have to know; none of it stops a rollback."""
    return [
        await _keys(db, settings),
        await _head(_checkpoints(db, settings), now),
        await _anchors(db, settings, now),
        await _intents(db, now),
    ]


async def _newest_holds(db: Database, checkpoints: SqlCheckpoints) -> str:
    """What is wrong with the newest checkpoint; empty when its signature, root and newest leaves hold."""
    newest = await checkpoints.newest()
    if newest is None:
        return ""
    try:
        records = await SqlLedger(db).records(kinds=[Kind.key_added, Kind.key_rotated])
        KeyChain.of(records, "ledger").verify(newest)
        if (await checkpoints.root(newest.size)).hex() != newest.root:
            return f"The stored tree has another root than the checkpoint of {newest.size} records."
        first = max(0, newest.size - RECENT)
        for seq, (line, leaf) in enumerate(await checkpoint_lines(db, first, newest.size), start=first):
            if line is None:
                return f"The checkpoint covers {newest.size} records; record {seq} is missing."
            if tree.leaf_hash(line.encode()) != leaf:
                return f"Record {seq} is not the one that the checkpoint of {newest.size} records covers."
    except (NoteInvalid, KeyChainBroken, ValueError) as error:
        return f"The newest checkpoint does not hold: {error}"
    return ""


async def _keys(db: Database, settings: Settings) -> SelfCheck:
    wrong, ledger = [], SqlLedger(db)
    for key in key_files(settings):
        known = list(await known_keys(ledger, key.PURPOSE))
        try:
            mine = key.key_id
        except (OSError, ValueError, TypeError) as error:
            wrong.append(f"The {key.PURPOSE} key cannot be read ({error}).")
            continue
        if known and mine != known[-1]:
            wrong.append(f"The {key.PURPOSE} key on the disk is {mine}, the Ledger says {known[-1]}.")
    return _check(
        "keys",
        " ".join(wrong),
        "every signing key can be read and is the recorded one",
        "Put the recorded key back. If a rotation was interrupted, run `python -m console.admin keys rotate` again.",
    )


async def _head(checkpoints: SqlCheckpoints, now: datetime) -> SelfCheck:
    newest = await checkpoints.newest()
    size = newest.size if newest else 0
    new = await checkpoints.uncovered(size)
    oldest = await checkpoints.oldest_uncovered(size) if new else None
    late = oldest is not None and now - oldest > LATE
    fine = f"the newest checkpoint covers {size} records, {new} newer ones wait for the next"
    return _check(
        "head",
        f"{new} records since {oldest:%Y-%m-%d %H:%M} UTC are under no checkpoint." if late and oldest else "",
        fine,
        "Look into the worker's log for why no checkpoint is signed. Rollbacks go on meanwhile.",
    )


async def _anchors(db: Database, settings: Settings, now: datetime) -> SelfCheck:
    repair = "Rollbacks go on. Find out what the place says; until then nobody vouches for the newest records."
    try:
        configured = anchor_settings(settings.anchors)
    except SettingsInvalid as error:
        return SelfCheck(name="anchors", ok=False, sentence=str(error), repair="Correct the anchors file.")
    if said := " ".join((await forks(SqlLedger(db))).values()):
        return SelfCheck(name="anchors", ok=False, sentence=f"{said} No evidence is sealed.", repair=repair)
    if not configured.any:
        return SelfCheck(name="anchors", ok=True, sentence="not anchored: nobody outside holds a checkpoint", repair="")
    late = "; ".join(await _late_places(db, configured, now))
    return _check("anchors", late, "every place outside is up to date", repair)


async def _late_places(db: Database, configured: AnchorSettings, now: datetime) -> list[str]:
    store, late = AnchorStore(db), []
    for kind, place in configured.places:
        since = await store.waiting_since(kind, place)
        if since is not None and now - since > LATE_OUTSIDE:
            late.append(f"the {kind} {place} took no checkpoint since {since:%Y-%m-%d %H:%M} UTC")
    return late


async def _intents(db: Database, now: datetime) -> SelfCheck:
    """Effects that were begun and have no outcome: somebody has to look what the target says (I8)."""
    kinds = [Kind.stage_intent, Kind.stage_outcome, Kind.rollout_intent, Kind.rollout_outcome]
    records = await SqlLedger(db).records(kinds=kinds)
    done = {one.idem_key.partition("/outcome")[0] for one in records if one.kind.value.endswith("outcome")}
    open_ = [
        one for one in records if one.kind.value.endswith("intent") and one.idem_key.removesuffix("/intent") not in done
    ]
    listed = ", ".join(f"record {one.seq} ({one.incident_id or one.release_id})" for one in open_)
    late = any(now - one.at > LATE_OUTCOME for one in open_)
    return SelfCheck(
        name="intents",
        ok=not late,
        sentence=f"begun and without an outcome: {listed}" if open_ else "every effect that was begun has an outcome",
        repair="Read what the target says now; the workflow goes on from there when its worker runs." if late else "",
    )


def _checkpoints(db: Database, settings: Settings) -> SqlCheckpoints:
    return SqlCheckpoints(db, LedgerKey(settings.ledger_key), settings.deployment)


def _folders(settings: Settings) -> tuple[FolderAnchor, ...]:
    try:
        configured = anchor_settings(settings.anchors)
    except SettingsInvalid:
        return ()
    return tuple(FolderAnchor(place, one.path) for place, one in configured.folders.items())


def _check(name: str, wrong: str, fine: str, repair: str) -> SelfCheck:
    return SelfCheck(name=name, ok=not wrong, sentence=wrong or fine, repair=repair if wrong else "")
