"""The evidence of a trigger from the evidence of its criteria (detection.md §5.4).

Valid under any dependence between the signals: if fewer than k criteria are harmed, n − k + 1 harmless ones
exist, and the mean of the smallest n − k + 1 is at most theirs. A weighted mean of evidence is evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil, inf, log

from countermand.detection.blocks import Sealed
from countermand.detection.evalue import MICRO, log_mean, micronats
from countermand.detection.state import ThresholdState, ToleranceState
from countermand.playbook.units import Number


class Node(Sealed):
    """At least `k` of the members, or with `weights` their weighted mean. A number is a criterion's place."""

    k: int = 1
    weights: tuple[Number, ...] = ()
    members: tuple[int | Node, ...]

    @cached_property
    def log_weights(self) -> tuple[int, ...]:
        """Logarithms of the weights in micronats."""
        return tuple(micronats(log(weight)) for weight in self.weights)

    @cached_property
    def alone(self) -> int | None:
        """The only criterion, whose evidence is the node's; None when there are more."""
        only = self.members[0]
        return only if len(self.members) == 1 and isinstance(only, int) else None

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The criteria below it, each once, in order."""
        found = [p for m in self.members for p in (m.places if isinstance(m, Node) else (m,))]
        return tuple(dict.fromkeys(found))


def value(state: ToleranceState | ThresholdState) -> int | float:
    """Evidence of one criterion in micronats; a threshold rule counts as all or nothing (DET-23)."""
    if isinstance(state, ToleranceState):
        return -inf if state.shut else log_mean(state.evidence, len(state.evidence))
    return inf if state.breached else -inf


def combined(node: Node, values: Sequence[int | float], *, one_clock: bool = True) -> int | float:
    """Evidence of a node in micronats, from the evidence of all criteria by place.

    Means need criteria that are judged at the same times; without one clock the largest part serves (DET-22; Choe &
    Ramdas, combining evidence across filtrations, 2024).
    """
    if node.alone is not None:
        return values[node.alone]
    own = [
        combined(member, values, one_clock=one_clock) if isinstance(member, Node) else values[member]
        for member in node.members
    ]
    if not node.weights:
        return at_least(node.k, own) if one_clock else _kth_largest(node.k, own)
    if max(own) in (inf, -inf):
        return max(own)
    weighed = [x + w for x, w in zip(own, node.log_weights, strict=True)]
    return log_mean(weighed, 1) if one_clock else max(weighed)


def _kth_largest(k: int, values: Sequence[int | float]) -> int | float:
    found = sorted(values)[len(values) - k]
    return found if abs(found) == inf else found - ceil(log(len(values) - k + 1) * MICRO)


def at_least(k: int, values: Sequence[int | float]) -> int | float:
    """Evidence that at least k of the criteria are harmed: 1 is any (mean), all of them is all (minimum)."""
    if k == len(values):
        return min(values)
    smallest = sorted(values)[: len(values) - k + 1]
    return log_mean(smallest, len(smallest)) if abs(smallest[-1]) != inf else smallest[-1]


def fixed_limits_suffice(node: Node, fixed: Sequence[bool]) -> bool:
    """Would a node fire without any evidence if all fixed limits among its criteria were breached (DET-23)?"""
    return combined(node, [inf if is_fixed else -inf for is_fixed in fixed]) == inf
