"""Alerts on both databases: from their senders' words to sealed blocks, and what their absence is worth."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.sealing import Sealer
from activities.signal_ports import May, Pulled, PullRequest
from activities.watching import Evaluator
from adapters.alert_source import AlertSource
from adapters.alert_values import Alert, AlertsAnswer, Delivered, Unmapped
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.signals import SqlSignals
from adapters.source_settings import AlertmanagerSettings, PushSettings
from adapters.sources import ConfiguredSources
from adapters.webhook_deliveries import KEPT, DeliveryConflict, WebhookDeliveries
from countermand.detection.blocks import Arm, Block
from countermand.detection.models import VerdictWord
from countermand.plan.model import Release
from countermand.playbook.signals import SignalSpec
from tests.adapters.storage.releases import BLOCK, START, playbook, registered
from tests.cases import bundle

PAGER = AlertmanagerSettings(kind="alertmanager", release_label="release", version_label="version")
SPEC = {
    "kind": "alert",
    "family": "operational_health",
    "meaning": "the error alert fires",
    "source": "pager",
    "alert": "HighErrorRate",
}


def minutes(number: float) -> datetime:
    return START + number * BLOCK


def alert(since: float = 0, until: float | None = None, name: str = "HighErrorRate", **labels: str) -> Alert:
    """An alert about `rel-1` that fires from one minute of the watch to another."""
    return Alert(
        fingerprint=json.dumps(labels),
        status="firing" if until is None else "resolved",
        starts_at=minutes(since),
        ends_at=None if until is None else minutes(until),
        labels={"alertname": name, "release": "rel-1", **labels},
    )


@pytest.fixture
def alerts(db: Database) -> SqlAlerts:
    return SqlAlerts(db)


async def said(alerts: SqlAlerts, at: float, *found: Alert, may: May | None = None, **delivered: Any) -> AlertsAnswer:
    return await alerts.add("pager", Delivered(alerts=found, **delivered), PAGER, minutes(at), may=may)


async def pulled(alerts: SqlAlerts, release: Release, number: int, **changes: Any) -> Pulled:
    spec = SignalSpec.model_validate(SPEC | changes)
    request = PullRequest(release=release, signals={"pager": spec}, start=minutes(number), end=minutes(number + 1))
    return await AlertSource("pager", PAGER, alerts).pull(request)


async def block(alerts: SqlAlerts, release: Release, number: int, **changes: Any) -> str:
    """What the source says about a block: how many alerts fired, or why it cannot say."""
    (count,) = (await pulled(alerts, release, number, **changes)).counts
    assert count.arm is Arm.candidate
    assert count.served == count.scored
    return count.reason or f"{count.bad} of {count.scored}"


async def test_a_block_counts_the_alerts_that_fired_at_any_time_of_it(alerts: SqlAlerts, release: Release) -> None:
    await said(alerts, 0, alert(0, name="Watchdog"))
    await said(alerts, 2, alert(1.5))
    await said(alerts, 3.9, alert(3.5, pod="b"))
    await said(alerts, 5.1, alert(1.5, 4.0), alert(3.5, 5.0, pod="b"))
    assert [await block(alerts, release, n) for n in range(6)] == [
        "0 of 1", "1 of 1", "1 of 1", "2 of 2", "1 of 1", "0 of 1",
    ]  # fmt: skip


async def test_only_alerts_of_the_name_with_the_labels_about_the_release_count(
    alerts: SqlAlerts, release: Release, db: Database
) -> None:
    other = await registered(db, "rel-11", candidate=bundle("test-bot v8", index="sha256:index-3"))
    await said(alerts, 0, alert(0, name="Watchdog"))
    await said(
        alerts,
        1,
        alert(0, name="Another"),
        alert(0, severity="page"),
        alert(0, severity="page", release="rel-11"),
        alert(0, release="", version="sha256:index-3"),
    )
    assert await block(alerts, release, 1) == "1 of 1"
    assert await block(alerts, release, 1, labels={"severity": "page"}) == "1 of 1"
    assert await block(alerts, release, 1, labels={"severity": "ticket"}) == "0 of 1"
    assert await block(alerts, other, 1) == "1 of 1", "a release id and a version must not contradict each other"


async def test_a_version_that_both_bundles_share_is_about_neither(alerts: SqlAlerts, release: Release) -> None:
    def by(version: str) -> Alert:
        labels = {"alertname": "HighErrorRate", "version": version}
        return Alert(fingerprint=version, status="firing", starts_at=START, labels=labels)

    shared, own = release.candidate.model, release.candidate.index
    assert shared == release.baseline.model
    answer = await said(alerts, 0, by(shared), by(own), by(release.candidate.name), by(release.baseline.name))
    assert answer.unmatched == 2
    assert await block(alerts, release, 0) == "2 of 2"


async def test_the_absence_of_alerts_says_nothing_while_their_sender_is_silent(
    alerts: SqlAlerts, release: Release
) -> None:
    assert await block(alerts, release, 0) == "silent"
    await said(alerts, 0.5, alert(0.5, name="Watchdog"))
    assert await block(alerts, release, 0) == "silent", "it was first heard in the middle of the block"
    for at in (3, 6, 10.9):
        await said(alerts, at, alert(0.5, name="Watchdog"))
    assert [await block(alerts, release, n) for n in (1, 5, 10)] == ["0 of 1", "0 of 1", "0 of 1"]
    assert [await block(alerts, release, n) for n in (14, 15, 16)] == ["0 of 1", "silent", "silent"]
    await said(alerts, 30, alert(0.5, name="Watchdog"))
    assert [await block(alerts, release, n) for n in (14, 16, 29, 30)] == ["0 of 1", "silent", "silent", "0 of 1"]


async def test_an_alert_that_still_fired_when_its_sender_died_does_not_fire_for_ever(
    alerts: SqlAlerts, release: Release
) -> None:
    await said(alerts, 1.5, alert(1.2))
    assert [await block(alerts, release, n) for n in (0, 1, 5, 6)] == ["silent", "1 of 1", "1 of 1", "silent"]


async def test_while_something_is_missing_only_what_fires_is_known(alerts: SqlAlerts, release: Release) -> None:
    await said(alerts, 0, alert(0, name="Watchdog"))
    await said(alerts, 1.5, alert(1.2, 1.4), partial="5 alerts were left out")
    await said(alerts, 5, alert(0, name="Watchdog"))
    await said(alerts, 9, alert(0, name="Watchdog"))
    assert [await block(alerts, release, n) for n in (1, 2, 5, 6)] == ["1 of 1", "partial", "partial", "0 of 1"]


async def test_a_sender_whose_clock_is_ahead_cannot_hide_an_alert(alerts: SqlAlerts, release: Release) -> None:
    await said(alerts, 1.5, alert(60))
    assert await block(alerts, release, 1) == "1 of 1"


async def test_an_alert_from_before_its_release_was_registered_counts_for_it(alerts: SqlAlerts, db: Database) -> None:
    assert (await said(alerts, 0, alert(0))).unmatched == 1
    await said(alerts, 0, alert(0, pod="b"), may=lambda release_id, _environment: release_id != "rel-1")
    release = await registered(db, "rel-1")
    assert await block(alerts, release, 0) == "1 of 1", "not by a sender that may not speak about it"
    again = await said(alerts, 1, alert(0))
    assert (again.accepted, again.unmatched) == (1, 0)
    assert await block(alerts, release, 1) == "1 of 1"


async def test_starts_in_milliseconds_and_in_nanoseconds_are_the_same_alert(alerts: SqlAlerts) -> None:
    fine = alert().model_copy(update={"starts_at": START + timedelta(microseconds=123_456)})
    coarse = alert().model_copy(update={"starts_at": START + timedelta(milliseconds=123)})
    assert [(await said(alerts, 1, one)).accepted for one in (fine, coarse)] == [1, 0]


async def test_many_deliveries_at_once_store_each_alert_once_and_lose_none(alerts: SqlAlerts, release: Release) -> None:
    found = [alert(0, pod=str(n)) for n in range(40)]
    answers = await asyncio.gather(*(said(alerts, 1, *found[n:], *found[:n]) for n in range(0, 40, 5)))
    assert sum(answer.accepted for answer in answers) == 40
    assert await block(alerts, release, 0) == "40 of 40"


async def test_what_strangers_write_is_stored_on_every_database(alerts: SqlAlerts, release: Release) -> None:
    hostile = {"who": "<!channel>", "rtl": "\u202e", "nul": "a\x00b", "quote": "\"'%_\\", "long": "é" * 10_000}
    await said(alerts, 1, alert(0, **hostile))
    unmapped = Unmapped(delivery_id="m-1", why="no rule fits", payload="\x00" * 5_000)
    await said(alerts, 1, unmapped=unmapped)
    await said(alerts, 1, unmapped=unmapped)
    assert await block(alerts, release, 0) == "1 of 1"
    listed = await alerts.listed(state=None, release_id=None)
    assert sorted(one.status for one in listed) == ["firing", "unmapped"]
    assert [one.labels["who"] for one in await alerts.listed(state=None, release_id="rel-1")] == ["<!channel>"]
    assert await alerts.listed(state=None, release_id="rel-_") == []


async def test_alerts_reach_the_sealed_blocks_and_the_watch_can_judge_them(alerts: SqlAlerts, db: Database) -> None:
    """The whole way: configured sources, sealer, store, evaluator; the dead sender never makes a block healthy."""
    document = json.loads(playbook())
    document["detection"] |= {"block": "60s", "sustain": "60s", "lateness": "1s"}
    document["detection"]["signals"]["pager"] = SPEC
    document["verification"]["time_limit"] = "5m"
    catalogue, signals = SqlCatalogue(db), SqlSignals(db)
    digest = await catalogue.put_playbook(json.dumps(document).encode())
    release = await registered(db, "rel-1", playbook_digest=digest)
    status = await catalogue.release(release.release_id)
    detection = (await catalogue.playbook(digest)).detection
    assert status is not None
    sources = ConfiguredSources({"pager": PAGER, "judge": PushSettings(kind="push")}, alerts)
    assert sources("judge") is None
    await said(alerts, 0, alert(0, name="Watchdog"))
    await said(alerts, 1.5, alert(1.2), alert(1.3, pod="b"))
    rows = await Sealer(signals, sources).seal(status, detection, minutes(8))
    sealed = [row.find("pager", Arm.candidate) for row in rows]
    assert [shown(one) for one in sealed] == ["0 of 1", *["2 of 2"] * 5, "silent", "silent"]
    assert {one.source for one in sealed if one} == {"pager"}
    assert all(one is not None and one.evidence for one in sealed)
    assert {shown(row.find("pager", Arm.baseline)) for row in rows} == {"no_traffic"}
    evaluator = Evaluator(detection)
    assert {evaluator.judge(row).word for row in rows} <= {VerdictWord.unknown, VerdictWord.watch}
    assert await Sealer(signals, sources).seal(status, detection, minutes(8)) == []


def shown(found: Block | None) -> str:
    assert found is not None
    return found.reason or f"{found.bad} of {found.scored}"


async def test_a_delivery_is_remembered_for_a_day_with_its_first_answer(db: Database) -> None:
    deliveries = WebhookDeliveries(db)
    assert await deliveries.claim("hook", "m-1", "a" * 64, START) is None
    assert await deliveries.claim("hook", "m-1", "a" * 64, START) is None, "it was not answered before a crash"
    assert await deliveries.answer("hook", "m-1", {"accepted": 1}) == {"accepted": 1}
    assert await deliveries.answer("hook", "m-1", {"accepted": 0}) == {"accepted": 1}
    assert await deliveries.claim("hook", "m-1", "a" * 64, START) == {"accepted": 1}
    assert await deliveries.claim("other", "m-1", "b" * 64, START) is None
    with pytest.raises(DeliveryConflict):
        await deliveries.claim("hook", "m-1", "b" * 64, START + KEPT)
    assert await deliveries.claim("hook", "m-1", "b" * 64, START + KEPT + timedelta(seconds=1)) is None
