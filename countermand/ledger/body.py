"""Base of record bodies: one function that makes an Entry of what a model holds (EVD-4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from countermand.canonical import instant
from countermand.ledger.record import Entry, Kind
from countermand.plan.target import Value


class Body(Value):
    """Base of record bodies; `KIND` ties a model to its record kind.

    `PRIVATE`: JSON pointers to fields that hold what a person typed; `AUTHOR`: the field that names this person, empty
    where the actor of the record is the one.
    """

    KIND: ClassVar[Kind]
    PRIVATE: ClassVar[tuple[str, ...]] = ()
    AUTHOR: ClassVar[str] = ""

    def private(self) -> dict[str, str]:
        """Pointers to what a person typed here, each with its salt; "" = to be drawn (EVD-26)."""
        return {pointer: "" for pointer in self.PRIVATE if getattr(self, pointer.removeprefix("/")) is not None}

    def entry(
        self, idem_key: str, actor: str, *, incident_id: str | None = None, release_id: str | None = None
    ) -> Entry:
        """The append request for this body."""
        return Entry(
            kind=self.KIND,
            idem_key=idem_key,
            actor=actor,
            body=plain(self.model_dump(mode="python")),
            incident_id=incident_id,
            release_id=release_id,
            private=self.private(),
            author=getattr(self, self.AUTHOR) if self.AUTHOR else None,
        )


def plain(value: Any) -> Any:
    """The JSON value of a dumped model as it stands in a line: instants in the one canonical form."""
    match value:
        case datetime():
            return instant(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case Value():
            return plain(value.model_dump(mode="python"))
        case str():
            return str(value)
        case _:
            return value
