"""One flag of a flagd file: a fractional rule over two variants (targets.md §6.5)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import ValidationError

from activities.ports import TargetRejected
from adapters.target_file import Mark
from adapters.target_settings import FlagdMember
from countermand.canonical import digest_bytes
from countermand.detection.models import Arm

_MARK = "countermand"


class Flag(NamedTuple):
    """One flag as the file has it. `document` is the whole file; `entry` and `pairs` lie within it."""

    document: dict[str, Any]
    entry: dict[str, Any]
    pairs: dict[Arm, list[Any]]
    mark: Mark | None

    @property
    def weights(self) -> tuple[int, int]:
        return self.pairs[Arm.candidate][1], self.pairs[Arm.baseline][1]

    @property
    def revision(self) -> str:
        """Of this flag alone: other flags of the file may change."""
        return f"content:{digest_bytes(json.dumps(self.entry, sort_keys=True, separators=(',', ':')).encode())}"

    def digest_of(self, place: FlagdMember, arm: Arm) -> str | None:
        """The `digest` of the arm's variant, if its value is an object that names one."""
        value = self.entry["variants"][place.of(arm)]
        named = value.get("digest") if isinstance(value, dict) else None
        return named if isinstance(named, str) else None

    def edited(self, key: str, fence: int, candidate: int, baseline: int) -> bytes:
        """The whole file with other weights and mark; bucketing and everything else stay."""
        generation = self.mark.generation + 1 if self.mark else 1
        mark = Mark(key=key, fence=fence, generation=generation, candidate=candidate, baseline=baseline)
        self.pairs[Arm.candidate][1], self.pairs[Arm.baseline][1] = candidate, baseline
        # A flat text: metadata of flags holds texts, numbers and booleans only.
        self.entry.setdefault("metadata", {}).update({_MARK: mark.model_dump_json(), "generation": generation})
        return json.dumps(self.document, indent=2, ensure_ascii=False).encode() + b"\n"


def flag_in(text: bytes, place: FlagdMember) -> Flag:
    """The flag of a member. Raises TargetRejected for anything but one fractional rule over exactly both variants."""

    def refused(why: str) -> TargetRejected:
        return TargetRejected(f"flag {place.flag!r}: {why}")

    try:
        document = json.loads(text)
        entry = document["flags"][place.flag]
    except ValueError:
        raise refused("the file is not JSON") from None
    except (KeyError, TypeError):
        raise refused("the file has no such flag") from None
    try:
        enabled, variants, rule = entry["state"] == "ENABLED", entry["variants"], entry["targeting"]["fractional"]
        (*_, one, other) = rule
        both = {name: pair for pair in (one, other) for name, _ in [pair]}
        pairs = {arm: both[place.of(arm)] for arm in (Arm.candidate, Arm.baseline)}
        whole = all(type(pair[1]) is int and pair[1] >= 0 and pair[0] in variants for pair in pairs.values())
        alone = len(rule) == 2 or (len(rule) == 3 and not isinstance(rule[0], list))
        kept = entry.get("metadata", {}).get(_MARK)
    except (KeyError, TypeError, ValueError, AttributeError):
        enabled = whole = alone = False
        kept = None
    if not (enabled and whole and alone):
        raise refused(
            f"an ENABLED flag is needed whose targeting is one fractional rule over {place.candidate!r} and "
            f"{place.baseline!r} with whole weights, and nothing else"
        )
    try:
        mark = None if kept is None else Mark.model_validate_json(kept)
    except ValidationError:
        raise refused(f"its metadata {_MARK!r} is not as we wrote it; remove it") from None
    return Flag(document, entry, pairs, mark)
