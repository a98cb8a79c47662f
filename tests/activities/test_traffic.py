"""What is known of a stage in traffic, and what nobody could see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.ports import TargetRejected, TargetUnavailable
from activities.recording import Checked
from activities.traffic import TrafficActivities, TrafficRequest
from countermand.plan.target import Member, Split, TargetState
from tests import fakes
from tests.plans import a_plan


class Silent(fakes.FakeTarget):
    """A target whose reads fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__(0, "sha256:baseline")
        self._error = error

    async def read(self, member: Member) -> TargetState:
        raise self._error


class Unseen(fakes.FakeTarget):
    """A target that can be read and counts nobody."""

    capabilities = fakes.FakeTarget.capabilities.model_copy(update={"observes": "none"})

    def __init__(self) -> None:
        super().__init__(0, "sha256:baseline")
        self.users = 0


async def look(target: fakes.FakeTarget, *, observed: str = "required") -> Checked:
    plan = a_plan().model_copy(update={"settle": timedelta(), "observed": observed})
    request = TrafficRequest(
        plan=plan, revert=1, stage=3, desired=Split.candidate(0), revision="1",
        time_limit=timedelta(milliseconds=10), key="k", attempt=0,
    )  # fmt: skip
    activities = TrafficActivities(lambda _name: target, fakes.FakeLedger(), fakes.now)
    return await ActivityEnvironment().run(activities.verify_traffic, request)


@pytest.mark.parametrize(
    ("error", "word"), [(TargetUnavailable("connection refused"), "unknown"), (TargetRejected("no such split"), "fail")]
)
async def test_a_target_that_cannot_be_read_says_so_for_both_checks(error: Exception, word: str) -> None:
    checked = await look(Silent(error))
    assert [(one.name, one.word.value) for one in checked.results] == [("configured", word), ("observed", word)]
    assert str(error) in checked.sentence
    assert not checked.passed


async def test_tgt_9_what_nobody_can_see_stops_unless_the_playbook_takes_what_is_configured() -> None:
    assert not (await look(Unseen())).passed
    checked = await look(Unseen(), observed="best_effort")
    assert checked.passed
    assert checked.unseen.startswith("configured only:")
