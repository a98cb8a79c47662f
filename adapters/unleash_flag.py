"""One flag of Unleash in one environment: a gradual rollout to everybody, and nothing else."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from activities.ports import TargetRejected
from adapters.target_file import Mark
from adapters.target_settings import UnleashMember
from adapters.target_weights import split_of
from countermand.canonical import digest_bytes
from countermand.plan.target import Split

MARK = "countermand"
_ROLLOUT = re.compile(r"[0-9]{1,2}|100")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Strategy(_Body):
    """`constraints`: with those of segments, in the client interface. `id`: in the admin interface only."""

    id: str = ""
    name: str
    parameters: dict[str, str] = {}
    constraints: tuple[object, ...] = ()
    disabled: bool | None = None


class FlagBody(_Body):
    """A flag as the client interface and the admin interface give it."""

    enabled: bool
    strategies: tuple[_Strategy, ...]
    dependencies: tuple[object, ...] = ()


FLAG: TypeAdapter[FlagBody] = TypeAdapter(FlagBody)


class Flag(NamedTuple):
    """A flag whose only strategy is a gradual rollout. `strategy_id` is empty in what clients get."""

    enabled: bool
    strategy_id: str
    parameters: dict[str, str]
    rollout: int
    mark: Mark | None

    @property
    def split(self) -> Split:
        """A flag that is switched off is on for nobody, whatever its rollout says."""
        return split_of(self.rollout, 100 - self.rollout) if self.enabled else Split.candidate(0)

    @property
    def revision(self) -> str:
        """Of the switch and of all parameters; Unleash counts changes of a whole environment only."""
        text = json.dumps([self.enabled, self.parameters], sort_keys=True, separators=(",", ":"))
        return f"content:{digest_bytes(text.encode())}"

    @property
    def key(self) -> str | None:
        return self.mark.names(self.rollout, 100 - self.rollout) if self.mark else None

    @property
    def fence(self) -> int:
        return self.mark.fence if self.mark else 0

    def edits(self, key: str, fence: int, rollout: int) -> list[dict[str, object]]:
        """A JSON patch (RFC 6902) that changes rollout and mark, if the parameters are still the ones seen.

        `groupId` and `stickiness` stay: a change of one of them would hand users from one arm to the other.
        """
        generation = self.mark.generation + 1 if self.mark else 1
        mark = Mark(key=key, fence=fence, generation=generation, candidate=rollout, baseline=100 - rollout)
        return [
            {"op": "test", "path": "/parameters", "value": self.parameters},
            {"op": "replace", "path": "/parameters/rollout", "value": str(rollout)},
            {"op": "add", "path": f"/parameters/{MARK}", "value": mark.model_dump_json()},
        ]


def flag_in(body: FlagBody, place: UnleashMember) -> Flag:
    """The flag of a member. Raises TargetRejected for anything but one gradual rollout to everybody."""

    def refused(why: str) -> TargetRejected:
        return TargetRejected(f"flag {place.flag!r}: {why}")

    active = [strategy for strategy in body.strategies if not strategy.disabled]
    if len(active) != 1 or active[0].name != "flexibleRollout" or active[0].constraints or body.dependencies:
        found = [strategy.name for strategy in active]
        raise refused(
            f"exactly one strategy 'flexibleRollout' is needed, without constraints, segments or parent flags; "
            f"active are {found}"
        )
    (strategy,) = active
    rollout = strategy.parameters.get("rollout", "")
    if not _ROLLOUT.fullmatch(rollout):
        raise refused(f"its rollout is {rollout!r}; a whole number of 0 to 100 is accepted")
    kept = strategy.parameters.get(MARK)
    try:
        mark = None if kept is None else Mark.model_validate_json(kept)
    except ValidationError:
        raise refused(f"its parameter {MARK!r} is not as we wrote it; remove it") from None
    return Flag(body.enabled, strategy.id, strategy.parameters, int(rollout), mark)
