"""What Prometheus is asked: selectors and expressions of a playbook, narrowed to one arm of one release."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from adapters.arms import ArmValue, filled
from countermand.detection.blocks import Arm
from countermand.plan.model import Release
from countermand.playbook.queries import ARM, split_selector


def _told_apart(arms: Mapping[Arm, Mapping[str, str]]) -> Mapping[Arm, Mapping[str, str]]:
    if set(arms) != set(Arm):
        raise ValueError("labels of both arms are needed: candidate and baseline")
    if arms[Arm.candidate] == arms[Arm.baseline]:
        raise ValueError(f"both arms have the labels {dict(arms[Arm.candidate])!r}; they must differ")
    return arms


Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]

#: By arm: the labels that its series have.
Arms = Annotated[
    dict[Arm, Annotated[dict[Label, ArmValue], Field(min_length=1, max_length=8)]], AfterValidator(_told_apart)
]


def arm_matchers(labels: Mapping[str, str], release: Release) -> str:
    """Label matchers in PromQL, `track="canary",model="m\\"1"`: values are filled in, quoted and escaped."""
    return ",".join(f'{label}="{_escaped(filled(value, release))}"' for label, value in sorted(labels.items()))


def counter_queries(selectors: Mapping[str, str], arm: str, window: timedelta) -> dict[str, dict[str, str]]:
    """Text of each query → by key of `selectors`, the metric whose samples of the last `window` it gives for that arm.

    Selectors that differ in nothing but the name share a query, so that their samples are of the same scrapes.
    """
    shared: dict[str, dict[str, str]] = defaultdict(dict)
    for key, text in sorted(selectors.items()):
        name, matchers = split_selector(text)
        shared[",".join(filter(None, (matchers, arm)))][key] = name
    span = f"[{window // timedelta(milliseconds=1)}ms]"
    return {_selector(sorted(set(names.values())), matchers) + span: names for matchers, names in shared.items()}


def expression(text: str, arm: str) -> str:
    """The expression for one arm."""
    return text.replace(ARM, arm)


def _selector(names: list[str], matchers: str) -> str:
    if len(names) == 1:
        return f"{names[0]}{{{matchers}}}"
    return f'{{__name__=~"{"|".join(names)}",{matchers}}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
