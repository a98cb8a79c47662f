"""Ways to reach people in a rehearsal: a mailbox and a messenger in memory, each with its outages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.fence import REHEARSAL, Rehearsal
from activities.ports import CardCopy, CardsShown, Message
from adapters.channel_sending import Busy, Taken
from countermand.canonical import digest
from countermand.messages.incident import AskView, IncidentView

MARK = "REHEARSAL, nothing real happens"


@dataclass(frozen=True)
class Sent:
    """One attempt to reach an audience."""

    at: datetime
    channel: str
    message: Message
    delivered: bool


#: Whether a channel is dark now.
Dark = Callable[[], bool]


class SandboxSender:
    """Implements Sender: takes a message, marks it, and tells nobody outside."""

    environment: Rehearsal = REHEARSAL
    time_limit = timedelta(seconds=2)
    repeatable = True

    def __init__(self, name: str, sent: list[Sent], dark: Dark, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._sent = sent
        self._dark = dark
        self._clock = clock

    async def send(self, message: Message, within: float) -> Taken:  # noqa: ARG002, nothing here takes time
        marked = message.model_copy(update={"subject": f"[{MARK}] {message.subject}"})
        dark = self._dark()
        self._sent.append(Sent(self._clock(), self._name, marked, not dark))
        if dark:
            raise Busy(f"{self._name} does not answer")
        return Taken(provider_id=f"{self._name}/{message.key}")


class SandboxCards:
    """Implements AskCards: what a messenger would show, and to whom."""

    environment: Rehearsal = REHEARSAL

    def __init__(self, people: Sequence[tuple[str, str]], dark: Dark) -> None:
        self._people = tuple(people)
        self._dark = dark
        self._shown: dict[str, int] = {}

    async def asked(self, view: IncidentView, ask_id: str) -> tuple[tuple[str, str], ...]:
        ask = _ask(view, ask_id)
        if ask.closed is not None:
            return ()
        asked = set(ask.opened.asked)
        return tuple(one for one in self._people if one[0] in asked or one[1] in asked)

    async def show(self, view: IncidentView, ask_id: str, revision: int) -> CardsShown:
        ask = _ask(view, ask_id)
        if self._dark():
            return CardsShown(failed=("the messenger does not answer",), retry_after=1.0, silent=True)
        if self._shown.get(ask_id, -1) >= revision:
            return CardsShown()
        new = ask_id not in self._shown
        self._shown[ask_id] = revision
        text = f"{MARK}: {ask.status}"
        copy = CardCopy(key=f"{ask_id}/card", place="rehearsal", subject="", text_sha256=digest({"text": text}))
        return CardsShown(
            posted=("rehearsal channel",) if new else (), edited=() if new else ("rehearsal channel",), standing=(copy,)
        )


def _ask(view: IncidentView, ask_id: str) -> AskView:
    return next(ask for ask in view.asks if ask.opened.ask_id == ask_id)
