"""Checks of data in their activity: what is kept before it is judged, compared, waited for, and survives a crash."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

import pytest
from pydantic import TypeAdapter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.checking import CheckingActivities, CheckRequest
from activities.ports import TargetRejected, TargetUnavailable
from activities.recording import Checked
from countermand.ledger.bodies import CheckDone, StageIntent
from countermand.ledger.record import Kind
from countermand.plan.integrity_answer import Answer, Question, Unanswered
from countermand.plan.target import CheckWord, Split
from countermand.playbook.integrity import Check, DestinationHealthy
from tests import fakes
from tests.plans import a_plan

PLAN = a_plan()
RAW = "sha256:" + "c" * 64
COUNTS = {"kind": "row_counts", "tables": ["notes"], "may_grow": False}
HEALTHY = DestinationHealthy(id="healthy", kind="destination_healthy", meaning="it answers")
DRAINED = {"kind": "drained", "query": "select 1", "at_most": 0, "time_limit": "10s"}


def count(value: int | None) -> Answer:
    return Answer(columns=("notes",), rows=((value,),), raw_sha256=RAW)


def check(name: str = "rows", **fields: object) -> Check:
    made: Check = TypeAdapter(Check).validate_python({"id": name, "meaning": "a test", "source": "db"} | fields)
    return made


class Desk:
    """The activity over fakes; `db` answers in turn."""

    def __init__(self, *answers: Answer | Unanswered) -> None:
        self.ledger = fakes.FakeLedger()
        self.target = fakes.FakeTarget(5_000, PLAN.baseline.digest)
        self.data = fakes.FakeData(db=list(answers))
        self.checking = CheckingActivities(self.target, self.data, self.ledger, fakes.now)

    async def run(
        self,
        phase: Literal["before", "between", "after"],
        *checks: Check,
        revert: int = 1,
        attempt: int = 0,
        time_limit: timedelta = timedelta(seconds=30),
    ) -> Checked:
        request = CheckRequest(
            plan=PLAN, revert=revert, stage=1, phase=phase, checks=checks, time_limit=time_limit,
            key=f"effect/{revert}", attempt=attempt,
        )  # fmt: skip
        return await ActivityEnvironment().run(self.checking.run_checks, request)

    async def intend(self, revert: int = 1) -> None:
        """What the first stage records before anything changes."""
        intent = StageIntent(
            revert=revert, stage=1, desired=Split.candidate(0), before=await self.target.read(PLAN.member),
            key=f"effect/{revert}", fence=1, plan_digest=PLAN.digest,
        )  # fmt: skip
        await self.ledger.append(intent.entry(f"intent/{revert}", "worker", incident_id=PLAN.incident_id))

    @property
    def recorded(self) -> list[CheckDone]:
        return [CheckDone.model_validate(body) for body in self.ledger.bodies(Kind.check_result)]


async def test_counts_are_compared_with_those_recorded_before_the_first_stage() -> None:
    desk = Desk(count(400), count(400), count(395))
    assert (await desk.run("before", check(**COUNTS))).passed
    await desk.intend()
    assert (await desk.run("between", check(**COUNTS))).passed
    lost = await desk.run("after", check(**COUNTS))
    assert (lost.results[0].word, "notes 400 → 395" in lost.sentence) == (CheckWord.failed, True)
    assert [(done.phase, done.raw_sha256) for done in desk.recorded] == [
        ("before", RAW), ("between", RAW), ("after", RAW),
    ]  # fmt: skip


async def test_a_measuring_survives_the_worker_and_is_not_made_anew() -> None:
    desk = Desk(count(400), count(7))
    await desk.run("before", check(**COUNTS))
    desk.checking = CheckingActivities(desk.target, desk.data, desk.ledger, fakes.now)
    again = await desk.run("before", check(**COUNTS))
    assert "notes 400" in again.results[0].sentence
    assert len(desk.data.asked) == 1
    assert [done.measured[0].value for done in desk.recorded] == ["400"]


async def test_what_was_measured_after_something_changed_is_not_believed() -> None:
    desk = Desk(count(400), count(10), count(400))
    await desk.run("before", check(**COUNTS))
    await desk.intend()
    await desk.run("before", check(**COUNTS), attempt=1)
    assert (await desk.run("after", check(**COUNTS))).passed


async def test_the_last_measuring_before_anything_changed_counts() -> None:
    desk = Desk(count(10), count(400), count(400))
    await desk.run("before", check(**COUNTS))
    await desk.run("before", check(**COUNTS), attempt=1)
    await desk.intend()
    assert (await desk.run("after", check(**COUNTS))).passed


async def test_each_revert_has_its_own_measuring() -> None:
    desk = Desk(count(400), count(400))
    await desk.run("before", check(**COUNTS))
    await desk.intend(revert=1)
    await desk.intend(revert=2)
    other = await desk.run("after", check(**COUNTS), revert=2)
    assert other.results[0].word is CheckWord.unknown
    assert "no count of the same tables from before" in other.sentence


async def test_a_source_that_does_not_answer_is_unknown_and_stops_nothing_else() -> None:
    desk = Desk(Unanswered("the source cannot be read: OSError."))
    checked = await desk.run("before", check(**COUNTS), HEALTHY)
    assert [(one.name, one.word) for one in checked.results] == [
        ("rows", CheckWord.unknown), ("healthy", CheckWord.passed),
    ]  # fmt: skip
    assert not checked.passed
    assert "cannot be read: OSError" in checked.sentence


async def test_a_source_that_is_not_configured_is_unknown() -> None:
    desk = Desk(count(1))
    checked = await desk.run("before", check(**(COUNTS | {"source": "elsewhere"})))
    assert checked.results[0].word is CheckWord.unknown
    assert "no data source 'elsewhere' is configured" in checked.sentence


async def test_it_waits_until_something_ran_dry() -> None:
    desk = Desk(count(2), Unanswered("the source gave no answer."), count(0))
    assert (await desk.run("between", check(**DRAINED))).passed
    assert len(desk.data.asked) == 3


@pytest.mark.parametrize(
    ("answer", "word"), [(count(2), CheckWord.failed), (Unanswered("nobody there."), CheckWord.unknown)]
)
async def test_what_does_not_run_dry_in_time_is_no_pass(answer: Answer | Unanswered, word: CheckWord) -> None:
    short = check(**(DRAINED | {"time_limit": "1500ms"}))
    assert (await Desk(answer).run("between", short)).results[0].word is word


async def test_it_never_waits_longer_than_the_stage_has_left() -> None:
    async with asyncio.timeout(20):
        checked = await Desk(count(2)).run(
            "between", check(**(DRAINED | {"time_limit": "1h"})), time_limit=timedelta(seconds=2)
        )
    assert checked.results[0].word is CheckWord.failed


async def test_digests_are_sent_as_values_of_parameters() -> None:
    desk = Desk(Answer(columns=("id",), rows=(), raw_sha256=RAW))
    query = "select id from notes where version = :candidate_digest"
    await desk.run("after", check(kind="sql_invariant", query=query))
    assert desk.data.asked == [("db", Question(query=query, values={"candidate_digest": PLAN.candidate.digest}))]


def nobody(name: str) -> fakes.FakeTarget:
    raise TargetRejected(f"no target {name!r} is configured; configured are: none")


def away(name: str) -> fakes.FakeTarget:
    raise TargetUnavailable("connection refused")


async def test_checks_of_data_alone_need_no_target() -> None:
    desk = Desk(count(400))
    desk.checking = CheckingActivities(nobody, desk.data, desk.ledger, fakes.now)
    assert (await desk.run("before", check(**COUNTS))).passed
    refused = await desk.run("after", HEALTHY)
    assert (refused.results[0].word, "no target 'fake'" in refused.sentence) == (CheckWord.failed, True)


async def test_a_target_that_is_away_is_asked_again() -> None:
    desk = Desk(count(400))
    desk.checking = CheckingActivities(away, desk.data, desk.ledger, fakes.now)
    with pytest.raises(ApplicationError) as caught:
        await desk.run("before", HEALTHY)
    assert (caught.value.type, caught.value.non_retryable) == ("TargetUnavailable", False)
