"""Freeze evidence before the first effect: what was seen, what was live, under which rules (GOV-41, I10).

Every item is read beside the others and has its own time, so that one system that does not answer loses one item.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, RoleDirectory, TargetRejected, Targets
from activities.signal_ports import SignalStore
from countermand.canonical import digest_bytes, instant
from countermand.detection.models import BlockState, Row
from countermand.ledger.bodies import FreezeCompleted, FreezeIncomplete, FrozenItem
from countermand.ledger.record import Kind
from countermand.messages.facts import in_words
from countermand.plan.build import members_of
from countermand.plan.model import Bundle, Release
from countermand.plan.target import Member, Value
from countermand.playbook.model import Playbook
from countermand.playbook.units import Duration

#: The part of the budget in which items are read; the rest is for keeping them.
_READING = 0.75
#: Seconds between two tries to read an item.
_PAUSE = 0.5


class FreezeRequest(Value):
    """`budget`: time for all of it. `round`: how often people have asked for it."""

    incident_id: str
    release_id: str
    budget: Duration = timedelta(minutes=1)
    round: int = 1


class Frozen(Value):
    """The inventory's digest; each item's digest stands in the Ledger. `missing`: what could not be read, and why."""

    inventory_sha256: str
    items: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    name: str
    source: str
    read: Callable[[], Awaitable[bytes]]
    media_type: str = "application/json"


class FreezingActivities:
    """Ports: Ledger, Catalogue, SignalStore, Targets, RoleDirectory; a clock."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        signals: SignalStore,
        targets: Targets,
        people: RoleDirectory,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._signals = signals
        self._targets = targets
        self._people = people
        self._clock = clock

    @activity.defn(name="freeze")
    async def freeze(self, request: FreezeRequest) -> Frozen:
        """Copy each item into the evidence store by content, then record the inventory. Idempotent: a second
        run returns what the first one froze."""
        whole, part = f"{request.incident_id}/freeze", f"{request.incident_id}/freeze/{request.round}"
        for key in (whole, part):
            if (known := await self._ledger.find(key)) is not None:
                model = FreezeCompleted if known.kind is Kind.freeze_completed else FreezeIncomplete
                return _frozen(model.model_validate(known.body))
        share = request.budget * _READING
        async with heartbeating():
            wanted = await self._wanted(request.incident_id, request.release_id)
            items = tuple(await asyncio.gather(*(self._keep(one, share) for one in wanted)))
            inventory = await self._ledger.put_blob(_inventory(items), "text/plain")
            complete = all(item.complete for item in items)
            model = FreezeCompleted if complete else FreezeIncomplete
            body = model(inventory_sha256=inventory, items=items)
            await self._ledger.append(
                body.entry(
                    whole if complete else part,
                    "worker",
                    incident_id=request.incident_id,
                    release_id=request.release_id,
                )
            )
        return _frozen(body)

    async def _keep(self, wanted: _Wanted, share: timedelta) -> FrozenItem:
        raw, why = await _read(wanted, share)
        if raw is not None:
            await self._ledger.put_blob(raw, wanted.media_type)
        return FrozenItem(
            name=wanted.name,
            sha256="" if raw is None else digest_bytes(raw),
            size=0 if raw is None else len(raw),
            source=wanted.source,
            read_at=self._clock(),
            complete=raw is not None,
            why=why,
        )

    async def _wanted(self, incident_id: str, release_id: str) -> list[_Wanted]:
        """Everything worth keeping, and how it is read."""
        status = await self._catalogue.release(release_id)
        if status is None:
            raise ValueError(f"unknown release {release_id!r}")
        release = status.release
        playbook = await self._catalogue.playbook(release.playbook_digest)
        info = activity.info()
        run = {"workflow_id": info.workflow_id, "run_id": info.workflow_run_id}

        async def described() -> bytes:
            return _json(release.model_dump(mode="json"))

        async def bundles() -> bytes:
            return _json({"candidate": _parts(release.candidate), "baseline": _parts(release.baseline)})

        async def rules() -> bytes:
            return await self._catalogue.playbook_bytes(release.playbook_digest)

        async def series() -> bytes:
            return _lines(row.model_dump(mode="json") for row in await self._signals.rows(release_id))

        return [
            _Wanted("release.json", "catalogue", described),
            _Wanted("bundles.json", "catalogue", bundles),
            _Wanted("playbook.yaml", "catalogue", rules, "application/yaml"),
            _Wanted("governance.json", "role directory", self._roles),
            *(_Wanted(_state_name(one), one.target, self._state(one)) for one in members_of(release, playbook)),
            _Wanted("signals.jsonl", "signals", series, "application/jsonl"),
            _Wanted("verdicts.jsonl", "ledger", self._verdicts(incident_id, release), "application/jsonl"),
            _Wanted("cursors.json", "ledger, signals, Temporal", self._cursors(release_id, playbook, run)),
        ]

    async def _roles(self) -> bytes:
        """Who holds which role and who is on call, with the source of each."""
        return _json((await self._people.snapshot()).model_dump(mode="json"))

    def _state(self, member: Member) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            state = await self._targets(member.target).read(member)
            return _json({"member": member.model_dump(mode="json"), "state": state.model_dump(mode="json")})

        return read

    def _verdicts(self, incident_id: str, release: Release) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            """What was said of the release, by its watch and in this incident."""
            found = await self._ledger.records(release_id=release.release_id, kinds=[Kind.verdict])
            mine = [one for one in found if one.incident_id in (None, incident_id)]
            return "".join(one.line + "\n" for one in mine).encode()

        return read

    def _cursors(
        self, release_id: str, playbook: Playbook, run: dict[str, str | None]
    ) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            """Up to where each log had come: whoever looks later knows what could not have been known."""
            head, rows = await self._ledger.head(), await self._signals.rows(release_id)
            sources = sorted({spec.source for spec in playbook.detection.signals.values()})
            newest = {
                source: _newest(rows, {n for n, spec in playbook.detection.signals.items() if spec.source == source})
                for source in sources
            }
            return _json({"ledger_head": head, "newest_block": newest, "temporal": run})

        return read


async def _read(wanted: _Wanted, share: timedelta) -> tuple[bytes | None, str]:
    """The bytes, or None and why; what fails is tried again until its time is over."""
    why = ""
    try:
        async with asyncio.timeout(share.total_seconds()):
            while True:
                try:
                    return await wanted.read(), ""
                except TargetRejected as error:
                    return None, str(error)
                except Exception as error:  # whatever one source does, the other items are kept
                    why = f": {error}"
                await asyncio.sleep(_PAUSE)
    except TimeoutError:
        return None, f"no answer within {in_words(share)}{why}"


def _frozen(body: FreezeCompleted | FreezeIncomplete) -> Frozen:
    missing = tuple(f"{item.name} ({item.why})" for item in body.items if not item.complete)
    return Frozen(inventory_sha256=body.inventory_sha256, items=len(body.items), missing=missing)


def _inventory(items: tuple[FrozenItem, ...]) -> bytes:
    """As `sha256sum` reads it; what is missing stands in it as a comment."""
    lines = [
        f"{item.sha256.removeprefix('sha256:')}  {item.name}\n"
        if item.complete
        else f"# missing: {item.name}: {' '.join(item.why.split())}\n"
        for item in items
    ]
    return "".join(lines).encode()


def _state_name(member: Member) -> str:
    return f"target_state/{member.target}/{member.name}.json"


def _parts(bundle: Bundle) -> dict[str, object]:
    return {"digest": bundle.digest, **bundle.model_dump(mode="json")}


def _newest(rows: list[Row], signals: set[str]) -> dict[str, object] | None:
    """The newest block in which a source said anything about one of these signals; None when it never did."""
    for row in reversed(rows):
        if any(block.signal in signals and block.state is BlockState.ok for block in row.blocks):
            return {"seq": row.seq, "start": instant(row.start)}
    return None


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _lines(values: Iterable[object]) -> bytes:
    return b"".join(map(_json, values))
