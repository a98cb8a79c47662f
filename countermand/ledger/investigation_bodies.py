"""Bodies of records about targeted investigations of unfairness (GOV-32…36)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Value


class InvestigationOpened(Body):
    """People were asked to look, before anybody is taken back. protected: compared segment keys that name a protected
    attribute. digest: what a finding would be signed on, with an empty form."""

    KIND: ClassVar[Kind] = Kind.investigation_opened
    investigation_id: str
    workflow_id: str
    because: tuple[str, ...]
    need_roles: tuple[str, ...]
    asked: tuple[str, ...]
    opened_at: datetime
    until: datetime
    ends_by: datetime
    extends_once: bool
    signature_class: str
    protected: tuple[str, ...]
    digest: str


class Slice(Value):
    """How one group was served by one arm: bad of scored outputs, and the interval of the share, per million.

    group: `language=de`, or `everybody`. enough: whether there are as many outputs as it takes to say something. Of
    scores, which have no bad outputs: mean_ppm is the place of their mean in `range`, and the interval is of that.
    """

    signal: str
    group: str
    arm: Literal["candidate", "baseline"]
    bad: int
    scored: int
    low_ppm: int
    high_ppm: int
    enough: bool
    mean_ppm: int | None = None
    range: tuple[str, str] | None = None


class SlicesMeasured(Body):
    """Shares by group, generated from sealed rows. `least`: outputs from which on a group counts as measured.

    target: the version users would go back to; it is the baseline, whose outputs these rows count. rows: how many were
    read. lacking: slices that the playbook compares and no row has.
    """

    KIND: ClassVar[Kind] = Kind.slices_measured
    slices: tuple[Slice, ...]
    lacking: tuple[str, ...]
    least: int
    rows: int
    target: str
    sha256: str


class InvestigationFilled(Body):
    """The form as it stands after somebody filled in fields of it. digest: what a finding is signed on."""

    KIND: ClassVar[Kind] = Kind.investigation_filled
    PRIVATE: ClassVar[tuple[str, ...]] = (
        *("/groups", "/membership", "/samples", "/accessibility", "/cause", "/target_why"),
        *("/guardrail_change", "/feature_adjustment", "/exposure_limit", "/recommendation_why"),
    )
    AUTHOR: ClassVar[str] = "subject"
    investigation_id: str
    decision_id: str
    subject: str
    name: str
    digest: str
    missing: tuple[str, ...]
    groups: str = ""
    membership: str = ""
    protected: str = ""
    samples: str = ""
    accessibility: str = ""
    cause: str = ""
    target_is: str = ""
    target_why: str = ""
    guardrail_change: str = ""
    feature_adjustment: str = ""
    exposure_limit: str = ""
    recommendation: str = ""
    recommendation_why: str = ""


class InvestigationRung(Body):
    """Nobody decided yet. do: remind; call (others are told as well); escalate (a window ran out, nothing is changed,
    the next one begins, and executives are told)."""

    KIND: ClassVar[Kind] = Kind.investigation_rung
    investigation_id: str
    number: int
    do: Literal["remind", "call", "escalate"]
    to: tuple[str, ...]
    until: datetime
    sentence: str


class InvestigationFound(Body):
    """Somebody signed a finding. missing: roles that have to sign it as well; empty when it counts.

    until: new end of the window, where the evidence did not suffice.
    """

    KIND: ClassVar[Kind] = Kind.investigation_found
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason", "/adjustment")
    AUTHOR: ClassVar[str] = "subject"
    investigation_id: str
    decision_id: str
    subject: str
    name: str
    outcome: Literal["revert", "adjust", "continue", "insufficient_evidence"]
    reason: str
    adjustment: str
    digest: str
    missing: tuple[str, ...]
    until: datetime | None
    rules: str


class InvestigationOverridden(Body):
    """Something went on although an investigation is open (GOV-36): by a trigger, or by a person's decision."""

    KIND: ClassVar[Kind] = Kind.investigation_overridden
    investigation_id: str
    by: Literal["trigger", "person"]
    what: str
    sentence: str


class InvestigationEnded(Body):
    """It has its finding, or nobody decided before its time was over."""

    KIND: ClassVar[Kind] = Kind.investigation_ended
    investigation_id: str
    outcome: Literal["revert", "adjust", "continue", "lapsed"]
    sentence: str
