"""Sources that are asked, by the name that playbooks use. Who only pushes needs no entry here."""

from __future__ import annotations

from collections.abc import Mapping

from activities.fence import PRODUCTION, Production
from activities.signal_ports import PullSource
from adapters.alert_source import AlertSource
from adapters.alerts import SqlAlerts
from adapters.database import utc_now
from adapters.mlflow_source import MlflowSource
from adapters.prometheus_source import PrometheusSource
from adapters.source_settings import (
    AlertmanagerSettings,
    MlflowSettings,
    PrometheusSettings,
    SourceSettings,
    WebhookSettings,
)


class ConfiguredSources:
    """Implements PullSources over the sources file. Clients are made on first use and closed together."""

    environment: Production = PRODUCTION

    def __init__(self, settings: Mapping[str, SourceSettings], alerts: SqlAlerts) -> None:
        self._settings = settings
        self._alerts = alerts
        self._open: dict[str, MlflowSource | PrometheusSource] = {}

    def __call__(self, name: str) -> PullSource | None:
        """The source to ask; None for one that pushes."""
        entry = self._settings.get(name)
        if isinstance(entry, AlertmanagerSettings | WebhookSettings):
            return AlertSource(name, entry, self._alerts)
        if name not in self._open and isinstance(entry, MlflowSettings):
            self._open[name] = MlflowSource(entry)
        if name not in self._open and isinstance(entry, PrometheusSettings):
            self._open[name] = PrometheusSource(entry, utc_now)
        return self._open.get(name)

    async def close(self) -> None:
        """Close every client that was opened."""
        for source in self._open.values():
            await source.close()
