"""A playbook for a rehearsal: what machines wait for is shorter, everything else is the same.

Divided by the time scale are blocks, their watch and what is measured in them, soaks and settling times: as many blocks
pass, and every statement about them is the same. Limits that exist for slow systems keep room for a real machine.
People's times, quorums, thresholds, stages, checks and messages stay as they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ruamel.yaml import YAML

from countermand.playbook.units import format_duration, parse_duration

_DURATION = re.compile(r"[0-9]{1,12}(ms|s|m|h|d)")
#: What a real machine needs, whatever the scale: for a whole stage, for traffic to be counted, for a data check.
_STAGE, _TRAFFIC, _CHECK = (timedelta(seconds=seconds) for seconds in (120, 30, 15))
#: And for labels to be delivered before a block is sealed.
_LATENESS = timedelta(milliseconds=1_500)


def rendition(raw: bytes, time_scale: int) -> bytes:
    """The playbook's text with machine times divided by `time_scale` (1 changes nothing).

    Raises ValueError when a scale below 1 is asked for.
    """
    if time_scale < 1:
        raise ValueError(f"time scale {time_scale!r} is not accepted; write a whole number from 1 on")
    document = YAML(typ="safe", pure=True).load(raw)
    if time_scale > 1:
        lateness = document["detection"].get("lateness")
        document["detection"] = _scaled(document["detection"], time_scale)
        if lateness is not None:
            document["detection"]["lateness"] = _limit(lateness, time_scale, _LATENESS)
        revert = document["revert"]
        for stage in revert["stages"]:
            stage["soak"] = _shorter(stage["soak"], time_scale)
        revert["traffic"]["settle"] = _shorter(revert["traffic"]["settle"], time_scale)
        revert["stage_time_limit"] = _limit(revert["stage_time_limit"], time_scale, _STAGE)
        revert["traffic"]["time_limit"] = _limit(revert["traffic"]["time_limit"], time_scale, _TRAFFIC)
        for check in document.get("data_integrity", {}).get("checks", ()):
            if "time_limit" in check:
                check["time_limit"] = _limit(check["time_limit"], time_scale, _CHECK)
        verification = document["verification"]
        verification["time_limit"] = _limit(verification["time_limit"], time_scale, _TRAFFIC)
        if "watch_for" in verification:
            verification["watch_for"] = _shorter(verification["watch_for"], time_scale)
        if "rollout" in document:
            document["rollout"] = _scaled(document["rollout"], time_scale)
    out = io.BytesIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, out)
    return out.getvalue()


def changed(before: bytes, after: bytes) -> tuple[tuple[str, str, str], ...]:
    """(place, before, after) of every value that the rendition changed."""
    yaml = YAML(typ="safe", pure=True)
    old, new = (dict(_leaves("", yaml.load(raw))) for raw in (before, after))
    return tuple((place, str(old[place]), str(new[place])) for place in old if old[place] != new.get(place))


def _leaves(place: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [leaf for key, part in value.items() for leaf in _leaves(f"{place}/{key}", part)]
    if isinstance(value, list):
        return [leaf for index, part in enumerate(value) for leaf in _leaves(f"{place}/{index}", part)]
    return [(place, value)]


def _scaled(value: Any, scale: int) -> Any:
    if isinstance(value, Mapping):
        return {key: _scaled(part, scale) for key, part in value.items()}
    if isinstance(value, list):
        return [_scaled(part, scale) for part in value]
    return _shorter(value, scale) if isinstance(value, str) and _DURATION.fullmatch(value) else value


def _shorter(text: str, scale: int) -> str:
    whole = parse_duration(text)
    return format_duration(max(whole / scale, timedelta(milliseconds=1)) if whole else whole)


def _limit(text: str, scale: int, room: timedelta) -> str:
    whole = parse_duration(text)
    return format_duration(min(whole, max(whole / scale, room)))
