"""Data sources by the name that playbooks use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from activities.data_ports import DataSource
from activities.fence import PRODUCTION, Production
from adapters.data_http import HttpDataSource
from adapters.data_settings import DataSourceSettings, SqlSettings
from adapters.data_sql import SqlDataSource
from countermand.plan.integrity_answer import Unanswered

Keep = Callable[[bytes, str], Awaitable[str]]


class ConfiguredDataSources:
    """Implements DataSources over the data-sources file. A source connects for each question, and only then."""

    environment: Production = PRODUCTION

    def __init__(self, settings: Mapping[str, DataSourceSettings], keep: Keep) -> None:
        """`keep` stores raw answers by content (`Ledger.put_blob`)."""
        self._settings = settings
        self._keep = keep

    def __call__(self, name: str) -> DataSource:
        entry = self._settings.get(name)
        if entry is None:
            known = ", ".join(sorted(self._settings)) or "none"
            raise Unanswered(f"no data source {name!r} is configured; configured are: {known}.")
        if isinstance(entry, SqlSettings):
            return SqlDataSource(entry, self._keep)
        return HttpDataSource(entry, self._keep)
