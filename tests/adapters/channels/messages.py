"""Messages to send, and channels that a test can turn dark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from activities.ports import Message
from adapters.channel_sending import Taken
from countermand.playbook.model import Audience, Step


def message(key: str = "incident-1/incident_opened/opened/operator", **changes: Any) -> Message:
    fields = {
        "key": key,
        "incident_id": "incident-1",
        "step": Step.incident_opened,
        "audience": Audience.operator,
        "subject": "Incident opened",
        "text": "Failures rose.\n.A line that begins with a dot.\nGrüße 🙂\n" + "long " * 300,
        "facts_sha256": "sha256:f",
    }
    return Message.model_validate(fields | changes)


class FakeSender:
    """Takes what it is given, unless `answer` raises; remembers when and what."""

    def __init__(self, time_limit: float = 1, repeatable: bool = True) -> None:
        self.time_limit = timedelta(seconds=time_limit)
        self.repeatable = repeatable
        self.asked: list[tuple[float, Message]] = []
        self.answer: Callable[[Message], Exception | None] = lambda _message: None
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def subjects(self) -> list[str]:
        return [message.subject for _, message in self.asked]

    async def send(self, message: Message, within: float) -> Taken:
        self.asked.append((asyncio.get_running_loop().time(), message))
        await self.gate.wait()
        error = self.answer(message)
        if error is not None:
            raise error
        return Taken(provider_id=f"id of {message.key}")
