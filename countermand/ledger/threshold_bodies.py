"""Bodies of proposed changes of thresholds, from the proposal to the comparison (LRN-10…13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class ThresholdProposed(Body):
    """Somebody proposes another version of a playbook that differs in its detection alone.

    changes: every place that differs; origins: `path` and `origin` of each whose number is known to come from
    somewhere. shadow_s: seconds it is judged beside the version in force, and why they are fewer than usual. review_of:
    the incident whose review led to it; back_to: the version it brings back. Both are empty where there is none.
    """

    KIND: ClassVar[Kind] = Kind.threshold_proposed
    PRIVATE: ClassVar[tuple[str, ...]] = ("/hypothesis", "/expected_effect", "/rollback_condition", "/shadow_because")
    AUTHOR: ClassVar[str] = "proposed_by"
    proposal_id: str
    workflow_id: str
    playbook: str
    current_version: int
    current_digest: str
    proposed_version: int
    proposed_digest: str
    change: str
    changes: tuple[dict[str, Any], ...]
    hypothesis: str
    expected_effect: str
    rollback_condition: str
    origins: tuple[dict[str, str], ...]
    review_on: datetime | None
    shadow_s: int
    shadow_because: str | None
    review_of: str
    back_to: str
    proposed_by: str

    @property
    def origin_of(self) -> dict[str, str]:
        """Where the number of each path comes from."""
        return {one["path"]: one["origin"] for one in self.origins}


class ThresholdJudged(Body):
    """The backtest is there and the guardrails looked at it. stops: what has to be waived, or proposed anew.

    asks, quiet_s: how often the proposed version would have asked for nothing, in how many seconds of quiet.
    """

    KIND: ClassVar[Kind] = Kind.threshold_judged
    proposal_id: str
    backtest: str
    incidents: int
    quiet_s: int
    asks: int
    findings: tuple[dict[str, Any], ...]
    stops: tuple[str, ...]
    sentences: tuple[str, ...]


class ThresholdWaived(Body):
    """A person signed that one finding of the guardrails is accepted."""

    KIND: ClassVar[Kind] = Kind.threshold_waived
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    proposal_id: str
    backtest: str
    waives: str
    decision_id: str
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str


class ThresholdShadow(Body):
    """One look at what the proposed version would have done with the rows of live watches. It acted on nothing.

    changes: verdicts that differ from the one before, since the last look. rows: that were judged so far; whole: a
    release was heard for its whole length. left_out: releases that cannot be judged, and why.
    """

    KIND: ClassVar[Kind] = Kind.threshold_shadow
    proposal_id: str
    number: int
    since: datetime
    until: datetime
    releases: tuple[str, ...]
    rows: int
    whole: bool
    changes: tuple[dict[str, Any], ...]
    left_out: tuple[str, ...]
    sentence: str


class ThresholdPhase(Body):
    """What happens now, until when, and what comes then if nobody does anything."""

    KIND: ClassVar[Kind] = Kind.threshold_phase
    proposal_id: str
    phase: Literal["backtesting", "stopped", "shadowing", "signing", "comparing"]
    sentence: str
    until: datetime | None


class ThresholdCompared(Body):
    """What was predicted beside what happened. outside: not within what chance explains, or nothing is known; either
    way a person has to look."""

    KIND: ClassVar[Kind] = Kind.threshold_compared
    proposal_id: str
    playbook: str
    since: datetime
    until: datetime
    predicted: int
    predicted_s: int
    actual: int
    actual_s: int
    outside: bool
    word: Literal["inside", "outside", "unknown"]
    sentence: str


class ThresholdReviewed(Body):
    """A person signed that the thresholds of a playbook stay as they are until `review_on`."""

    KIND: ClassVar[Kind] = Kind.threshold_reviewed
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    playbook: str
    review_on: datetime
    decision_id: str
    subject: str
    name: str
    reason: str


class ThresholdEnded(Body):
    """How a proposal ended. Only `adopted` changed anything."""

    KIND: ClassVar[Kind] = Kind.threshold_ended
    proposal_id: str
    outcome: Literal["adopted", "withdrawn", "refused", "expired", "stale", "failed"]
    sentence: str
