"""Which changes outside the detection make a playbook govern less (LRN-10, GOV §1).

Where neither side is plainly stricter – a time limit for people to decide – every change counts as less: the people who
look after safety sign then, which costs a signature and overlooks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, Literal

from countermand.playbook.units import parse_duration

Direction = Literal["tightened", "loosened", "other"]

#: Place of a number → whether a larger one is laxer or stricter.
_NUMBERS: Mapping[str, Literal["laxer", "stricter"]] = {
    "/approvals/*/quorum/roles/*/min": "stricter",
    "/approvals/*/quorum/distinct_people": "stricter",
    "/approvals/*/ask_again_every": "laxer",
    "/data_integrity/checks/*/max_error_rate": "laxer",
    "/data_integrity/checks/*/at_most": "laxer",
    "/data_integrity/checks/*/at_least": "stricter",
    "/data_integrity/checks/*/may_shrink_by": "laxer",
    "/revert/stages/*/give_back": "laxer",
    "/revert/stages/*/soak": "stricter",
    "/revert/stage_time_limit": "laxer",
    "/revert/traffic/residual": "laxer",
    "/revert/traffic/settle": "stricter",
    "/revert/traffic/time_limit": "laxer",
    "/revert/guard": "stricter",
    "/rollout/sandbox/share": "laxer",
    "/rollout/sandbox/time_limit": "laxer",
    "/rollout/sandbox/lease": "laxer",
    "/rollout/ramp/*/share": "laxer",
    "/rollout/ramp/*/at_least": "stricter",
    "/verification/signals/*/at_most": "laxer",
    "/verification/signals/*/min_scored": "stricter",
    "/verification/confidence": "stricter",
    "/verification/time_limit": "laxer",
    "/verification/watch_for": "stricter",
    "/fairness/window": "laxer",
    "/fairness/test_sets/*/limit/min_scored": "stricter",
    "/fairness/test_sets/*/limit/at_most": "laxer",
    "/fairness/test_sets/*/limit/confidence": "stricter",
    "/update_every/*": "laxer",
    "/review/sign_off/roles/*/min": "stricter",
    "/review/sign_off/distinct_people": "stricter",
    "/review/due": "laxer",
}
#: Place of a word → its values, the laxest first.
_WORDS: Mapping[str, tuple[Any, ...]] = {
    "/approvals/*/signature": ("standard", "step_up"),
    "/approvals/*/ladder/*/action": ("proceed", "abort", "hold"),
    "/evidence_freeze/if_incomplete": ("ask", "wait"),
    "/data_integrity/checks/*/may_grow": (True, False),
    "/revert/traffic/observed": ("best_effort", "required"),
    "/rollout/sandbox/without_asking": (True, False),
    "/fairness/extend_once": (True, False),
    "/fairness/test_sets/*/gate": (None, "re_release"),
    "/verification/on_regression": (None, "hold", "ask"),
}
#: Lists of which nothing may be missing.
_LISTS = (
    "/approvals/*/quorum/roles",
    "/approvals/*/ladder/*/to",
    "/emergency/page",
    "/data_integrity/checks",
    "/data_integrity/before",
    "/data_integrity/between",
    "/data_integrity/after",
    "/verification/signals",
    "/fairness/test_sets",
    "/fairness/test_sets/*/includes",
    "/fairness/test_sets/*/limit/groups",
    "/harms",
    "/communications",
    "/communications/*/audiences",
    "/legal/duties",
    "/fairness/test_sets",
    "/review/sign_off/roles",
)
#: Places where something that was not there before only asks for more.
_MORE = ("/fairness/test_sets/*/limit", "/fairness/test_sets/*/check", "/harms/*/trigger")
#: Texts for people: nothing is decided by them.
_TEXTS = ("/data_integrity/checks/*/meaning", "/legal/none_because")
#: Below these every other change counts as less.
_GOVERNING = ("/approvals", "/evidence_freeze", "/data_integrity", "/verification", "/rollout", "/communications",
              "/legal", "/emergency/page", "/revert/stages", "/revert/traffic", "/update_every", "/review",
              "/fairness", "/harms", "/incident_time_limit")  # fmt: skip


def direction(path: str, before: Any, after: Any) -> Direction:
    """What one change outside the detection does. path: a JSON pointer; None stands for nothing there."""
    if any(fnmatchcase(path, one) for one in _TEXTS):
        return "other"
    for pattern, larger in _NUMBERS.items():
        if fnmatchcase(path, pattern):
            return _of_numbers(before, after, larger)
    for pattern, values in _WORDS.items():
        if fnmatchcase(path, pattern) and before in values and after in values:
            return "tightened" if values.index(after) > values.index(before) else "loosened"
    if any(fnmatchcase(path, one) for one in _LISTS) and isinstance(before, list) and isinstance(after, list):
        return "tightened" if all(one in after for one in before) else "loosened"
    if path == "/rollout" and after is None:
        return "tightened"
    if before is None and any(fnmatchcase(path, one) for one in _MORE):
        return "tightened"
    return "loosened" if any(path == one or path.startswith(f"{one}/") for one in _GOVERNING) else "other"


def _of_numbers(before: Any, after: Any, larger: Literal["laxer", "stricter"]) -> Direction:
    if before is None and after is not None and larger == "stricter":
        return "tightened"
    one, other = number(before), number(after)
    if one is None or other is None:
        return "loosened"
    return "tightened" if (other > one) == (larger == "stricter") else "loosened"


def number(value: Any) -> Decimal | None:
    """A number, a share, or a duration in seconds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return Decimal(str(value).removesuffix("%"))
    except InvalidOperation:
        pass
    try:
        return Decimal(str(parse_duration(str(value)).total_seconds()))
    except ValueError:
        return None
