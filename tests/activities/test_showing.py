"""Before cards go out it is decided and recorded who is called and who finds the request only listed (GOV-50)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.showing import ShowingActivities, ShowRequest
from countermand.ledger.bodies import AskClosed, AskOpened, Body, IncidentOpened
from countermand.ledger.record import Kind
from tests import cases, fakes

MARIA, JONAS = (cases.MARIA, "Maria Keller"), (cases.JONAS, "Jonas Weber")


class Desk:
    """One worker's cards over one Ledger; people are asked about releases that are named by number."""

    def __init__(self, *people: tuple[str, str]) -> None:
        self.ledger = fakes.FakeLedger()
        self.cards = fakes.FakeCards(people)
        self.showing = ShowingActivities(self.ledger, self.cards, fakes.FakePeople(cases.governance()), fakes.now)

    async def write(self, number: int, body: Body) -> None:
        ids = {"incident_id": f"inc-{number}", "release_id": f"r-{number}"}
        await self.ledger.append(body.entry(f"inc-{number}/{body.KIND}", "worker", **ids))

    async def ask(self, number: int, severity: str = "sev3") -> None:
        now = fakes.now()
        opened = IncidentOpened(
            workflow_id="w", environment="prod", service="shop", candidate_name="v2", baseline_name="v1",
            severity=severity, trigger="failures", sentence="Failures rose.", evidence_digest="sha256:e",
            opened_by="automation", ends_by=now + timedelta(days=1),
        )  # fmt: skip
        asked = AskOpened(
            ask_id=f"inc-{number}-ask-1", workflow_id="w/1", plan_digest="sha256:p", evidence_digest="sha256:e",
            approval_digest="sha256:a", requester="automation", excluded=(), need_roles=("safety_lead",),
            need_people=1, asked=(), opened_at=now, expires_at=now + timedelta(minutes=30), default="hold", ladder=(),
            governance_digest="sha256:g", rules="approval/1", supersedes=None,
        )  # fmt: skip
        await self.write(number, opened)
        await self.write(number, asked)

    async def show(self, number: int, revision: int = 1) -> dict[str, str]:
        """How each person was reached about this request, as the cards were told."""
        request = ShowRequest(
            incident_id=f"inc-{number}", release_id=f"r-{number}", ask_id=f"inc-{number}-ask-1", revision=revision
        )
        await ActivityEnvironment().run(self.showing.show_ask, request)
        return self.cards.lanes[request.ask_id]


async def test_gov_50_the_seventh_request_of_an_hour_is_only_listed_and_that_is_recorded() -> None:
    desk = Desk(MARIA)
    for number in range(7):
        await desk.ask(number)
        assert (await desk.show(number))[cases.MARIA] == ("now" if number < 6 else "batch")
    last = desk.ledger.bodies(Kind.ask_sent)[-1]
    assert (last["ask_id"], last["subject"], last["lane"]) == ("inc-6-ask-1", cases.MARIA, "batch")


async def test_gov_50_a_sev1_request_is_never_batched_whatever_came_before_it() -> None:
    desk = Desk(MARIA)
    for number in range(9):
        await desk.ask(number)
        await desk.show(number)
    await desk.ask(9, "sev1")
    assert await desk.show(9) == {cases.MARIA: "own"}


async def test_gov_50_how_somebody_is_reached_is_decided_once_per_request() -> None:
    desk = Desk(MARIA)
    for number in range(7):
        await desk.ask(number)
        await desk.show(number)
    assert await desk.show(0, 2) == {cases.MARIA: "now"}
    assert await desk.show(6, 2) == {cases.MARIA: "batch"}
    assert len(desk.ledger.bodies(Kind.ask_sent)) == 7


async def test_gov_50_people_who_are_asked_later_are_decided_on_when_they_are_asked() -> None:
    desk = Desk(MARIA)
    await desk.ask(0)
    await desk.show(0)
    desk.cards.people = (MARIA, JONAS)
    assert await desk.show(0, 2) == {cases.MARIA: "now", cases.JONAS: "now"}
    assert [body["subject"] for body in desk.ledger.bodies(Kind.ask_sent)] == [cases.MARIA, cases.JONAS]


async def test_gov_50_requests_of_one_instant_share_one_hour() -> None:
    desk = Desk(MARIA)
    for number in range(10):
        await desk.ask(number)
    lanes = await asyncio.gather(*(desk.show(number) for number in range(10)))
    assert sorted(one[cases.MARIA] for one in lanes) == ["batch"] * 4 + ["now"] * 6


async def test_a_request_that_is_over_calls_nobody() -> None:
    desk = Desk(MARIA)
    await desk.ask(0)
    await desk.write(0, AskClosed(ask_id="inc-0-ask-1", status="rejected", because="", have=0, need=1))
    assert await desk.show(0) == {}
    assert desk.ledger.bodies(Kind.ask_sent) == []
