"""A watch that really was sealed and judged is reproduced byte for byte from its episode file (LRN-7, LRN-8)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.backtesting import MEDIA_TYPE, BacktestingActivities, BacktestOrder
from activities.watching import evaluation_of
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.episodes import LedgerEpisodes
from adapters.signals import SqlSignals
from countermand.canonical import instant
from countermand.detection.evaluator import Evaluator
from countermand.learning.episode_file import SUFFIX, header, rows_of
from countermand.learning.known import with_label
from countermand.learning.report import BacktestReport
from countermand.ledger.bodies import EpisodeLabelled
from countermand.plan.model import Release
from countermand.playbook.load import parse
from tests import fakes
from tests.adapters.storage.releases import START, anywhere, batch, output, playbook
from tests.rules.learning import pasts

SECOND = timedelta(seconds=1)
FAR = START + timedelta(days=1)


def outputs(block: int, many: int, bad: int) -> list[object]:
    """`many` outputs of each arm in one block; on the candidate `bad` of them are bad."""
    return [
        output(
            block * 1_000 + number,
            observation_id=f"{block}-{arm}-{many}-{number}",
            arm=arm,
            event_time=START + block * SECOND + timedelta(milliseconds=number),
            outcome="bad" if arm == "candidate" and number < bad else "ok",
        )
        for arm in ("candidate", "baseline")
        for number in range(many)
    ]


async def watched(db: Database) -> list[dict[str, object]]:
    """24 blocks with traffic, the last 12 of them bad; late samples of block 3; then silence. What was said of each."""
    signals, detection = SqlSignals(db), parse(playbook()).detection
    items = [one for block in range(24) for one in outputs(block, 20, 0 if block < 12 else 8)]
    await signals.add("judge", batch("first", *items), FAR, may=anywhere)  # type: ignore[arg-type]
    grid = {"signals": detection.signals, "start": START, "block": SECOND}
    rows = await signals.seal("rel-1", **grid, until=START + 10 * SECOND)  # type: ignore[arg-type]
    await signals.add("judge", batch("late", *outputs(3, 7, 2)), FAR, may=anywhere)  # type: ignore[arg-type]
    rows += await signals.seal("rel-1", **grid, until=START + 70 * SECOND)  # type: ignore[arg-type]
    assert [row.seq for row in rows if row.late_of is not None] == [3]
    evaluator = Evaluator(detection)
    judged = [(row, evaluator.judge(row)) for row in rows]
    await signals.put_evaluations("rel-1", {r.seq: evaluation_of(v, r) for r, v in judged if r.late_of is None})
    return [verdict.model_dump(mode="json") for _, verdict in judged]


async def test_lrn_7_every_verdict_of_a_recorded_watch_is_reproduced(
    db: Database, release: Release, tmp_path: Path
) -> None:
    then = await watched(db)
    episodes = LedgerEpisodes(fakes.FakeLedger(), SqlCatalogue(db), SqlSignals(db), tmp_path / "episodes")
    assert await episodes.known() == ()  # 70 seconds without an incident say nothing
    episode = pasts.incident("recorded")[0].model_copy(
        update={"release_id": "rel-1", "begins": START, "ends": START + 70 * SECOND, "first_effect_at": None}
    )
    await episodes.write([episode], tmp_path)
    path = tmp_path / f"{episode.episode_id}{SUFFIX}"
    assert header(path).rows == 71
    detection = parse(playbook()).detection
    evaluator, now, said = Evaluator(detection), [], {}
    for row in rows_of(path, detection.signals):
        verdict = evaluator.judge(row)
        now.append(verdict.model_dump(mode="json"))
        if row.late_of is None:
            said[row.seq] = evaluation_of(verdict, row)
    assert now == then
    assert said == dict(await SqlSignals(db).evaluations("rel-1"))
    assert {one["word"] for one in then} >= {"ok", "trigger"}


async def test_the_activity_stores_the_report_under_its_digest(db: Database, release: Release, tmp_path: Path) -> None:
    await watched(db)
    ledger, catalogue = fakes.FakeLedger(), SqlCatalogue(db)
    proposed = await catalogue.put_playbook(playbook(version=2))
    episode = pasts.incident("recorded")[0].model_copy(
        update={"release_id": "rel-1", "begins": START, "ends": START + 70 * SECOND, "harm_start": START + 12 * SECOND}
    )

    class OneEpisode(LedgerEpisodes):
        async def known(self, service: str | None = None) -> tuple[object, ...]:  # type: ignore[override]
            return (episode.model_copy(update={"first_effect_at": START + 60 * SECOND}),)

    async def alone(request: object, progress: object) -> BacktestReport:
        both = [parse(text.encode()) for text in (request.current, request.proposed)]  # type: ignore[attr-defined]
        path = Path(request.folder) / f"{episode.episode_id}{SUFFIX}"  # type: ignore[attr-defined]
        (one,) = request.episodes  # type: ignore[attr-defined]
        return pasts.backtest(*both, [(one, list(rows_of(path, both[0].detection.signals)))])

    store = OneEpisode(ledger, catalogue, SqlSignals(db), tmp_path / "episodes")
    order = BacktestOrder(current_digest=release.playbook_digest, proposed_digest=proposed)
    activities = BacktestingActivities(ledger, catalogue, store, alone)  # type: ignore[arg-type]
    found = await ActivityEnvironment().run(activities.backtest, order)
    raw, media_type = await ledger.get_blob(found.digest) or (b"", "")
    report = BacktestReport.model_validate_json(raw)
    assert (report.digest, media_type) == (found.digest, MEDIA_TYPE)
    assert found.incidents == 1
    assert found.missed == ()
    assert report.incidents[0].rows == 60


def test_a_label_replaces_what_the_records_alone_say() -> None:
    episode, _ = pasts.incident("labelled")
    label = EpisodeLabelled(
        episode_id=episode.episode_id,
        word="near_miss",
        harm_start=episode.begins + SECOND,
        version=3,
        subject="local|maria",
        name="Maria",
        note="A test account.",
    )
    after = with_label(episode, label)
    assert (after.kind, after.labelled_by, after.label_version) == ("near_miss", "local|maria", 3)
    assert instant(after.harm_start or FAR) == instant(episode.begins + SECOND)
