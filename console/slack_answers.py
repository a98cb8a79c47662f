"""What a person hears in Slack after a click: only they see it, and nothing is swallowed (SLK-5, SLK-6)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from activities.ports import Ledger
from adapters.slack_inbox import Inbound
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear, SlackWeb
from console.decide import MOST_REFUSALS
from console.slack_people import TurnedAway
from countermand.ledger.bodies import DecisionRefused
from countermand.messages.block_kit import cut, esc
from countermand.messages.slack_dialog import answer_blocks

_log = logging.getLogger(__name__)
_FAILURES = (SlackRefused, SlackBusy, SlackUnclear)


class SlackAnswers:
    """Tells people, and records refusals that never reached the one door."""

    def __init__(self, web: SlackWeb, ledger: Ledger, console_url: str, clock: Callable[[], datetime]) -> None:
        self._web = web
        self._ledger = ledger
        self._console_url = console_url
        self._clock = clock
        self._recent: dict[str, list[datetime]] = {}

    async def tell(self, inbound: Inbound, sentence: str, next_: str = "", buttons: Sequence[Json] = ()) -> None:
        """Say it where the click was, so that only this person sees it; else in their direct messages."""
        blocks = answer_blocks(sentence, next_, list(buttons), self._console_url, inbound.ask_id)
        text = cut(esc(f"{sentence} {next_}".strip()), 500)
        user = inbound.user.user_id
        if inbound.channel is not None:
            try:
                await self._web.ephemeral(inbound.channel, user, text, blocks)
                return
            except _FAILURES as error:
                _log.info("not said in the channel: %s", error)
        try:
            channel = await self._web.direct(user)
            await self._web.post(channel, text, blocks, {"event_type": "countermand_answer", "event_payload": {}}, None)
        except _FAILURES as error:
            _log.warning("could not answer %s: %s", user, error)

    async def refuse(self, inbound: Inbound, away: TurnedAway) -> None:
        """Record why this click does not count, and say it."""
        await self.record(inbound, away)
        await self.tell(inbound, f"Not done: {away.detail}", away.next, away.buttons)

    async def record(self, inbound: Inbound, away: TurnedAway) -> None:
        """One record for each refusal, ten a minute and person; more are a flood that nobody has to record (GOV-60)."""
        who = away.subject or f"slack|{inbound.user.team_id}.{inbound.user.user_id}"
        now = self._clock()
        recent = [at for at in self._recent.get(who, ()) if at > now - timedelta(minutes=1)]
        self._recent[who] = recent
        if len(recent) >= MOST_REFUSALS:
            return
        recent.append(now)
        incident_id = inbound.ask_id.rpartition("-ask-")[0]
        opened = await self._ledger.records(incident_id=incident_id, limit=1) if incident_id else []
        body = DecisionRefused(
            decision_kind=inbound.action,
            ask_id=inbound.ask_id,
            subject=who,
            channel="slack",
            code=away.code,
            detail=away.detail,
        )
        ids = {"incident_id": incident_id, "release_id": opened[0].release_id} if opened else {}
        await self._ledger.append(body.entry(f"refused/{uuid.uuid4()}", who, **ids))
