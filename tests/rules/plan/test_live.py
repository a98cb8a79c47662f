"""Which version was live when: what this product did, and what it saw that others did (R117)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from countermand.governance.guard import breach
from countermand.ledger.bodies import StageIntent, StageOutcome
from countermand.plan.build import Found, build_plan
from countermand.plan.live import Move, live_at, moves
from countermand.plan.model import Plan
from countermand.plan.target import Preflight, Split, TargetState
from countermand.playbook.model import Severity
from tests import cases, fakes

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
RELEASE = cases.release()


def read(candidate_bp: int, minute: int, key: str | None = None) -> TargetState:
    return TargetState(
        split=Split.candidate(candidate_bp), revision=str(minute), idempotency_key=key, fence=0,
        read_at=START + timedelta(minutes=minute), raw_sha256="sha256:0",
    )  # fmt: skip


def plan() -> Plan:
    return build_plan(
        incident_id="inc-1", release=RELEASE, playbook=cases.playbook(), governance_digest="sha256:g",
        severity=Severity.sev2, found=[Found(state=read(5_000, 0),
        preflight=Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True),
        capabilities=fakes.FakeTarget.capabilities)],
    )  # fmt: skip


class Book:
    def __init__(self) -> None:
        self.ledger = fakes.FakeLedger()

    async def intent(self, stage: int, before: TargetState, desired: int) -> None:
        body = StageIntent(
            revert=1, stage=stage, desired=Split.candidate(desired), before=before, key=f"k{stage}", fence=stage,
            plan_digest="sha256:p",
        )  # fmt: skip
        await self._note(f"intent/{stage}", body)

    async def outcome(
        self, stage: int, after: TargetState | None, result: Literal["applied", "already", "conflict", "ambiguous"],
        by: str = "our_key",
    ) -> None:  # fmt: skip
        body = StageOutcome(
            revert=1, stage=stage, result=result, by=by, recovered=False, after=after, sentence="said."
        )  # fmt: skip
        await self._note(f"outcome/{stage}", body)

    async def breach(self, state: TargetState) -> None:
        await self._note("breach", breach(plan(), plan().member, 0, state, "unknown"))

    async def _note(self, key: str, body: StageIntent | StageOutcome | object) -> None:
        entry = body.entry(key, "worker", incident_id="inc-1", release_id=RELEASE.release_id)  # type: ignore[attr-defined]  # all are bodies
        await self.ledger.append(entry)

    async def moves(self, service: str = "test-bot") -> list[tuple[int, str]]:
        return [(one.candidate_bp, one.how) for one in await self.all(service)]

    async def all(self, service: str = "test-bot") -> tuple[Move, ...]:
        return moves(await self.ledger.records(), service, "test")


@pytest.fixture
async def book() -> Book:
    made = Book()
    await cases.register(made.ledger, RELEASE)
    return made


async def test_what_was_seen_what_was_done_and_what_others_did_stand_in_order(book: Book) -> None:
    await book.intent(1, read(5_000, 1), 4_500)
    await book.outcome(1, read(4_500, 2), "applied")
    await book.intent(2, read(4_500, 3), 0)
    await book.outcome(2, read(0, 4), "applied")
    await book.breach(read(700, 9))
    assert await book.moves() == [(5_000, "seen"), (4_500, "moved"), (0, "moved"), (700, "outside")]
    found = await book.all()
    assert found[1].by == "Countermand, stage 1 of incident inc-1"
    assert found[3].by == "somebody outside Countermand"
    assert await book.moves("another-bot") == []


async def test_a_change_between_two_looks_is_seen_as_one_from_outside(book: Book) -> None:
    await book.intent(1, read(5_000, 1), 4_500)
    await book.outcome(1, read(4_500, 2), "applied")
    await book.intent(2, read(6_000, 3), 0)
    assert (await book.moves())[-1] == (6_000, "outside")


@pytest.mark.parametrize(("result", "by"), [("conflict", "our_key"), ("already", "external")])
async def test_what_this_product_did_not_do_is_not_said_to_be_its_work(
    book: Book, result: Literal["conflict", "already"], by: str
) -> None:
    await book.intent(1, read(5_000, 1), 4_500)
    await book.outcome(1, read(9_000, 2), result, by)
    assert (await book.moves())[-1] == (9_000, "outside")


async def test_an_effect_of_which_nothing_is_known_changes_nothing(book: Book) -> None:
    await book.intent(1, read(5_000, 1), 4_500)
    await book.outcome(1, None, "ambiguous", "unknown")
    assert await book.moves() == [(5_000, "seen")]


async def test_what_was_live_at_an_instant_is_the_newest_change_until_then(book: Book) -> None:
    await book.intent(1, read(5_000, 1), 4_500)
    await book.outcome(1, read(4_500, 2), "applied")
    found = await book.all()
    assert live_at(found, START) is None
    at_last = live_at(found, START + timedelta(minutes=2))
    before = live_at(found, START + timedelta(minutes=2) - timedelta(seconds=1))
    assert (at_last and at_last.candidate_bp, before and before.candidate_bp) == (4_500, 5_000)
