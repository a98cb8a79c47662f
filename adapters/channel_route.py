"""Messages on their way: written down first, then offered to one channel after the other (COM-15, COM-18, COM-28)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Generic

from activities.fence import E, Environment
from activities.ports import Message, Receipt
from adapters.channel_attempts import MessageAttempts, Outcome
from adapters.channel_sending import Busy, Refused, Sender, Uncertain
from adapters.database import utc_now
from adapters.outbox import Outbox
from adapters.settings import SettingsInvalid
from countermand.playbook.model import Audience

_log = logging.getLogger(__name__)

#: From the first attempt to the last answer of a route: nobody waits longer for the other channel, and no step of a
#: rollback for its words (COM-18, COM-19).
_PATIENCE = timedelta(seconds=60)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

Routes = Mapping[Audience, tuple[str, ...]]


class RoutedChannel(Generic[E]):
    """Implements the port `Channel`. `senders` by the name that `routes` use; an audience without a route finds its
    messages in the outbox, and so does everybody when no channel takes them.

    Raises SettingsInvalid when a route names an unknown channel or one twice, or could take longer than people wait.
    """

    def __init__(
        self,
        environment: E,
        outbox: Outbox,
        attempts: MessageAttempts,
        senders: Mapping[str, Sender[E]],
        routes: Routes,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        for audience, route in routes.items():
            _check(audience, route, senders)
        self.environment = environment
        self._outbox = outbox
        self._attempts = attempts
        self._senders = senders
        self._routes = routes
        self._clock = clock
        # One lane for each channel and audience: in order for the same people, in nobody else's way.
        self._lanes: defaultdict[tuple[str, Audience], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send(self, message: Message) -> Receipt:
        """The receipt of the first channel that took the message, else of the outbox; `tried` says what went wrong.

        A key that was sent returns its receipt. After a crash the route goes on where it was.
        """
        kept = await self._outbox.write(message)
        return kept.told(kept.receipt or await self._travel(kept.message), message)

    async def _travel(self, message: Message) -> Receipt:
        tried: list[str] = []
        for place, name in enumerate(self._routes.get(message.audience, ())):
            outcome = await self._offer(name, message if place == 0 else _marked(message))
            if outcome.words is not None:
                tried.append(f"{name}: {outcome.words}")
            if outcome.provider_id is not None:
                return await self._outbox.keep(
                    Receipt(
                        key=message.key,
                        channel=name,
                        provider_id=outcome.provider_id,
                        at=self._clock(),
                        tried=tuple(tried),
                    )
                )
        return await self._outbox.hand_over(message, tried=tuple(tried))

    async def _offer(self, name: str, message: Message) -> Outcome:
        loop, sender = asyncio.get_running_loop(), self._senders[name]
        deadline = loop.time() + sender.time_limit / timedelta(seconds=1)
        lane = self._lanes[name, message.audience]
        try:
            async with asyncio.timeout_at(deadline):
                await lane.acquire()
        except TimeoutError:
            return Outcome(words="earlier messages were still on their way when the time was up")
        try:
            if not await self._attempts.begin(message.key, name):
                known = await self._attempts.outcome(message.key, name)
                if known is not None:
                    return known
                if not sender.repeatable:
                    return await self._end(message, name, Outcome(words="cut off; whether it was taken is not known"))
            return await self._end(message, name, await _ask(sender, message, deadline))
        finally:
            lane.release()

    async def _end(self, message: Message, name: str, outcome: Outcome) -> Outcome:
        await self._attempts.end(message.key, name, outcome)
        return outcome


async def _ask(sender: Sender[Environment], message: Message, deadline: float) -> Outcome:
    """Ask until there is an answer for good or the next attempt would come after `deadline`, in the loop's seconds."""
    loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
    while True:
        try:
            taken = await sender.send(message, deadline - loop.time())
        except Busy as busy:
            wait = pause if busy.retry_after is None else max(busy.retry_after, _FIRST_PAUSE)
            if loop.time() + wait >= deadline:
                return Outcome(words=str(busy))
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        except (Refused, Uncertain) as error:
            return Outcome(words=str(error))
        except Exception as error:  # whatever a channel gets wrong, people are told by the next one
            _log.exception("channel of message %s", message.key)
            return Outcome(words=f"failed in an unexpected way: {type(error).__name__}")
        else:
            return Outcome(provider_id=taken.provider_id, words=taken.not_reached)


def _marked(message: Message) -> Message:
    return message.model_copy(update={"subject": f"{message.subject} (second channel)"})


def _check(audience: Audience, route: tuple[str, ...], senders: Mapping[str, Sender[E]]) -> None:
    for name in route:
        if name not in senders:
            known = ", ".join(sorted(senders)) or "none"
            raise SettingsInvalid(f"routes.{audience.value}: there is no channel {name!r}; channels are: {known}")
        if route.count(name) > 1:
            raise SettingsInvalid(f"routes.{audience.value}: channel {name!r} stands there twice; write it once")
    longest = sum((senders[name].time_limit for name in route), timedelta())
    if longest > _PATIENCE:
        raise SettingsInvalid(
            f"routes.{audience.value}: the time limits of {', '.join(route)} add up to {longest.total_seconds():g} s; "
            f"write limits that add up to {_PATIENCE.total_seconds():g} s or less"
        )
