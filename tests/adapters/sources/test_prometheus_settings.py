"""The entry of a Prometheus in the sources file: refused with the place, or opened on first use."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.alerts import SqlAlerts
from adapters.database import Database
from adapters.prometheus_source import PrometheusSource
from adapters.settings import SettingsInvalid
from adapters.source_settings import PrometheusSettings, source_settings
from adapters.sources import ConfiguredSources
from countermand.detection.blocks import Arm

ENTRY = """
sources:
  metrics:
    kind: prometheus
    url: http://127.0.0.1:9090/prometheus
    token_file: /run/secrets/prometheus
    scrape: 15s
    arms:
      candidate: {track: canary, version: $release_id}
      baseline: {track: stable, model: $baseline.model}
  judge: {kind: push}
"""


def read(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "sources.yaml").write_text(text)
    return dict(source_settings(tmp_path / "sources.yaml"))


async def test_an_entry_is_opened_once_on_first_use_and_a_pushing_source_is_not_asked(tmp_path: Path) -> None:
    entries = read(tmp_path, ENTRY)
    entry = entries["metrics"]
    assert isinstance(entry, PrometheusSettings)
    assert (entry.scrape, entry.time_limit) == (timedelta(seconds=15), timedelta(seconds=10))
    assert entry.arms[Arm.baseline] == {"track": "stable", "model": "$baseline.model"}
    sources = ConfiguredSources(
        source_settings(tmp_path / "sources.yaml"), SqlAlerts(Database(f"sqlite+aiosqlite:///{tmp_path}/unused.db"))
    )
    assert isinstance(sources("metrics"), PrometheusSource)
    assert sources("metrics") is sources("metrics")
    assert sources("judge") is None
    assert sources("nobody") is None
    await sources.close()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("$release_id", "$release", "'$release' is not known; write a text, $release_id, or $candidate.<member>"),
        ("$baseline.model", "$baseline.color", "where a member is one of name, model, prompt"),
        ("track: stable, model: $baseline.model", "track: canary, version: $release_id", "they must differ"),
        ("      baseline: {track: stable, model: $baseline.model}\n", "", "labels of both arms are needed"),
        ("track: canary", "track-id: canary", "sources.metrics.prometheus.arms.candidate.track-id"),
        ("scrape: 15s", "scrape: 0s", "'0s' is no time at all"),
        ("    scrape: 15s\n", "", "sources.metrics.prometheus.scrape"),
        ("http://127.0.0.1:9090", "http://me:secret@127.0.0.1:9090", "sources.metrics.prometheus.url"),
        ("http://127.0.0.1:9090", "file:///", "sources.metrics.prometheus.url"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in ENTRY
    with pytest.raises(SettingsInvalid) as refused:
        read(tmp_path, ENTRY.replace(old, new))
    assert said in str(refused.value)
