"""What the activities of a change of thresholds are asked, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from countermand.detection.blocks import Row
from countermand.governance.decision import Decision, GatewayKeys
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.learning.proposal import Proposal
from countermand.plan.target import Value


class SealedRows(Protocol):
    """What live watches sealed and judged; nothing can be added through it."""

    async def rows(self, release_id: str) -> list[Row]:
        """Sealed rows in the order in which they are judged."""
        ...

    async def evaluations(self, release_id: str) -> list[tuple[int, dict[str, object]]]:
        """(row `seq`, what was kept of its judgement) in order."""
        ...


class ProposeRequest(Value):
    """A proposal, and the workflow that leads it."""

    proposal: Proposal
    workflow_id: str


class Proposed(Value):
    """Whether it is on record. refused: why not, in a sentence."""

    refused: str
    version: int
    name: str


class OfProposal(Value):
    """A proposal by its id."""

    proposal_id: str


class JudgeRequest(Value):
    """backtest: digest of the report, under which it is stored."""

    proposal_id: str
    backtest: str
    now: datetime


class Judged(Value):
    """stops: what people can waive; refuses: what they cannot."""

    stops: tuple[str, ...]
    refuses: tuple[str, ...]


class ShadowRequest(Value):
    """One look; `number` counts them from 1."""

    proposal_id: str
    number: int
    since: datetime
    until: datetime


class Heard(Value):
    """whole: some release was heard for its whole length."""

    rows: int
    whole: bool
    sentence: str


class ToSign(Value):
    """What people are asked to sign, or why nobody can be asked."""

    refused: str
    subject: str
    right: Right | None
    document: dict[str, object]
    requester: str
    directory: Directory
    keys: GatewayKeys


class Settled(Value):
    """Whether it is in force after people signed."""

    adopted: bool
    sentence: str


class CompareRequest(Value):
    """since: when it was adopted."""

    proposal_id: str
    since: datetime
    until: datetime


class ActRequest(Value):
    """A signed decision about a proposal."""

    proposal_id: str
    decision: Decision


class Acted(Value):
    """What a decision did. left: findings that still stand in the way."""

    sentence: str
    withdrawn: bool
    left: int
