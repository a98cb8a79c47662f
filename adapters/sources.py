"""Sources that are asked, by the name that playbooks use. Who only pushes needs no entry here."""

from __future__ import annotations

from collections.abc import Mapping

from activities.signal_ports import PullSource
from adapters.alert_source import AlertSource
from adapters.alerts import SqlAlerts
from adapters.source_settings import AlertmanagerSettings, SourceSettings, WebhookSettings


class ConfiguredSources:
    """Implements PullSources over the sources file. Clients are made on first use and closed together."""

    def __init__(self, settings: Mapping[str, SourceSettings], alerts: SqlAlerts) -> None:
        self._settings = settings
        self._alerts = alerts
        self._open: dict[str, PullSource] = {}

    def __call__(self, name: str) -> PullSource | None:
        """The source to ask; None for one that pushes."""
        settings = self._settings.get(name)
        if isinstance(settings, AlertmanagerSettings | WebhookSettings):
            return AlertSource(name, settings, self._alerts)
        return self._open.get(name)

    async def close(self) -> None:
        """Close every client that was opened."""
