"""A version that loses its eligibility between the plan and the effect gets nobody (C17)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from activities.briefing import Brief
from activities.emergencies import EmergencyActivities
from activities.staging import StagingActivities
from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from examples.demo.bundles import BASELINE, CANDIDATE
from tests import cases, fakes
from tests.activities.test_eligible import Bench
from tests.adapters.targets.embedded import EmbeddedHarness
from tests.vaults import vault


@dataclass
class RealBench(Bench):
    """The same activities before the real service."""

    system: EmbeddedHarness = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.release = cases.release().model_copy(update={"candidate": CANDIDATE.bundle, "baseline": BASELINE.bundle})
        target = self.system.target()
        shared = (lambda _name: target, self.ledger, self.people, self.keys, fakes.now)
        self.staging, self.emergencies = StagingActivities(*shared), EmergencyActivities(*shared)

    async def brief(self) -> Brief:
        document = cases.playbook_document()
        document["revert"]["member"] = self.system.member.name
        return (await super().brief()).model_copy(update={"playbook": Playbook.model_validate(document)})


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[RealBench]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    db = Database(url)
    system = EmbeddedHarness()
    await system.start(tmp_path)
    await system.seed(5_000)
    bench = RealBench(SqlLedger(db, vault=vault(db)), system=system)
    await cases.register(bench.ledger, bench.release)
    yield bench
    await system.stop()
    await db.close()


async def test_c17_eligibility_withdrawn_between_plan_and_set_writes_nothing(bench: RealBench) -> None:
    plan = (await bench.glass()).plan
    assert plan is not None
    target, member = bench.system.target(), bench.system.member
    before = await target.read(member)
    await bench.deny()
    outcome = await bench.effect(plan, key="c17")
    assert (outcome.result, outcome.after) == ("rejected", None)
    assert "Maria Keller denied it" in outcome.sentence
    assert await bench.system.effects("c17") == 0
    assert (await target.read(member)).revision == before.revision
    assert await bench.ledger.records(kinds=[Kind.stage_intent]) == []


async def test_c17_while_it_is_eligible_the_same_plan_is_carried_out(bench: RealBench) -> None:
    plan = (await bench.glass()).plan
    assert plan is not None
    assert (await bench.effect(plan, key="c17-eligible")).result == "applied"
    assert await bench.system.effects("c17-eligible") == 1
