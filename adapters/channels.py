"""The channel of a worker, built from the channels file."""

from __future__ import annotations

from collections.abc import Mapping

from activities.fence import PRODUCTION, Production
from adapters.channel_attempts import MessageAttempts
from adapters.channel_route import RoutedChannel
from adapters.channel_sending import Sender
from adapters.channel_settings import ChannelSettings, SmtpSettings
from adapters.channel_smtp import SmtpSender
from adapters.channel_webhook import WebhookSender
from adapters.database import Database
from adapters.outbox import Outbox
from adapters.settings import SettingsInvalid


def routed_channel(
    settings: ChannelSettings, database: Database, joined: Mapping[str, Sender[Production]]
) -> RoutedChannel[Production]:
    """`joined`: channels with settings of their own, by the name that routes use. Raises SettingsInvalid."""
    senders: dict[str, Sender[Production]] = {
        name: SmtpSender(entry) if isinstance(entry, SmtpSettings) else WebhookSender(entry)
        for name, entry in settings.channels.items()
    }
    for name in senders.keys() & joined.keys():
        raise SettingsInvalid(f"channels.{name}: this name is taken by a channel with a file of its own; take another")
    return RoutedChannel(
        PRODUCTION, Outbox(database), MessageAttempts(database), {**senders, **joined}, settings.routes
    )
