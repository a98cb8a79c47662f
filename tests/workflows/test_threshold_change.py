"""A change of thresholds on a real server, from its proposal to the comparison, and every way it can end before."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.backtesting import MEDIA_TYPE, Backtested, BacktestOrder, facts
from activities.threshold_watch import ThresholdWatching
from activities.thresholds import ThresholdActivities
from countermand import ids
from countermand.canonical import canonical
from countermand.detection.blocks import Row
from countermand.governance.decision import Actor, Decision, DecisionKind, Refusal
from countermand.learning.change import KINDS, ChangeView, change
from countermand.learning.proposal import Proposal
from countermand.ledger.bodies import DecisionMade, ThresholdAdopted
from countermand.ledger.record import Entry, Kind, Record
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.activities.test_adopting import ASKER, MAINTAINER, OWNER
from tests.activities.test_adopting import version as a_version
from tests.rules.learning.proposals import PATH, a_proposal, a_report
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_adopting import SAFETY, Shelved
from tests.workflows.test_consent import decide
from workflows.consent import ConsentInput
from workflows.decisions import UPDATE, Answer
from workflows.threshold_change import ThresholdChange

DAY = 86_400
APPROVE = DecisionKind.approve


def version(number: int, blind_after: int) -> Playbook:
    """Watched for a minute, so that a test can seal a whole release."""
    found = a_version(number, blind_after)
    detection = found.detection.model_copy(update={"watch": timedelta(minutes=1)})
    return found.model_copy(update={"detection": detection})


class Backtests:
    """Implements the activity of backtests: a report that a test states."""

    def __init__(self, ledger: fakes.FakeLedger) -> None:
        self.ledger = ledger
        self.said: dict[str, Any] = {}
        self.broken = ""

    @activity.defn(name="backtest")
    async def backtest(self, order: BacktestOrder) -> Backtested:
        if self.broken:
            raise ApplicationError(self.broken, non_retryable=True)
        report = a_report(current=order.current_digest, proposed=order.proposed_digest, **self.said)
        sha256 = await self.ledger.put_blob(canonical(report.model_dump(mode="json")), MEDIA_TYPE)
        return facts(report, sha256)


class Heard:
    """Implements SealedRows: rows that a test puts there, at none of which the live watch fired."""

    def __init__(self) -> None:
        self.sealed: list[Row] = []

    async def rows(self, release_id: str) -> list[Row]:
        return self.sealed

    async def evaluations(self, release_id: str) -> list[tuple[int, dict[str, object]]]:
        return []


class Desk:
    """People who change thresholds: version 1 is in force."""

    def __init__(self, world: World, environment: WorkflowEnvironment) -> None:
        self.world, self.env, self.shelved = world, environment, Shelved(world)
        self.backtests = Backtests(world.ledger)
        self.signals = Heard()

    def activities(self) -> list[Any]:
        world = self.world
        thresholds = ThresholdActivities(
            world.ledger, world.catalogue, world.people, world.keys, self.shelved.adoptions
        )
        watching = ThresholdWatching(world.ledger, world.catalogue, self.signals)
        return [
            self.backtests.backtest,
            thresholds.propose_threshold,
            thresholds.judge_threshold,
            thresholds.put_up_threshold,
            thresholds.settle_threshold,
            thresholds.decide_threshold,
            watching.shadow_threshold,
            watching.compare_threshold,
        ]

    async def begin(self, number: int = 3) -> None:
        """Version 1 is adopted."""
        first = await self.shelved.ask(version(1, number))
        assert await self.shelved.signed(first, MAINTAINER, OWNER) == "given"
        self.current = str(first.document["digest"])
        release = self.world.catalogue.status.release.model_copy(update={"playbook_digest": self.current})
        self.world.catalogue.status = self.world.catalogue.status.model_copy(update={"release": release})

    async def propose(self, playbook: Playbook, **changes: Any) -> WorkflowHandle[Any, Any]:
        digest = f"sha256:{len(self.shelved.shelf.books):064}"
        self.shelved.shelf.books[digest] = playbook
        self.proposal: Proposal = a_proposal(
            **{
                "proposal_id": f"thr-{uuid.uuid4().hex[:8]}",
                "current_digest": self.current,
                "proposed_digest": digest,
                "review_on": fakes.now() + timedelta(days=180),
                "proposed_by": ASKER,
            }
            | changes
        )
        return await self.world.env.client.start_workflow(
            ThresholdChange.run, self.proposal, id=self.workflow_id, task_queue=self.world.queue
        )

    @property
    def workflow_id(self) -> str:
        return ids.threshold_workflow(self.proposal.proposal_id)

    async def view(self) -> ChangeView:
        found = change(await self.world.ledger.records(kinds=KINDS), self.proposal.proposal_id)
        assert found is not None
        return found

    async def reaches(self, status: str) -> ChangeView:
        async def there() -> ChangeView | None:
            found = change(await self.world.ledger.records(kinds=KINDS), self.proposal.proposal_id)
            return found if found is not None and found.status == status else None

        return await until(there, f"the proposal is {status}")

    async def passes(self, handle: WorkflowHandle[Any, Any], days: int) -> None:
        await self.env.fast_forward(handle, days * DAY)

    async def consent(self) -> ConsentInput:
        """What people are asked to sign, as far as those who decide need it."""
        directory = await self.world.people.snapshot()
        consent_id = ids.threshold_consent(self.proposal.proposal_id)
        return ConsentInput.model_construct(consent_id=consent_id, incident_id=None, directory=directory)

    async def sign(self, *who: str) -> None:
        given = await self.consent()
        for one in who:
            await decide(self.world, given, APPROVE, one)

    async def decide(self, kind: DecisionKind, who: str, **changes: Any) -> Answer:
        """What the console does: sign a decision about the proposal and hand it over."""
        people, view = await self.world.people.snapshot(), await self.view()
        decision = Decision(
            decision_id=str(uuid.uuid4()),
            kind=kind,
            addressed_to=self.workflow_id,
            incident_id="",
            ask_id=None,
            approval_digest=view.judged.backtest if view.judged else None,
            reason="We looked at it together, and it was a test.",
            actor=Actor(
                subject=who,
                printed_name=people.name_of(who),
                principal="person",
                roles=people.roles_of(who),
                role_source="fake",
                role_as_of=fakes.now(),
            ),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=fakes.now(),
            gateway_key_id=self.world.keys.key_id,
        ).model_copy(update=changes)
        signed = self.world.keys.sign(decision)
        await self.world.ledger.append(DecisionMade(decision=signed).entry(f"decision/{signed.decision_id}", who))
        handle = self.world.env.client.get_workflow_handle(self.workflow_id)
        return await handle.execute_update(UPDATE, signed, id=signed.decision_id, result_type=Answer)

    async def refused(self, kind: DecisionKind, who: str, **changes: Any) -> Refusal:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await self.decide(kind, who, **changes)
        assert isinstance(caught.value.cause, ApplicationError)
        return Refusal(caught.value.cause.details[0])


def calm(block: timedelta, start: datetime, count: int) -> Iterator[Row]:
    """Rows in which both versions do alike."""
    signals = fakes.FakeSignals(block)
    return (signals._row(seq, start + seq * block) for seq in range(count))


@pytest.fixture
def desk(world: World, environment: WorkflowEnvironment) -> Desk:
    return Desk(world, environment)


async def test_r93_from_a_proposal_to_what_came_of_it(desk: Desk) -> None:
    world = desk.world
    async with world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 9))
        await desk.reaches("shadowing")
        detection = version(2, 9).detection
        desk.signals.sealed = list(calm(detection.block, fakes.now(), detection.watch_blocks))
        await desk.passes(handle, 7)
        view = await desk.reaches("signing")
        assert len(view.shadows) >= 1
        assert view.shadows[-1].whole
        assert [one.word for one in view.heard] == ["ok"], "each change of a verdict is recorded once"
        assert await desk.shelved.in_force() == [(1, desk.current)], "nothing changed yet"
        await desk.sign(MAINTAINER, OWNER)
        assert await desk.shelved.in_force() == [(1, desk.current)], "a laxer number needs three people"
        await desk.sign(SAFETY)
        await desk.reaches("comparing")
        assert [number for number, _ in await desk.shelved.in_force()] == [1, 2]
        (changed,) = world.ledger.bodies(Kind.threshold_adopted)
        assert ThresholdAdopted.model_validate(changed).backtest == view.judged.backtest  # type: ignore[union-attr]
        await desk.passes(handle, 30)
        ended = await handle.result()
        view = await desk.view()
    assert ended.outcome == "adopted"
    assert view.compared is not None
    assert view.compared.outside, "no release was watched by it: a person has to look"


async def test_lrn_10_a_missed_incident_waits_for_a_waiver_that_names_it(desk: Desk) -> None:
    desk.backtests.said = {"missed": ("spring",)}
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        await desk.propose(version(2, 9))
        view = await desk.reaches("stopped")
        assert "inc-spring" in view.phase.sentence  # type: ignore[union-attr]
        waive, spring = DecisionKind.waive_finding, {"terms": {"waives": "spring"}}
        assert await desk.refused(waive, OWNER, **spring) is Refusal.not_your_role
        assert await desk.refused(waive, SAFETY, terms={"waives": "summer"}) is Refusal.wrong_state
        assert await desk.refused(waive, SAFETY, approval_digest="sha256:other", **spring) is Refusal.stale
        automation = {"actor": (await desk_actor(desk, SAFETY)).model_copy(update={"principal": "automation"})}
        assert await desk.refused(waive, SAFETY, **automation, **spring) is Refusal.actor_not_a_person
        await desk.decide(waive, SAFETY, **spring)
        view = await desk.reaches("shadowing")
        assert [(one.waives, one.subject) for one in view.waivers] == [("spring", SAFETY)]
        await desk.decide(DecisionKind.withdraw, ASKER)


async def desk_actor(desk: Desk, who: str) -> Actor:
    people = await desk.world.people.snapshot()
    return Actor(
        subject=who,
        printed_name=people.name_of(who),
        principal="person",
        roles=people.roles_of(who),
        role_source="fake",
        role_as_of=fakes.now(),
    )


async def test_lrn_10_nobody_waives_so_it_expires_and_nothing_changes(desk: Desk) -> None:
    desk.backtests.said = {"asks": 900}
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2))
        await desk.reaches("stopped")
        await desk.passes(handle, 14)
        assert (await handle.result()).outcome == "expired"
    assert await desk.shelved.in_force() == [(1, desk.current)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"origins": {}}, "where the new number"), ({"review_on": None}, "no date within a year")],
)
async def test_lrn_10_without_origin_or_review_date_it_ends_at_once(
    desk: Desk, changes: dict[str, Any], words: str
) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2), **changes)
        ended = await handle.result()
    assert (ended.outcome, words in ended.sentence) == ("refused", True)


async def test_a_backtest_that_cannot_be_made_ends_it_and_says_why(desk: Desk) -> None:
    desk.backtests.broken = "rows of two lengths"
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2))
        ended = await handle.result()
    assert (ended.outcome, "rows of two lengths" in ended.sentence) == ("failed", True)


async def test_lrn_11_a_shadow_that_heard_no_whole_release_says_nothing_and_ends_it(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2))
        await desk.reaches("shadowing")
        await desk.passes(handle, 38)
        ended = await handle.result()
    assert (ended.outcome, "whole length" in ended.sentence) == ("expired", True)
    assert desk.world.ledger.kinds()[Kind.consent_opened.value] == 1, "nobody was asked to sign it"


async def test_lrn_12_nobody_signs_so_it_expires(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2), shadow=timedelta(0), shadow_because="It only makes it stricter.")
        await desk.reaches("signing")
        child = desk.world.env.client.get_workflow_handle(
            ids.consent_workflow(ids.threshold_consent(desk.proposal.proposal_id))
        )
        await until(lambda: desk_opened(desk), "people are asked")
        await desk.env.fast_forward(child, 7 * DAY)
        assert (await handle.result()).outcome == "expired"


async def desk_opened(desk: Desk) -> bool:
    name = ids.consent_record(ids.threshold_consent(desk.proposal.proposal_id), "opened")
    return await desk.world.ledger.find(name) is not None


async def test_lrn_12_what_starts_from_an_overtaken_version_is_not_adopted(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(3, 2), shadow=timedelta(0), shadow_because="It only makes it stricter.")
        await desk.reaches("signing")
        await until(lambda: desk_opened(desk), "people are asked")
        assert await desk.shelved.signed(await desk.shelved.ask(version(2, 1)), MAINTAINER, OWNER) == "given"
        await desk.sign(MAINTAINER, OWNER)
        ended = await handle.result()
    assert (ended.outcome, "another version came first" in ended.sentence) == ("stale", True)
    assert [number for number, _ in await desk.shelved.in_force()] == [1, 2]


async def test_lrn_12_people_withdraw_while_signatures_are_missing_and_what_was_asked_is_closed(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2), shadow=timedelta(0), shadow_because="It only makes it stricter.")
        await desk.reaches("signing")
        await until(lambda: desk_opened(desk), "people are asked")
        await desk.sign(MAINTAINER)
        assert (await desk.decide(DecisionKind.withdraw, ASKER)).status == "withdrawn"
        ended = await handle.result()
    assert ended.outcome == "withdrawn"
    closed = desk.world.ledger.bodies(Kind.consent_closed)[-1]
    assert closed["status"] == "refused"
    assert await desk.shelved.in_force() == [(1, desk.current)]


async def test_lrn_12_withdrawn_in_the_moment_in_which_people_are_asked_nobody_signs_it(desk: Desk) -> None:
    append, now, go = desk.world.ledger.append, asyncio.Event(), asyncio.Event()

    async def late(*entries: Entry) -> list[Record]:
        if any(one.body.get("phase") == "signing" for one in entries):
            now.set()
            await go.wait()
        return await append(*entries)

    desk.world.ledger.append = late  # type: ignore[method-assign]  # a slow database
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 2), shadow=timedelta(0), shadow_because="It only makes it stricter.")
        await now.wait()
        withdrawing = asyncio.create_task(desk.decide(DecisionKind.withdraw, ASKER))
        await asyncio.sleep(0.5)
        go.set()
        assert (await withdrawing).status == "withdrawn"
        assert (await handle.result()).outcome == "withdrawn"
    assert await desk.shelved.in_force() == [(1, desk.current)]


async def test_two_waivers_in_one_moment_let_it_go_on(desk: Desk) -> None:
    desk.backtests.said = {"missed": ("spring", "summer")}
    append, waive = desk.world.ledger.append, DecisionKind.waive_finding

    async def late(*entries: Entry) -> list[Record]:
        found = await append(*entries)
        if any(one.body.get("waives") == "spring" for one in entries):
            await asyncio.sleep(1)
        return found

    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        await desk.propose(version(2, 9))
        await desk.reaches("stopped")
        desk.world.ledger.append = late  # type: ignore[method-assign]  # a slow database
        given = [desk.decide(waive, SAFETY, terms={"waives": one}) for one in ("spring", "summer")]
        await asyncio.gather(*given)
        await desk.reaches("shadowing")
        await desk.decide(DecisionKind.withdraw, ASKER)


async def test_r20_a_number_that_nobody_measured_is_signed_by_the_safety_lead_too(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        await desk.propose(
            version(2, 2),
            shadow=timedelta(0),
            shadow_because="It only makes it stricter.",
            origins={PATH: "judgement"},
        )
        await desk.reaches("signing")
        await until(lambda: desk_opened(desk), "people are asked")
        await desk.sign(MAINTAINER, OWNER)
        assert await desk.shelved.in_force() == [(1, desk.current)]
        await desk.sign(SAFETY)
        await desk.reaches("comparing")
        assert [number for number, _ in await desk.shelved.in_force()] == [1, 2]
        assert await desk.refused(DecisionKind.withdraw, ASKER) is Refusal.wrong_state


async def test_what_is_no_proposal_leaves_no_record(desk: Desk) -> None:
    async with desk.world.worker(more=desk.activities()):
        await desk.begin(3)
        handle = await desk.propose(version(2, 3))
        ended = await handle.result()
    assert (ended.outcome, "changes nothing" in ended.sentence) == ("refused", True)
    assert desk.world.ledger.bodies(Kind.threshold_proposed) == []


def test_the_fake_is_a_person() -> None:
    assert cases.JONAS == SAFETY
