"""Make the Plan from what the target says now, and the ask for it. Decisions by pure functions, recorded here
so that the answer stands in history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.briefing import Brief
from activities.eligible import EligibleVersions
from activities.looking import look
from activities.ports import KeyRing, Ledger, TargetRejected, Targets, TargetUnavailable
from countermand.governance.approval import RULES, Ask
from countermand.governance.decision import SignatureClass
from countermand.governance.delegation import Scope
from countermand.learning.review_dates import KINDS, overdue
from countermand.ledger.bodies import AskOpened, ConcernRaised, PlanMade
from countermand.ledger.record import Kind
from countermand.messages.facts import in_words, spoken
from countermand.plan.build import NothingToRevert, build_plan
from countermand.plan.model import Plan
from countermand.plan.readiness import readiness
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy, Rung, Severity


class PlanRequest(Value):
    incident_id: str
    severity: Severity
    brief: Brief
    number: int


class PlanResult(Value):
    """Exactly one of `plan` and `impossible` is set."""

    plan: Plan | None
    impossible: str


class NamedVersion(Value):
    """A version that people could choose; empty when there is none."""

    name: str


class AskRequest(Value):
    ask_id: str
    workflow_id: str
    plan: Plan
    evidence_digest: str
    requester: str
    policy: ApprovalPolicy
    brief: Brief
    opened_at: datetime
    supersedes: str | None


class PlanningActivities:
    """Ports: Targets, Ledger, KeyRing; a clock."""

    def __init__(self, targets: Targets, ledger: Ledger, keys: KeyRing, clock: Callable[[], datetime]) -> None:
        self._targets = targets
        self._ledger = ledger
        self._eligible = EligibleVersions(ledger, keys, clock)
        self._clock = clock

    @activity.defn(name="make_plan")
    async def make_plan(self, request: PlanRequest) -> PlanResult:
        """Read the targets, check the destination, plan the stages; the Plan goes into the Ledger.

        No plan leads to a baseline that is not eligible: people are told why, and nothing is second best (GOV-45).
        """
        release, playbook = request.brief.release, request.brief.playbook
        governance = request.brief.directory.governance
        lost = await self._eligible.lacking(release.baseline, release.service, release.environment, governance)
        if lost:
            return PlanResult(plan=None, impossible=lost)
        try:
            found = await look(self._targets, release, playbook)
        except TargetRejected as error:
            return PlanResult(plan=None, impossible=str(error))
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        try:
            plan = build_plan(
                incident_id=request.incident_id,
                release=release,
                playbook=playbook,
                governance_digest=request.brief.directory.digest,
                severity=request.severity,
                found=found,
                readiness=await self._readiness(release.release_id),
            )
        except NothingToRevert as error:
            return PlanResult(plan=None, impossible=str(error))
        body = PlanMade(plan_digest=plan.digest, plan=plan.model_dump(mode="json"))
        await self._ledger.append(
            body.entry(
                f"{request.incident_id}/plan/{request.number}/{plan.digest}",
                "worker",
                incident_id=request.incident_id,
                release_id=release.release_id,
            )
        )
        return PlanResult(plan=plan, impossible="")

    @activity.defn(name="name_alternative")
    async def name_alternative(self, brief: Brief) -> NamedVersion:
        """The newest eligible version of the service besides this release's baseline: named to people, never chosen."""
        release = brief.release
        found = await self._eligible.alternative(
            release.baseline.digest, release.service, release.environment, brief.directory.governance
        )
        return NamedVersion(name=found.name if found else "")

    async def _readiness(self, release_id: str) -> str:
        looks = await self._ledger.records(release_id=release_id, kinds=[Kind.destination_checked])
        return readiness(looks, self._clock()).sentence if looks else ""

    @activity.defn(name="open_ask")
    async def open_ask(self, request: AskRequest) -> Ask:
        """Fix what is asked of whom until when, and record it before anybody sees it."""
        key = f"{request.ask_id}/opened"
        plan, brief = request.plan, request.brief
        policy = request.policy
        ask = Ask(
            ask_id=request.ask_id,
            incident_id=plan.incident_id,
            workflow_id=request.workflow_id,
            plan_digest=plan.digest,
            evidence_digest=request.evidence_digest,
            requester=request.requester,
            excluded=await self._excluded(plan, brief, policy),
            policy=policy,
            opened_at=request.opened_at,
            expires_at=request.opened_at + policy.time_limit,
            directory=brief.directory,
            keys=brief.keys,
            supersedes=request.supersedes,
            signature_class=SignatureClass(policy.signature),
            scope=Scope(release=plan.release_id, environment=plan.environment, severity=plan.severity),
        )
        asked = brief.directory.holders(*policy.ladder[0].to, *(slot.role for slot in policy.quorum.roles))
        body = AskOpened(
            ask_id=ask.ask_id,
            workflow_id=ask.workflow_id,
            plan_digest=ask.plan_digest,
            evidence_digest=ask.evidence_digest,
            approval_digest=ask.approval_digest,
            requester=ask.requester,
            excluded=ask.excluded,
            need_roles=tuple(slot.role for slot in policy.quorum.roles for _ in range(slot.min)),
            need_people=policy.quorum.distinct_people,
            asked=tuple(person.name for person in asked),
            opened_at=ask.opened_at,
            expires_at=ask.expires_at,
            default=policy.default,
            ladder=tuple(_in_words(rung) for rung in policy.ladder),
            governance_digest=brief.directory.digest,
            rules=RULES,
            supersedes=ask.supersedes,
            signature_class=ask.signature_class,
            rungs_due=tuple(ask.opened_at + rung.after for rung in policy.ladder),
            threshold_flags=await self._flags(brief, request.opened_at),
        )
        await self._ledger.append(body.entry(key, "worker", incident_id=plan.incident_id, release_id=plan.release_id))
        return ask

    async def _flags(self, brief: Brief, now: datetime) -> tuple[str, ...]:
        """What approvers have to know about the thresholds that fired: nobody looked at them for too long (LRN-10)."""
        flag = overdue(await self._ledger.records(kinds=KINDS), brief.playbook.name, now)
        return (flag.sentence,) if flag else ()

    async def _excluded(self, plan: Plan, brief: Brief, policy: ApprovalPolicy) -> tuple[str, ...]:
        """People who may not vote: who put the release out and, where one vote is enough, who raised a concern about
        it, so that nobody both gives the reason and decides alone (GOV-17, GOV-18)."""
        excluded = [brief.release.registered_by]
        if policy.quorum.distinct_people == 1:
            concerns = await self._ledger.records(release_id=plan.release_id, kinds=[Kind.concern_raised])
            excluded += [ConcernRaised.model_validate(record.body).subject for record in concerns]
        return tuple(dict.fromkeys(excluded))


class Recheck(Value):
    """May the next effect happen? `stale` needs a new plan and a new ask; `stop` needs people."""

    word: Literal["go", "stale", "stop"]
    sentence: str


def _in_words(rung: Rung) -> str:
    """`after 5 minutes: remind those who have not decided`."""
    when = f"after {in_words(rung.after)}" if rung.after else "at once"
    match rung.do:
        case "remind":
            what = "remind those who have not decided"
        case "default":
            what = f"if nobody has decided: {rung.action}"
        case _:
            what = f"{rung.do} {spoken(rung.to)}"
    return f"{when}: {what}"
