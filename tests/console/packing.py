"""A told incident whose decisions and shown pages stand in the Ledger as the console writes them, and packs of it."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

from console.packs import Packs
from countermand.governance.decision import Decision, GatewayKeys
from countermand.ledger import bodies as b
from tests.console.world import BASE, INCIDENT, RELEASE, ROOT, Story, World
from tests.evidence_packs import MemoryCheckpoints, MemoryKey
from tests.fakes import FakeKeys
from tests.vaults import vault
from workflows.decisions import Answer

LEDGER, GATEWAY = MemoryKey(1), MemoryKey(2, "gw")
#: Stands in reasons, messages and shown pages; a redacted pack holds it nowhere.
CANARY = "canary-7f3a"
VIEW = f"<p>{CANARY}: the request as Maria and Jonas saw it</p>".encode()


class RecordedKeys(FakeKeys):
    """The key that the record names."""

    def __init__(self) -> None:
        super().__init__()
        self.private, self.key_id = GATEWAY.private, GATEWAY.key_id

    def gateway_keys(self) -> GatewayKeys:
        return GatewayKeys(public={self.key_id: base64.b64encode(GATEWAY.public).decode()})


async def reverted(story: Story) -> None:
    """The whole story, from the keys of the first start to the draft of the review."""
    story.clock.set(BASE - timedelta(seconds=400))
    await story.ledger.append(LEDGER.added("ledger"), GATEWAY.added("gateway"))
    story._keys = RecordedKeys()
    view = await story.ledger.put_blob(VIEW, "text/html")
    count = story.vote

    async def signed(decision: Decision) -> Answer:
        said = decision.model_copy(update={"reason": f"{decision.reason} ({CANARY})", "view_sha256": view})
        again = RecordedKeys().sign(said.model_copy(update={"bound": (), "signature": ""}))
        body = b.DecisionMade(decision=again)
        entry = body.entry(f"decision/{again.decision_id}", "console", incident_id=INCIDENT, release_id=RELEASE)
        await story.ledger.append(entry)
        return await count(again)

    other = story.note

    async def keyed(body: b.Body, *, incident_id: str | None = INCIDENT) -> None:
        """Effects under the keys that the worker gives them: a verifier pairs them by these."""
        match body:
            case b.StageIntent():
                key = f"{body.key}/intent"
            case b.StageOutcome():
                key = f"key/{body.stage}/outcome/1"
            case _:
                return await other(body, incident_id=incident_id)
        await story.ledger.append(body.entry(key, "worker", incident_id=incident_id, release_id=RELEASE))
        return None

    story.note, story.vote = keyed, signed  # type: ignore[method-assign]
    await story.reverted()


def packs(world: World, directory: Path) -> Packs:
    """What makes packs over this world."""
    return Packs(
        ledger=world.deps.ledger,
        catalogue=world.deps.catalogue,
        signals=world.deps.signals,
        outbox=world.deps.outbox,
        vault=vault(world.deps.database),
        checkpoints=MemoryCheckpoints(world.deps.ledger, LEDGER),
        key=LEDGER,
        directory=directory,
        templates=ROOT / "templates",
    )


__all__ = ["CANARY", "GATEWAY", "LEDGER", "VIEW", "packs", "reverted"]
