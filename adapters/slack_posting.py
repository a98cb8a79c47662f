"""Bring one copy to what it has to show: post it once, edit it whenever it differs (SLK-31 to SLK-35)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.slack_copies import Copy, SlackCopies
from adapters.slack_web import SlackBusy, SlackRefused, SlackUnclear, SlackWeb
from countermand.canonical import digest
from countermand.messages.block_kit import SlackMessage

EVENT = "countermand_card"
#: Progress on one card is shown at most this often; its end is shown at once.
PROGRESS_EVERY = timedelta(seconds=5)
#: How long a post without an answer is looked for before it is sent again.
LOOK_BACK = 5.0
#: The message is there but cannot be changed; its place cannot be written to.
_FROZEN = frozenset({"cant_update_message", "edit_window_closed"})
_GONE = frozenset({"message_not_found"})


@dataclass
class Done:
    """What happened, in words, and how long to wait when Slack said so. `silent`: some call got no answer."""

    posted: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    retry_after: float | None = None
    silent: bool = False

    def busy(self, seconds: float) -> None:
        self.retry_after = max(seconds, self.retry_after or 0)


class SlackPoster:
    """`look_back`: seconds a post without an answer is looked for."""

    def __init__(
        self, web: SlackWeb, copies: SlackCopies, clock: Callable[[], datetime], look_back: float = LOOK_BACK
    ) -> None:
        self._web = web
        self._copies = copies
        self._clock = clock
        self._look_back = look_back

    async def bring(self, copy: Copy, message: SlackMessage, revision: int, done: Done, *, urgent: bool) -> Copy | None:
        """The copy as it stands now; None when it could not be posted. Failures are added to `done`."""
        if not await self._copies.claim(copy, revision):
            return copy if copy.ts else None
        try:
            if copy.ts is None:
                return await self._post(copy, message, revision, done)
            return await self._edit(copy, message, revision, done, urgent=urgent)
        except SlackBusy as busy:
            done.busy(busy.retry_after)
            done.failed.append(f"{copy.place}: {busy}")
        except (SlackRefused, SlackUnclear) as error:
            done.silent = done.silent or isinstance(error, SlackUnclear)
            done.failed.append(f"{copy.place}: {error}")
        return copy if copy.ts else None

    async def adopt(self, copy: Copy) -> Copy | None:
        """The copy if a post without an answer has arrived after all; None when it is not to be found."""
        if copy.attempted_at is None:
            return None
        since = copy.attempted_at.timestamp() - 60  # clocks differ
        if copy.thread_ts is None:
            messages = await self._web.history(copy.channel, since)
        else:
            messages = await self._web.replies(copy.channel, copy.thread_ts)
        for one in messages:
            if _card_of(one) == copy.card_id:
                return await self._copies.was_posted(copy, str(one["ts"]), None)
        return None

    async def _post(self, copy: Copy, message: SlackMessage, revision: int, done: Done) -> Copy | None:
        """Post it unless it is there already. A post without an answer is looked for before it is sent once more."""
        again = ""
        for _ in range(2):
            if copy.attempted_at is not None:
                found = await self._look_for(copy)
                if found is not None:
                    done.posted.append(f"{copy.place}: found again after an answer was lost")
                    return await self._edit(found, message, revision, done, urgent=True)
                again = ", sent again because the first attempt was not to be found"
            attempt = await self._copies.attempt(copy)
            if attempt is None:
                return None  # another attempt is at it
            copy = attempt
            try:
                ts = await self._web.post(
                    copy.channel, message.text, list(message.blocks), _metadata(copy, revision), copy.thread_ts
                )
            except (SlackRefused, SlackBusy):
                await self._copies.not_posted(copy)
                raise
            except SlackUnclear as error:
                unclear = error
                continue
            done.posted.append(f"{copy.place}{again}")
            return await self._copies.was_posted(copy, ts, digest(message))
        raise unclear

    async def _look_for(self, copy: Copy) -> Copy | None:
        """Look until the window since the attempt is over. Raises when Slack cannot be asked."""
        while True:
            found = await self.adopt(copy)
            attempted = copy.attempted_at or self._clock()
            left = self._look_back - (self._clock() - attempted).total_seconds()
            if found is not None or left <= 0:
                return found
            await asyncio.sleep(min(left, 1.0))

    async def _edit(self, copy: Copy, message: SlackMessage, revision: int, done: Done, *, urgent: bool) -> Copy | None:
        content = digest(message)
        if copy.shown == content or copy.ts is None:
            return copy
        if not urgent and copy.edited_at is not None:
            left = (copy.edited_at + PROGRESS_EVERY - self._clock()).total_seconds()
            await asyncio.sleep(max(left, 0))
            if not await self._copies.claim(copy, revision):
                return copy  # something newer was shown meanwhile
        try:
            await self._update(copy, message, revision)
        except SlackRefused as refused:
            if refused.code not in _FROZEN | _GONE:
                raise
            done.failed.append(f"{copy.place}: the card cannot be changed any more ({refused.code}); posted anew")
            lost = await self._copies.lost(copy, copy.ts if refused.code in _FROZEN else None)
            return await self._post(lost, message, revision, done)
        await self._copies.was_edited(copy, revision, content)
        done.edited.append(copy.place)
        return copy.model_copy(update={"shown": content, "posted": copy.posted or content})

    async def _update(self, copy: Copy, message: SlackMessage, revision: int) -> None:
        """Editing twice is the same as once, so a lost answer is simply asked for again."""
        what = (copy.channel, copy.ts or "", message.text, list(message.blocks), _metadata(copy, revision))
        try:
            await self._web.update(*what)
        except SlackUnclear:
            await self._web.update(*what)


def _metadata(copy: Copy, revision: int) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"card_id": copy.card_id, "revision": revision}}


def _card_of(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return payload.get("card_id") if metadata.get("event_type") == EVENT else None
