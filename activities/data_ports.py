"""The port to data that checks ask about: named sources that answer one reading question at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from countermand.plan.integrity_answer import Answer, Question


class DataSource(Protocol):
    """One database or service, by a connection that cannot write."""

    async def ask(self, question: Question, within: timedelta) -> Answer:
        """All rows of the answer, its raw bytes kept by digest before anybody judges them.

        Raises Unanswered, in words for people, when the source cannot be read, is slower than `within` or than its own
        time limit, gives more than its limits allow, or does not take this form of question.
        """
        ...


class DataSources(Protocol):
    """Data sources by the name that playbooks use."""

    def __call__(self, name: str) -> DataSource:
        """Raises Unanswered when no source of that name is configured; the message lists the names."""
        ...
