"""A standing authorisation: an approval signed in calm time, for plans described in advance (GOV-28)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, model_validator

from countermand.canonical import digest, instant
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Actor, Decision, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.terms import Faults, Severity
from countermand.playbook.units import Positive, format_percent

LONGEST = timedelta(days=90)


class StandingStage(Value):
    """One stage as authorised: share of the candidate's users given back, and the shortest soak."""

    give_back_bp: Annotated[int, Field(ge=1, le=10_000)]
    soak: Positive


class StandingAuthorisation(Value):
    """What may run without a fresh approval. Every field narrows; `signers` are those of its own approval.

    max_exposure_bp: share of all users on the candidate up to which it holds.
    """

    authorisation_id: str
    playbook_digest: str
    environment: str
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)]
    triggers: Annotated[tuple[str, ...], Field(min_length=1)]
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    max_exposure_bp: Annotated[int, Field(ge=1, le=10_000)]
    stages: Annotated[tuple[StandingStage, ...], Field(min_length=1)]
    runs_per_day: Annotated[int, Field(ge=1, le=10)] = 1
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    signers: tuple[Actor, ...]
    revoked_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        faults = Faults()
        if not self.issued_at < self.expires_at <= self.issued_at + LONGEST:
            faults.add(
                f"{instant(self.expires_at)!r} is not accepted; write an instant after `issued_at`, "
                f"at most {LONGEST.days} days later",
                "expires_at",
            )
        if self.stages[-1].give_back_bp != 10_000:
            faults.add("the last stage gives all users back; write give_back_bp 10000", "stages")
        faults.refuse()
        return self

    @property
    def document(self) -> dict[str, Any]:
        """What its signers sign: everything but the signatures and a later revocation."""
        return self.model_dump(mode="json", exclude={"signers", "revoked_at"})

    @property
    def digest(self) -> str:
        """The digest of what its signers sign."""
        return digest(self.document)


class PlanFacts(Value):
    """What a plan is, as far as a standing authorisation asks. `target` is the digest of the bundle it leads to."""

    playbook_digest: str
    environment: str
    severity: Severity
    triggers: tuple[str, ...]
    target: str
    exposure_bp: int
    stages: tuple[StandingStage, ...]

    @classmethod
    def of(cls, plan: Plan, triggers: Collection[str]) -> PlanFacts:
        """The facts of a plan; `triggers` are the ids of those that fired."""
        return cls(
            playbook_digest=plan.playbook_digest,
            environment=plan.environment,
            severity=plan.severity,
            triggers=tuple(sorted(triggers)),
            target=plan.baseline.digest,
            exposure_bp=plan.before.candidate_bp,
            stages=tuple(StandingStage(give_back_bp=one.give_back_bp, soak=one.soak) for one in plan.stages),
        )


class Validity(Value):
    """Whether an authorisation covers a plan now; `reasons` says why not, in words."""

    ok: bool
    reasons: tuple[str, ...] = ()


#: What the gate gets when nobody issued one.
NONE_ISSUED = Validity(ok=False, reasons=("there is no standing authorisation",))


def valid(
    authorisation: StandingAuthorisation,
    facts: PlanFacts,
    now: datetime,
    *,
    right: Right,
    rehearsed_at: datetime | None,
    fresh_for: timedelta,
    runs_today: int,
) -> Validity:
    """Whether the plan may run under the authorisation at `now`.

    right: the row `standing_authorisation` of the table in force. rehearsed_at: the last passed rehearsal of this
    playbook digest, None if there is none; fresh_for: how long it counts. runs_today: automatic runs under this
    authorisation in the last 24 hours. An authorisation that does not hold sends the gate to people, never to silence.
    """
    reasons = [*_lapsed(authorisation, facts, now, rehearsed_at, fresh_for), *_wider(authorisation, facts)]
    signed = {actor.subject: actor.roles for actor in authorisation.signers if actor.principal == "person"}
    if lacking := right.missing(signed):
        reasons.append(f"it lacks the signature of {', '.join(lacking)}")
    if runs_today >= authorisation.runs_per_day:
        reasons.append(f"it ran {runs_today} times in 24 hours, and {authorisation.runs_per_day} is the most")
    return Validity(ok=not reasons, reasons=tuple(reasons))


def ended(authorisation: StandingAuthorisation, now: datetime) -> tuple[str, ...]:
    """Why it covers nothing at `now`, whatever the plan; empty while it may."""
    reasons = []
    if now < authorisation.issued_at:
        reasons.append(f"it begins at {instant(authorisation.issued_at)}")
    if now >= authorisation.expires_at:
        reasons.append(f"it expired at {instant(authorisation.expires_at)}")
    if authorisation.revoked_at is not None and now >= authorisation.revoked_at:
        reasons.append(f"it was revoked at {instant(authorisation.revoked_at)}")
    return tuple(reasons)


def check_revocation(decision: Decision, right: Right, directory: Directory) -> None:
    """Raise Refused unless this person may revoke. The caller has signed the decision for them.

    right: the row `standing_authorisation` of the table in force. Revoking only narrows, so one of its roles and a
    signature of class `standard` are enough: it must work at once, and without a second factor at hand.
    """
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if not set(right.roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*right.roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"revoking needs {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    refuse_short(decision)


def _lapsed(
    authorisation: StandingAuthorisation,
    facts: PlanFacts,
    now: datetime,
    rehearsed_at: datetime | None,
    fresh_for: timedelta,
) -> list[str]:
    reasons = list(ended(authorisation, now))
    if facts.playbook_digest != authorisation.playbook_digest:
        reasons.append("the playbook changed since it was signed")
    if rehearsed_at is None or rehearsed_at > now:
        reasons.append("this playbook was never rehearsed")
    elif now - rehearsed_at > fresh_for:
        reasons.append(f"the last rehearsal, {instant(rehearsed_at)}, is too long ago")
    return reasons


def _wider(authorisation: StandingAuthorisation, facts: PlanFacts) -> list[str]:
    reasons = []
    if facts.environment != authorisation.environment:
        reasons.append(f"it is for {authorisation.environment!r}, not for {facts.environment!r}")
    if facts.severity not in authorisation.severities:
        reasons.append(f"it does not cover {facts.severity.value}")
    foreign = [trigger for trigger in facts.triggers if trigger not in authorisation.triggers]
    if foreign or not facts.triggers:
        reasons.append(f"it does not cover the trigger {', '.join(map(repr, foreign)) or 'of this plan: none fired'}")
    if facts.target not in authorisation.targets:
        reasons.append(f"{facts.target!r} is not among its targets")
    if facts.exposure_bp > authorisation.max_exposure_bp:
        reasons.append(
            f"{format_percent(facts.exposure_bp)} of users are on the candidate, "
            f"it holds up to {format_percent(authorisation.max_exposure_bp)}"
        )
    same = [stage.give_back_bp for stage in facts.stages] == [stage.give_back_bp for stage in authorisation.stages]
    if not same or any(
        stage.soak < agreed.soak for stage, agreed in zip(facts.stages, authorisation.stages, strict=False)
    ):
        reasons.append("the stages are not those that were signed")
    return reasons
