"""The shadow records each change once; the comparison counts what people closed without going back (LRN-11, LRN-13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.threshold_ports import CompareRequest, ShadowRequest
from activities.threshold_watch import ThresholdWatching
from countermand import ids
from countermand.canonical import canonical
from countermand.detection.blocks import Row
from countermand.ledger.bodies import IncidentClosed, IncidentOpened, ThresholdJudged
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.rules.learning import pasts
from tests.rules.learning.proposals import CURRENT, PROPOSED, a_report, proposed

ID = "thr-0123abcd"
DAY = timedelta(days=1)


class Shelf(fakes.FakeCatalogue):
    """The release is watched by the version in force."""

    def __init__(self, digest: str) -> None:
        release = cases.release().model_copy(update={"playbook_digest": digest})
        super().__init__(pasts.playbook(watch="2m"), release)
        begun = {"registered_at": pasts.BEGIN}
        self.status = self.status.model_copy(update=begun)

    async def playbook(self, digest: str) -> Playbook:
        assert digest in (CURRENT, PROPOSED)
        return self.the_playbook


class Sealed:
    """Implements SealedRows."""

    def __init__(self) -> None:
        self.seen: list[Row] = []
        self.judged: list[tuple[int, dict[str, object]]] = [(0, {"word": "ok"}), (70, {"word": "trigger"})]

    async def rows(self, release_id: str) -> list[Row]:
        return self.seen

    async def evaluations(self, release_id: str) -> list[tuple[int, dict[str, object]]]:
        return self.judged


class Desk:
    def __init__(self, digest: str = CURRENT) -> None:
        self.ledger, self.shelf, self.sealed = fakes.FakeLedger(), Shelf(digest), Sealed()
        self.watching = ThresholdWatching(self.ledger, self.shelf, self.sealed)

    async def begin(self, **said: Any) -> None:
        await self.ledger.append(proposed().entry(ids.threshold_record(ID, "proposed"), "local|amira"))
        report = a_report(**said)
        sha256 = await self.ledger.put_blob(canonical(report.model_dump(mode="json")), "application/json")
        judged = ThresholdJudged(
            proposal_id=ID,
            backtest=sha256,
            incidents=2,
            quiet_s=14 * 86_400,
            asks=report.honesty.proposed.asks,
            findings=(),
            stops=(),
            sentences=(),
        )
        await self.ledger.append(judged.entry(ids.threshold_record(ID, "judged"), "worker"))

    async def look(self, number: int, until: timedelta = DAY) -> Any:
        request = ShadowRequest(proposal_id=ID, number=number, since=pasts.BEGIN, until=pasts.BEGIN + until)
        return await ActivityEnvironment().run(self.watching.shadow_threshold, request)

    async def compare(self, since_days: int = 0) -> dict[str, object]:
        since = pasts.BEGIN + since_days * DAY
        request = CompareRequest(proposal_id=ID, since=since, until=fakes.now() + DAY)
        await ActivityEnvironment().run(self.watching.compare_threshold, request)
        return self.ledger.bodies(Kind.threshold_compared)[-1]

    async def incident(self, number: int, outcome: str | None, by: str = "automation") -> None:
        about = {"incident_id": f"inc-{number}", "release_id": self.shelf.status.release.release_id}
        opened = IncidentOpened.model_construct(
            **dict.fromkeys(("workflow_id", "environment", "service", "candidate_name", "baseline_name"), "x"),
            severity="sev2",
            trigger="t",
            sentence="s",
            evidence_digest="sha256:e",
            opened_by=by,
            ends_by=fakes.now(),
        )
        await self.ledger.append(opened.entry(f"{number}/opened", "worker", **about))
        if outcome:
            closed = IncidentClosed.model_validate({"outcome": outcome, "sentence": "s"})
            await self.ledger.append(closed.entry(f"{number}/closed", "worker", **about))


async def test_lrn_11_each_change_is_recorded_once_and_a_repeated_look_adds_nothing() -> None:
    desk = Desk()
    await desk.begin()
    desk.sealed.seen = pasts.rows("harm", 60, pasts.BEGIN, 20, part=0.2)
    await desk.look(1)
    first = desk.ledger.bodies(Kind.threshold_shadow)
    desk.sealed.seen = pasts.rows("harm", 120, pasts.BEGIN, 20, part=0.2)
    heard = await desk.look(2, 2 * DAY)
    assert heard == await desk.look(2, 2 * DAY)
    looks = desk.ledger.bodies(Kind.threshold_shadow)
    changes: list[Any] = [one for look in looks for one in look["changes"]]  # type: ignore[attr-defined]
    assert (len(first), len(looks)) == (1, 2)
    assert len({one["at"] for one in changes}) == len(changes), "each change once"
    fired = [one for one in changes if one["word"] == "trigger"]
    assert len(fired) == 1
    assert fired[0]["live_at"] == "2026-03-01T00:01:11.000000Z", "the live watch fired at the end of row 70"
    assert heard.whole


async def test_lrn_11_a_look_acts_on_nothing() -> None:
    desk = Desk()
    await desk.begin()
    desk.sealed.seen = pasts.rows("harm", 120, pasts.BEGIN, 20, part=0.2)
    await desk.look(1)
    assert set(desk.ledger.kinds()) == {"threshold.proposed", "threshold.judged", "threshold.shadow"}


async def test_lrn_11_rows_that_do_not_fit_are_left_out_and_named() -> None:
    desk = Desk()
    await desk.begin()
    seen = pasts.rows("harm", 20, pasts.BEGIN)
    desk.sealed.seen = [seen[0], *seen[2:]]
    heard = await desk.look(1)
    (look,) = desk.ledger.bodies(Kind.threshold_shadow)
    assert (heard.rows, look["releases"]) == (0, [])
    assert str(look["left_out"][0]).startswith(desk.shelf.status.release.release_id)  # type: ignore[index]


async def test_lrn_13_alarms_that_people_closed_without_going_back_are_counted() -> None:
    desk = Desk(PROPOSED)
    await desk.begin(asks=0)
    for number, outcome in enumerate(("rejected", "withdrawn", "reverted", None, "aborted")):
        await desk.incident(number, outcome)
    await desk.incident(9, "rejected", by="local|maria")
    found = await desk.compare()
    assert (found["actual"], found["word"], found["outside"]) == (3, "outside", True)


async def test_lrn_13_blocks_in_which_nothing_was_known_are_no_time_of_watching() -> None:
    desk = Desk(PROPOSED)
    await desk.begin(asks=0)
    desk.sealed.judged = [(row, {"word": "unknown"}) for row in range(100)]
    assert (await desk.compare())["word"] == "unknown"


async def test_lrn_13_without_a_release_nothing_is_known_and_a_person_has_to_look() -> None:
    desk = Desk(CURRENT)
    await desk.begin()
    found = await desk.compare()
    assert (found["word"], found["outside"]) == ("unknown", True)
