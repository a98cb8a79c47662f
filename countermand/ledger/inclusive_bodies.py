"""Body of a run of an inclusive or accessibility test set (R85, LRN-30)."""

from __future__ import annotations

from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Value


class GroupRun(Value):
    """Outputs of one group: how many were scored, and how many of them passed."""

    group: str
    scored: int
    passed: int


class InclusiveRun(Body):
    """Somebody ran a test set on one bundle. It holds counts and no verdict: the playbook's limit judges them.

    by: the person or the source that reports it. evidence: where the outputs and their labels can be found.
    """

    KIND: ClassVar[Kind] = Kind.inclusive_run
    PRIVATE: ClassVar[tuple[str, ...]] = ("/evidence",)
    AUTHOR: ClassVar[str] = "by"
    run_id: str
    service: str
    bundle_digest: str
    test_set: str
    groups: tuple[GroupRun, ...]
    evidence: str
    by: str
    name: str
    principal: Literal["person", "source"]

    @property
    def scored(self) -> int:
        """Outputs of all groups."""
        return sum(one.scored for one in self.groups)

    @property
    def passed(self) -> int:
        """Those that passed, of all groups."""
        return sum(one.passed for one in self.groups)
