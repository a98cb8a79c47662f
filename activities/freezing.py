"""Freeze evidence before the first effect: what was seen, what was live, under which rules (GOV-41, I10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

from temporalio import activity

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger, RoleDirectory, Targets
from activities.signal_ports import SignalStore
from countermand.canonical import digest_bytes
from countermand.ledger.bodies import FreezeCompleted, FrozenItem
from countermand.plan.build import members_of
from countermand.plan.target import Value


class FreezeRequest(Value):
    incident_id: str
    release_id: str


class Frozen(Value):
    """The inventory's digest; each item's digest stands in the Ledger."""

    inventory_sha256: str
    items: int


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
        key = f"{request.incident_id}/freeze"
        done = await self._ledger.find(key)
        if done is not None:
            body = FreezeCompleted.model_validate(done.body)
            return Frozen(inventory_sha256=body.inventory_sha256, items=len(body.items))
        async with heartbeating():
            items = [await self._keep(*item) for item in await self._gather(request.release_id)]
            inventory = await self._ledger.put_blob(
                "".join(f"{item.sha256.removeprefix('sha256:')}  {item.name}\n" for item in items).encode(),
                "text/plain",
            )
            body = FreezeCompleted(inventory_sha256=inventory, items=tuple(items))
            await self._ledger.append(
                body.entry(key, "worker", incident_id=request.incident_id, release_id=request.release_id)
            )
        return Frozen(inventory_sha256=inventory, items=len(items))

    async def _gather(self, release_id: str) -> list[tuple[str, bytes, str, str]]:
        """(name, bytes, media type, source) of everything worth keeping."""
        status = await self._catalogue.release(release_id)
        if status is None:
            raise ValueError(f"unknown release {release_id!r}")
        release = status.release
        playbook_bytes = await self._catalogue.playbook_bytes(release.playbook_digest)
        playbook = await self._catalogue.playbook(release.playbook_digest)
        states = [await self._targets(one.target).read(one) for one in members_of(release, playbook)]
        directory = await self._people.snapshot()
        rows = await self._signals.rows(release_id)
        return [
            ("release.json", _json(release.model_dump(mode="json")), "application/json", "catalogue"),
            ("playbook.yaml", playbook_bytes, "application/yaml", "catalogue"),
            (
                "governance.json",
                _json(directory.model_dump(mode="json")),
                "application/json",
                directory.source,
            ),
            (
                "target_state.json",
                _json([state.model_dump(mode="json") for state in states]),
                "application/json",
                playbook.revert.target,
            ),
            (
                "signals.jsonl",
                b"".join(_json(row.model_dump(mode="json")) for row in rows),
                "application/jsonl",
                "signals",
            ),
        ]

    async def _keep(self, name: str, raw: bytes, media_type: str, source: str) -> FrozenItem:
        await self._ledger.put_blob(raw, media_type)
        return FrozenItem(
            name=name,
            sha256=digest_bytes(raw),
            size=len(raw),
            source=source,
            read_at=self._clock(),
            complete=True,
        )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode() + b"\n"
