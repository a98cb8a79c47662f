"""What the console works with, put together once in `__main__.py` (or in a test) and handed to every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from activities.signal_ports import SignalStore
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.database import Database
from adapters.oidc import OidcProvider
from adapters.outbox import Outbox
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.source_settings import SourceSettings
from adapters.templates import JinjaRenderer
from adapters.webhook_deliveries import WebhookDeliveries
from console.decide import Gate, Shown
from console.temporal import Workflows


@dataclass(frozen=True)
class Console:
    """Ports and settings of one console process."""

    settings: Settings
    database: Database
    ledger: Ledger
    catalogue: Catalogue
    signals: SignalStore
    sources: Mapping[str, SourceSettings]
    alerts: SqlAlerts
    deliveries: WebhookDeliveries
    accounts: Accounts
    security_keys: SecurityKeys
    outbox: Outbox
    people: RoleDirectory
    keys: KeyRing
    shown: Shown
    gate: Gate
    workflows: Workflows
    renderer: JinjaRenderer
    clock: Callable[[], datetime]
    provider: OidcProvider | None = None

    @property
    def local_accounts(self) -> bool:
        """Whether accounts and passwords of this console open it (CON-13)."""
        return self.provider is None or self.provider.settings.local_accounts

    def admits(self, subject: str) -> bool:
        """Whether a session or token of this person still counts after a change of who may sign in."""
        provider = self.provider
        return self.local_accounts or (provider is not None and subject.startswith(f"{provider.settings.issuer}|"))


def console(request: Request) -> Console:
    """The dependency every route asks for."""
    deps: Console = request.app.state.console
    return deps
