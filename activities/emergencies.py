"""What people start out of order: a declared incident, and break-glass. Who did it is read from the Ledger and checked
with this worker's own keys; what a workflow was started with is believed by nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.briefing import Brief
from activities.eligible import EligibleVersions
from activities.looking import look
from activities.ports import KeyRing, Ledger, RoleDirectory, TargetRejected, Targets, TargetUnavailable
from countermand.governance import break_glass, declaring
from countermand.governance.break_glass import BreakGlass, Emergency
from countermand.governance.decision import Decision, DecisionKind, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.governance.working_time import WorkingTime
from countermand.ledger.bodies import DecisionMade, GlassBroken, PlanMade, VerdictChanged
from countermand.plan.build import NothingToRevert, at_once, build_plan
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.model import Severity

#: Business days of an organisation that has not said otherwise (GOV-39).
_CALENDAR = WorkingTime(time_zone="UTC")


class DeclaredRequest(Value):
    """What an incident was started with, to be compared with what its declarer signed."""

    decision_id: str
    workflow_id: str
    incident_id: str
    severity: Severity
    opened_by: str
    verdict: VerdictChanged


class EligibleRequest(Value):
    brief: Brief


class Eligible(Value):
    """Whether everybody may go back to the baseline now; None when the target could not be asked."""

    word: bool | None
    sentence: str


class GlassRequest(Value):
    """`number` counts plans of the incident."""

    decision_id: str
    incident_id: str
    severity: Severity
    brief: Brief
    number: int


class GlassTaken(Value):
    """What is done now. `plan` None: no user is moved, and `sentence` says why."""

    broken: GlassBroken
    plan: Plan | None


class EmergencyActivities:
    """Ports: Targets, Ledger, RoleDirectory, KeyRing; a clock."""

    def __init__(
        self, targets: Targets, ledger: Ledger, people: RoleDirectory, keys: KeyRing, clock: Callable[[], datetime]
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._people = people
        self._keys = keys
        self._eligible = EligibleVersions(ledger, keys, clock)
        self._clock = clock

    @activity.defn(name="confirm_declared")
    async def confirm_declared(self, request: DeclaredRequest) -> None:
        """Fails for good unless a person with the right to it signed exactly this declaration for this incident."""
        try:
            decision = await self._signed(request.decision_id, DecisionKind.declare, request.incident_id)
            said, statement = declaring.declared(decision), declaring.statement(decision)
            directory = await self._people.snapshot()
            table = rights_in_force(directory.governance)
            right = declaring.right_to(decision.kind, said.severity, table, said.mode)
            declaring.check(decision, directory, right)
        except Refused as refused:
            raise _not_believed(refused.detail) from refused
        if (decision.addressed_to, decision.actor.subject, said.severity, statement) != (
            request.workflow_id,
            request.opened_by,
            request.severity,
            request.verdict,
        ):
            raise _not_believed(f"decision {request.decision_id!r} says something else.")

    @activity.defn(name="eligible")
    async def eligible(self, request: EligibleRequest) -> Eligible:
        """Whether the baseline may take all users as the lists say, and can as its target says."""
        playbook = request.brief.playbook
        if lost := await self._not_eligible(request.brief, await self._people.snapshot()):
            return Eligible(word=False, sentence=lost)
        try:
            found = await look(self._targets, request.brief.release, playbook)
        except (TargetRejected, TargetUnavailable) as error:
            return Eligible(word=None, sentence=str(error))
        problems = [problem for one in found for problem in one.preflight.problems]
        return Eligible(word=all(one.preflight.ready for one in found), sentence="; ".join(problems))

    @activity.defn(name="break_glass")
    async def break_glass(self, request: GlassRequest) -> GlassTaken:
        """Fix and record what a use of break-glass does, before it is done. Idempotent by its decision."""
        key = f"{request.incident_id}/glass/{request.decision_id}"
        done = await self._ledger.find(key)
        if done is not None:
            made = await self._ledger.find(f"{key}/plan")
            plan = Plan.model_validate(PlanMade.model_validate(made.body).plan) if made else None
            return GlassTaken(broken=GlassBroken.model_validate(done.body), plan=plan)
        try:
            decision, wanted = await self._use(request)
        except Refused as refused:
            raise _not_believed(refused.detail) from refused
        plan, sentence = await self._plan(request, wanted)
        taken = GlassTaken(broken=self._broken(request, decision, wanted, plan, sentence), plan=plan)
        ids = {"incident_id": request.incident_id, "release_id": request.brief.release.release_id}
        entries = [taken.broken.entry(key, decision.actor.subject, **ids)]
        if plan is not None:
            body = PlanMade(plan_digest=plan.digest, plan=plan.model_dump(mode="json"))
            entries.insert(0, body.entry(f"{key}/plan", "worker", **ids))
        await self._ledger.append(*entries)
        return taken

    async def _use(self, request: GlassRequest) -> tuple[Decision, BreakGlass]:
        """The signed use and what it asks for. Raises Refused."""
        decision = await self._signed(request.decision_id, DecisionKind.break_glass, request.incident_id)
        wanted = break_glass.asked_for(decision, target_eligible=True)  # asked when the use was accepted
        if wanted is None:
            raise _not_believed(f"decision {request.decision_id!r} names no emergency that there is.")
        directory = await self._people.snapshot()
        right = rights_in_force(directory.governance).row(Action.break_glass, Severity.sev1)
        break_glass.check(wanted, decision, directory, right)
        return decision, wanted

    async def _plan(self, request: GlassRequest, wanted: BreakGlass) -> tuple[Plan | None, str]:
        """Everybody back at once, from what the target says now; or no plan, and why. No emergency passes the deny list
        or the quarantine (GOV-38)."""
        if wanted.emergency is Emergency.stop:
            return None, "nobody is moved: the split stays as it is until people decide."
        release, playbook = request.brief.release, request.brief.playbook
        if lost := await self._not_eligible(request.brief, await self._people.snapshot()):
            return None, f"nobody is moved: {lost}"
        try:
            plan = build_plan(
                incident_id=request.incident_id,
                release=release,
                playbook=playbook,
                governance_digest=request.brief.directory.digest,
                severity=request.severity,
                found=await look(self._targets, release, playbook),
            )
        except NothingToRevert as error:
            return None, f"nobody is moved: {error}."
        except TargetRejected as error:
            return None, f"nobody is moved: {error}."
        except TargetUnavailable as error:
            raise ApplicationError(str(error), type="TargetUnavailable") from error
        return at_once(plan, playbook.revert.stage_time_limit), "all users go back to the baseline now, in one step."

    async def _not_eligible(self, brief: Brief, directory: Directory) -> str:
        """Why users may not be sent to the baseline now; empty when they may."""
        release = brief.release
        return await self._eligible.lacking(
            release.baseline, release.service, release.environment, directory.governance
        )

    def _broken(
        self, request: GlassRequest, decision: Decision, wanted: BreakGlass, plan: Plan | None, sentence: str
    ) -> GlassBroken:
        actor, environment = decision.actor, request.brief.release.environment
        case = break_glass.opened(actor.subject, environment, self._clock(), _CALENDAR)
        return GlassBroken(
            decision_id=decision.decision_id,
            subject=actor.subject,
            name=actor.printed_name,
            emergency=wanted.emergency.value,
            harm=wanted.harm,
            reason=decision.reason,
            environment=environment,
            plan_digest=plan.digest if plan else None,
            sentence=sentence,
            ratify_by=case.due,
        )

    async def _signed(self, decision_id: str, kind: DecisionKind, incident_id: str) -> Decision:
        """A decision as the Ledger holds it, of this kind and incident. Raises Refused unless our key signed it."""
        record = await self._ledger.find(f"decision/{decision_id}")
        if record is None:
            raise _not_believed(f"the ledger holds no decision {decision_id!r}.")
        decision = DecisionMade.model_validate(record.body).decision
        self._keys.gateway_keys().verify(decision)
        if (decision.kind, decision.incident_id) != (kind, incident_id):
            raise _not_believed(f"decision {decision_id!r} is about something else.")
        return decision


def _not_believed(why: str) -> ApplicationError:
    return ApplicationError(f"not believed: {why}", type="NotBelieved", non_retryable=True)
