"""Base of record bodies: one function that makes an Entry of what a model holds (EVD-4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from countermand.canonical import instant
from countermand.ledger.record import Entry, Kind
from countermand.plan.target import Value


class Body(Value):
    """Base of record bodies; `KIND` ties a model to its record kind."""

    KIND: ClassVar[Kind]

    def entry(
        self, idem_key: str, actor: str, *, incident_id: str | None = None, release_id: str | None = None
    ) -> Entry:
        """The append request for this body."""
        return Entry(
            kind=self.KIND,
            idem_key=idem_key,
            actor=actor,
            body=_plain(self.model_dump(mode="python")),
            incident_id=incident_id,
            release_id=release_id,
        )


def _plain(value: Any) -> Any:
    """Instants in the one canonical form; everything else as JSON already has it."""
    match value:
        case datetime():
            return instant(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Value():
            return _plain(value.model_dump(mode="python"))
        case str():
            return str(value)
        case _:
            return value
