"""Bodies of records about a release and its versions."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from countermand.canonical import digest
from countermand.detection.models import CriterionRecord, Verdict, VerdictWord, WatchVerdict
from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class ReleaseRegistered(Body):
    """`baseline_parts`: digest of each part of the baseline by its name; records of earlier versions have none."""

    KIND: ClassVar[Kind] = Kind.release_registered
    environment: str
    service: str
    candidate_name: str
    candidate_digest: str
    baseline_name: str
    baseline_digest: str
    playbook_digest: str
    registered_by: str
    owner: str
    baseline_parts: dict[str, str] = Field(default_factory=dict)


class ReleaseClosed(Body):
    KIND: ClassVar[Kind] = Kind.release_closed
    why: str


class ReleaseRefused(Body):
    """A release was not registered: nobody may be sent to its candidate (GOV-47). Nothing was started."""

    KIND: ClassVar[Kind] = Kind.release_refused
    release_id: str
    environment: str
    service: str
    candidate_name: str
    candidate_digest: str
    word: Literal["denied", "quarantined"]
    because: str
    asked_by: str


#: The trigger of a verdict that no watch measured and nobody said: a version in quarantine serves users again.
BREACH = "requarantine_breach"
#: The triggers of what a person declares, in calm and in an emergency.
DECLARED = ("rollback_proposed", "emergency_declared", "unfairness_reported")


class VerdictChanged(Body):
    """A watch's verdict changed. `verdicts` are the full records of the triggers behind it: all that have fired, else
    the leading one; `evidence_digest` is theirs, and what people approve is bound to it.

    said_by: who declared it; their words are in the sentence.
    """

    KIND: ClassVar[Kind] = Kind.verdict
    AUTHOR: ClassVar[str] = "said_by"
    watch_id: str
    word: str
    severity: str
    trigger: str
    sentence: str
    row: int
    evidence_digest: str
    verdicts: tuple[Verdict, ...]
    said_by: str | None = None

    def private(self) -> dict[str, str]:
        """The sentence of what a person declared quotes them."""
        return {"/sentence": ""} if self.by_person else {}

    @classmethod
    def of(cls, watch_id: str, verdict: WatchVerdict) -> VerdictChanged:
        """The record of a watch's verdict."""
        leading = verdict.leading
        fired = tuple(one for one in verdict.verdicts if one.word is VerdictWord.trigger) or (leading,)
        return cls(
            watch_id=watch_id,
            word=verdict.word.value,
            severity=leading.severity.value,
            trigger=" and ".join(one.trigger for one in fired),
            sentence=" ".join(one.sentence for one in fired),
            row=leading.seq,
            evidence_digest=digest([one.model_dump(mode="json") for one in fired]),
            verdicts=fired,
        )

    @property
    def by_person(self) -> bool:
        """Whether it is what a person said, not what a watch measured."""
        return not self.verdicts and self.trigger != BREACH

    @property
    def criteria(self) -> tuple[CriterionRecord, ...]:
        """What each criterion behind this verdict saw."""
        return tuple(criterion for verdict in self.verdicts for criterion in verdict.criteria)


class ConcernRaised(Body):
    """A person says that a release is bad: a judgement with a reason, no measurement (R20)."""

    KIND: ClassVar[Kind] = Kind.concern_raised
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    decision_id: str
    subject: str
    name: str
    roles: tuple[str, ...]
    severity: str
    reason: str


class RehearsalPassed(Body):
    """A rehearsal of exactly this playbook went well; when it did is the time of the record."""

    KIND: ClassVar[Kind] = Kind.rehearsal_passed
    playbook_digest: str
    scenario: str


class VersionDenied(Body):
    """A person put a version on the deny list of an environment (GOV-44). `digest`: a bundle, or one part of bundles.

    It counts from `not_before` until `not_after`; None: until it is allowed again.
    """

    KIND: ClassVar[Kind] = Kind.version_denied
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    digest: str
    environment: str
    decision_id: str
    subject: str
    name: str
    reason: str
    not_before: datetime
    not_after: datetime | None


class VersionAllowed(Body):
    """People took a version off the deny list; what was denied before they were asked ends (GOV-45)."""

    KIND: ClassVar[Kind] = Kind.version_allowed
    digest: str
    environment: str
    consent_id: str


class VersionQuarantined(Body):
    """The candidate of the record's incident, and each part in which it differs from the baseline (GOV-47).

    `fairness`: whether a trigger about fairness had fired, so that lifting it needs a fairness reviewer as well.
    """

    KIND: ClassVar[Kind] = Kind.version_quarantined
    digest: str
    name: str
    environment: str
    members: dict[str, str]
    fairness: bool


class QuarantineLifted(Body):
    """People let a version out of the quarantine that `by_incident` put it in (GOV-48)."""

    KIND: ClassVar[Kind] = Kind.quarantine_lifted
    digest: str
    environment: str
    by_incident: str
    consent_id: str
