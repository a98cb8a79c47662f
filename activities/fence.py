"""The fence between rehearsals and production (I20): everything that can reach the outside carries its environment as a
type, and a `Reach` holds things of one environment only.

A rehearsal is built from a `Reach[Rehearsal]`. No adapter of a real system is of that type, so pointing one at a
production target does not type-check; doing it all the same is refused when the `Reach` is made.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Generic, Protocol, TypeVar, final

from activities.data_ports import DataSources
from activities.ports import AskCards, Channel, Targets
from activities.signal_ports import PullSources


class Environment:
    """Where effects and messages land."""


@final
class Production(Environment):
    """Systems that serve users, channels that people read."""


@final
class Rehearsal(Environment):
    """Fakes and marked channels; nothing of it reaches a user."""


PRODUCTION: Final = Production()
REHEARSAL: Final = Rehearsal()

E = TypeVar("E", bound=Environment)
E_co = TypeVar("E_co", bound=Environment, covariant=True)


class Fenced(Protocol[E_co]):
    """Something that reaches the outside in one environment."""

    @property
    def environment(self) -> E_co: ...


class FencedTargets(Fenced[E_co], Targets, Protocol[E_co]):
    """Targets of one environment."""


class FencedData(Fenced[E_co], DataSources, Protocol[E_co]):
    """Data sources of one environment."""


class FencedChannel(Fenced[E_co], Channel, Protocol[E_co]):
    """A channel of one environment."""


class FencedCards(Fenced[E_co], AskCards, Protocol[E_co]):
    """Cards in a messenger of one environment."""


class FencedSources(Fenced[E_co], PullSources, Protocol[E_co]):
    """Sources of one environment that are asked for their signals."""


class FenceBroken(RuntimeError):
    """Something of one environment was about to be used in another one; nothing was started."""


@dataclass(frozen=True)
class Reach(Generic[E]):
    """Everything that a worker can change, ask and tell outside its own database. Raises FenceBroken."""

    environment: E
    targets: FencedTargets[E]
    data: FencedData[E]
    channel: FencedChannel[E]
    cards: FencedCards[E]
    sources: FencedSources[E]

    def __post_init__(self) -> None:
        for part in fields(self)[1:]:
            handle = getattr(self, part.name)
            found = getattr(handle, "environment", None)
            if found is not self.environment:
                raise FenceBroken(
                    f"{part.name} = {type(handle).__name__} is of {_name(found)}; "
                    f"accepted here: {part.name} of {_name(self.environment)}"
                )


def _name(environment: object) -> str:
    return "no environment" if environment is None else type(environment).__name__.lower()
