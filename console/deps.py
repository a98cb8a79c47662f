"""What the console works with, put together once in `__main__.py` (or in a test) and handed to every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from activities.adopting import Adoptions
from activities.obligation_ports import Duties
from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from activities.signal_ports import SignalStore
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.erasure import SqlErasure
from adapters.oidc import OidcProvider
from adapters.outbox import Outbox
from adapters.payload_codec import EncryptingCodec
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.signing import LedgerKey
from adapters.source_settings import SourceSettings
from adapters.templates import JinjaRenderer
from adapters.webhook_deliveries import WebhookDeliveries
from console.decide import Gate, Shown
from console.packs import Packs
from console.temporal import Workflows


@dataclass(frozen=True)
class Console:
    """Ports and settings of one console process."""

    settings: Settings
    database: Database
    ledger: Ledger
    erasure: SqlErasure
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
    codec: EncryptingCodec
    duties: Duties
    adoptions: Adoptions
    clock: Callable[[], datetime]
    provider: OidcProvider | None = None
    packs: Packs | None = None

    @property
    def checkpoints(self) -> SqlCheckpoints:
        """Signed heads of the Ledger."""
        key = LedgerKey(self.settings.ledger_key)
        return SqlCheckpoints(self.database, key, self.settings.deployment, self.clock)

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
