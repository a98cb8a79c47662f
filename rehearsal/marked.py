"""Real channels of a rehearsal: a mailbox and a webhook of its own, whose every message says REHEARSAL (COM-30).

They are read from a file that says `environment: rehearsal` and from nothing else. Production does not accept such a
file, a rehearsal accepts no other one, and no address of production may stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from activities.fence import REHEARSAL, FenceBroken, Rehearsal
from activities.ports import Message
from adapters.channel_route import Routes
from adapters.channel_sending import Busy, Taken
from adapters.channel_settings import ChannelSettings, SmtpSettings, channel_settings_of
from adapters.channel_smtp import SmtpSender
from adapters.channel_webhook import WebhookSender
from rehearsal.fakes.channels import MARK, Dark, Sent

_KEY: Final = "environment"
_WORD: Final = "rehearsal"


@final
class RehearsalChannels:
    """The rehearsal's own channels file. Raises FenceBroken for any other file.

    production: production's channels file where it can be read; none of its addresses is accepted.
    """

    def __init__(self, file: Path, production: Path | None) -> None:
        if production is not None and file.resolve() == production.resolve():
            raise FenceBroken(f"{file} is production's channels file; a rehearsal has one of its own")
        try:
            said = YAML(typ="safe", pure=True).load(file.read_bytes())
        except (OSError, YAMLError) as error:
            raise FenceBroken(f"{file} cannot be read: {type(error).__name__}") from error
        if not isinstance(said, dict) or said.pop(_KEY, None) != _WORD:
            raise FenceBroken(f"{file} is not a channels file of rehearsals; its first line must be: {_KEY}: {_WORD}")
        self._settings = channel_settings_of(said, file)
        if production is not None and production.exists():
            theirs = channel_settings_of(YAML(typ="safe", pure=True).load(production.read_bytes()) or {}, production)
            if shared := sorted(_addresses(self._settings) & _addresses(theirs)):
                raise FenceBroken(
                    f"{file} names what production's channels use: {', '.join(shared)}; "
                    "accepted: addresses that only rehearsals use"
                )

    @property
    def routes(self) -> Routes:
        return self._settings.routes

    def senders(
        self, sent: list[Sent], dark: Callable[[str], Dark], clock: Callable[[], datetime]
    ) -> Mapping[str, MarkedSender]:
        """A sender for each channel of the file."""
        return {name: MarkedSender(self, name, sent, dark(name), clock) for name in self._settings.channels}

    def carrier(self, name: str) -> SmtpSender | WebhookSender:
        """What carries the messages of one channel. Raises KeyError for a channel that is not in the file."""
        entry = self._settings.channels[name]
        return SmtpSender(entry) if isinstance(entry, SmtpSettings) else WebhookSender(entry)


@final
class MarkedSender:
    """Implements Sender[Rehearsal] over one channel of the rehearsal's own file."""

    environment: Rehearsal = REHEARSAL

    def __init__(
        self,
        channels: RehearsalChannels,
        name: str,
        sent: list[Sent],
        dark: Dark,
        clock: Callable[[], datetime],
    ) -> None:
        self._carrier = channels.carrier(name)
        self._name = name
        self._sent = sent
        self._dark = dark
        self._clock = clock

    @property
    def time_limit(self) -> timedelta:
        return self._carrier.time_limit

    @property
    def repeatable(self) -> bool:
        return self._carrier.repeatable

    async def send(self, message: Message, within: float) -> Taken:
        """Send it with its mark; a channel that the scenario darkens takes nothing."""
        marked = marked_message(message)
        if self._dark():
            self._sent.append(Sent(self._clock(), self._name, marked, delivered=False))
            raise Busy(f"{self._name} does not answer")
        try:
            taken = await self._carrier.send(marked, within)
        except Exception:
            self._sent.append(Sent(self._clock(), self._name, marked, delivered=False))
            raise
        self._sent.append(Sent(self._clock(), self._name, marked, delivered=True))
        return taken


def marked_message(message: Message) -> Message:
    """The message with REHEARSAL in its subject and in its first line."""
    return message.model_copy(update={"subject": f"[{MARK}] {message.subject}", "text": f"{MARK}.\n\n{message.text}"})


def _addresses(settings: ChannelSettings) -> set[str]:
    found: set[str] = set()
    for entry in settings.channels.values():
        if isinstance(entry, SmtpSettings):
            found |= {address.lower() for addresses in entry.recipients.values() for address in addresses}
        else:
            found.add(entry.url)
    return found
