"""Small pasts for tests of backtests: one signal, blocks of a second, harm that begins when a test says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from countermand.detection.blocks import Row
from countermand.detection.planted import Harm, plant
from countermand.detection.synthetic import synthetic
from countermand.learning.backtest import report
from countermand.learning.episode import Episode
from countermand.learning.feeding import hear
from countermand.learning.outcome import Tried
from countermand.learning.report import BacktestReport
from countermand.learning.versions import Versions
from countermand.playbook.model import Playbook
from tests import cases

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SIGNAL = "hallucinations"

Past = list[tuple[Episode, list[Row]]]


def playbook(ratio: str = "1.5", version: int = 1, **detection: Any) -> Playbook:
    """The playbook of the other tests, with another tolerance."""
    document = cases.playbook_document() | {"version": version}
    document["verification"]["time_limit"] = "1m"
    document["detection"] |= {"watch": "10m", **detection}
    document["detection"]["triggers"][0]["any"][0]["tolerate"] = {"ratio": ratio}
    return Playbook.model_validate(document)


def draws(name: str) -> Iterator[float]:
    return iter(Random(f"7/{name}").random, None)  # noqa: S311


def rows(name: str, count: int, begins: datetime = BEGIN, harm_at: int | None = None, part: float = 0.04) -> list[Row]:
    """`count` rows of 500 outputs on each arm; from row `harm_at` on, outputs turn bad with probability `part`."""
    detection = playbook().detection
    usual = list(synthetic(detection, {SIGNAL: (500, 500)}, count, begins, draws(name)))
    harm = Harm(signal=SIGNAL, part=part)
    number = draws(f"{name}/harm")
    return [
        plant(detection.signals, harm, row, 1.0, number) if harm_at is not None and row.seq >= harm_at else row
        for row in usual
    ]


def incident(name: str, count: int = 160, harm_at: int = 60, effect_at: int | None = 140, **planted: Any) -> Any:
    begins = BEGIN + timedelta(hours=len(name))
    episode = {
        "episode_id": name,
        "kind": "incident",
        "source": "synthetic",
        "release_id": f"release-{name}",
        "service": "test-bot",
        "begins": begins,
        "ends": begins + count * SECOND,
        "harm_start": begins + harm_at * SECOND,
        "first_effect_at": None if effect_at is None else begins + effect_at * SECOND,
    }
    return Episode.model_validate(episode), rows(name, count, begins, harm_at, **planted)


def quiet(name: str, count: int = 200) -> tuple[Episode, list[Row]]:
    begins = BEGIN + timedelta(days=2)
    episode = Episode(
        episode_id=name,
        kind="quiet",
        source="synthetic",
        release_id=f"release-{name}",
        service="test-bot",
        begins=begins,
        ends=begins + count * SECOND,
    )
    return episode, rows(name, count, begins)


def heard(versions: Versions, past: Past) -> list[Tried]:
    return [Tried(one, hear(one, versions.detection, versions.rules, seen)) for one, seen in past]


def backtest(current: Playbook, proposed: Playbook, past: Past) -> BacktestReport:
    versions = Versions(current, proposed)
    return report(versions, ("sha256:" + "a" * 64, "sha256:" + "b" * 64), heard(versions, past), 7, draws).report
