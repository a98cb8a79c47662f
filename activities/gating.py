"""What the verdicts of an incident lead to for a plan, and what happens when nobody decides on it (GOV-23…28).

Both answers stand in history and in the Ledger before anything follows from them; they rest on the Ledger, on the
target as it is now, and on the settings of the sources.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from temporalio import activity

from activities.briefing import Brief
from activities.eligible import EligibleVersions
from activities.keeping import held
from activities.lately import Lately
from activities.obligation_ports import Duties
from activities.ports import KeyRing, Ledger, TargetRejected, Targets, TargetUnavailable
from activities.signal_ports import SourceTrust
from countermand.canonical import canonical
from countermand.detection.models import Verdict
from countermand.governance import past, protection
from countermand.governance.eligible import Version
from countermand.governance.gates import Gate, GateFacts, clearness, gate
from countermand.governance.gating import (
    RULES,
    Trust,
    about_fairness,
    declared_gate,
    fired,
    gate_of,
    one_gate,
    paused,
    source_facts,
    stricter,
    under_hold,
    unfair,
)
from countermand.governance.investigation import REPORTED
from countermand.governance.past import NotKnown
from countermand.governance.shipped import shipped_gates
from countermand.governance.standing import Validity
from countermand.governance.standing_proof import Covered, covering
from countermand.governance.timeouts import TimeoutFacts, default_on_timeout
from countermand.ledger.bodies import (
    AskAcknowledged,
    AskDefaulted,
    AskSentTo,
    CommsSent,
    GateDecided,
    GlassBroken,
    IncidentClosed,
    VerdictChanged,
    parse_body,
)
from countermand.ledger.record import Kind
from countermand.plan.model import Plan
from countermand.plan.target import Split, Value
from countermand.playbook.model import ApprovalPolicy, Audience

#: Places where messages wait for people to look: nothing confirms that anybody did.
_UNCONFIRMED = ("outbox", "directory")
#: Ends of an incident by which people kept the candidate, or took it back.
_SAID_NO = ("rejected", "withdrawn", "aborted", "reversed")
_NOT_KNOWN = Validity(ok=False, reasons=("earlier reverts are not known",))


class GateRequest(Value):
    """`number` counts the plans of the incident. The incident's verdicts stand in the Ledger."""

    plan: Plan
    brief: Brief
    number: int


class Gated(Value):
    """What happens now. policy: how people are asked, if they are. triggers: those that fired, without fairness.
    fairness: what says that groups are treated unequally.

    authorisation_id: under which standing authorisation it is automatic, else None.
    """

    gate: Gate
    authorisation_id: str | None
    triggers: tuple[str, ...]
    facts_sha256: str
    rules: str
    policy: ApprovalPolicy
    fairness: tuple[str, ...] = ()


class DefaultRequest(Value):
    """A request for approval whose time limit has come; `policy` is the one it was asked under."""

    ask_id: str
    plan: Plan
    brief: Brief
    policy: ApprovalPolicy


class Defaulted(Value):
    """The branch that is taken; `degraded` says why it is not the declared one."""

    action: Literal["proceed", "hold", "abort"]
    degraded: tuple[str, ...]
    authorisation_id: str | None


class TargetNow(Value):
    """The target as just read; None is not known."""

    eligible: bool | None
    verified_at: datetime | None
    still_served: bool | None


class GatingActivities:
    """Ports: Targets, Ledger, KeyRing, SourceTrust, Duties; a clock."""

    def __init__(
        self,
        targets: Targets,
        ledger: Ledger,
        keys: KeyRing,
        trust: SourceTrust,
        duties: Duties,
        clock: Callable[[], datetime],
    ) -> None:
        self._targets = targets
        self._ledger = ledger
        self._lately = Lately(ledger, keys)
        self._eligible = EligibleVersions(ledger, keys, clock)
        self._trust = trust
        self._duties = duties
        self._clock = clock

    @activity.defn(name="decide_gate")
    async def decide_gate(self, request: GateRequest) -> Gated:
        """The gate of a plan, recorded with every clause that does not hold; a repeated run answers the same."""
        plan, brief = request.plan, request.brief
        key = f"{plan.incident_id}/gate/{request.number}/{plan.digest}"
        known = await self._ledger.find(key)
        if known is None:
            body = await self._decided(plan, brief)
            await self._append(key, plan, body)
        else:
            body = GateDecided.model_validate(known.body)
        found = gate_of(body)
        policy = brief.playbook.policy(plan.severity)
        return Gated(
            gate=found,
            authorisation_id=body.authorisation_id,
            triggers=body.triggers,
            facts_sha256=body.facts_sha256,
            rules=body.rules,
            policy=stricter(policy, found, self._clock(), brief.directory.governance.working_time),
            fairness=body.fairness,
        )

    async def _decided(self, plan: Plan, brief: Brief) -> GateDecided:
        changes = await self._changes(plan)
        verdicts = fired(changes)
        triggers = _triggers(verdicts, brief)
        target = await self._target(plan, brief)
        now = self._clock()
        facts, covered = await self._facts(plan, brief, triggers, target, now)
        sources = brief.directory.governance.limits.independent_sources
        table = shipped_gates()
        gates, clear = [], {}
        for verdict in verdicts:
            own = facts.model_copy(
                update={
                    "sources": source_facts(verdict, brief.playbook, self._trusted(verdict, brief)),
                    "fairness": about_fairness(verdict, brief.playbook),
                }
            )
            gates.append((verdict, gate(table, verdict, own, covered.validity, now, sources=sources)))
            clear[verdict.trigger] = (own, clearness(verdict, own, now, sources=sources).clear)
        leading = None
        if gates:
            leading, found = one_gate(gates)
            facts, is_clear = clear[leading.trigger]
        else:
            found, is_clear = declared_gate(table, plan.severity), False
        found = paused(found, leading.severity if leading else None, _reported(changes))
        found = under_hold(found, await held(self._ledger, self._duties, plan.incident_id, now))
        rests_on = {"facts": facts.model_dump(mode="json"), "standing": covered.model_dump(mode="json")}
        return GateDecided(
            plan_digest=plan.digest,
            act=found.act,
            clear=is_clear,
            triggers=triggers,
            people=found.people,
            window_seconds=None if found.window is None else int(found.window.total_seconds()),
            next_working_window=found.next_working_window,
            hold_ramp=found.hold_ramp,
            because=found.because,
            authorisation_id=covered.authorisation_id if found.act == "automatic" else None,
            facts_sha256=await self._ledger.put_blob(canonical(rests_on), "application/json"),
            rules=RULES,
            fairness=unfair(changes, brief.playbook),
        )

    async def _facts(
        self, plan: Plan, brief: Brief, triggers: tuple[str, ...], target: TargetNow, now: datetime
    ) -> tuple[GateFacts, Covered]:
        """The facts that are the same for every trigger, and whether a standing authorisation covers the plan."""
        flags: tuple[str, ...] | None
        stops: tuple[str, ...] | None
        try:
            flags, stops = await self._against(plan, brief, now)
            covered = covering(plan, triggers, await self._lately.known(plan, brief.directory, now), now)
        except NotKnown:
            flags, stops, covered = None, None, Covered(validity=_NOT_KNOWN)
        facts = GateFacts(
            sources=(),
            fairness=False,
            target_eligible=target.eligible,
            target_verified_at=target.verified_at,
            still_served=target.still_served,
            flags=flags,
            stops=stops,
        )
        return facts, covered

    async def _against(self, plan: Plan, brief: Brief, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Flags, and other reasons why nothing may happen without people now. Raises NotKnown."""
        limits = brief.directory.governance.limits
        family, where, first = plan.service, plan.environment, plan.stages[0]
        window = max(limits.cooldown, limits.ping_pong_window)
        reverts = await self._lately.reverts(where, now - 2 * window)
        moves = past.moves(reverts)
        stops = (
            protection.daily_stop(moves, where, now, limits),
            protection.ineffective_stop(past.attempts(reverts, family, where), now, limits),
            protection.first_stage_stop(plan.before.candidate_bp - first.desired.candidate_bp, first.soak, limits),
            await self._tried(plan),
            await self._ended_by_people(plan),
        )
        return protection.flags(moves, family, where, now, limits), tuple(stop for stop in stops if stop)

    @activity.defn(name="decide_default")
    async def decide_default(self, request: DefaultRequest) -> Defaulted:
        """The branch that is taken when nobody decided in time, recorded; a repeated run answers the same."""
        plan, brief = request.plan, request.brief
        key = f"{request.ask_id}/defaulted"
        known = await self._ledger.find(key)
        if known is None:
            body = await self._defaulted(request, plan, brief)
            await self._append(key, plan, body)
        else:
            body = AskDefaulted.model_validate(known.body)
        return Defaulted(action=body.action, degraded=body.degraded, authorisation_id=body.authorisation_id)

    async def _defaulted(self, request: DefaultRequest, plan: Plan, brief: Brief) -> AskDefaulted:
        target = await self._target(plan, brief)
        now = self._clock()
        changes = await self._changes(plan)
        triggers = _triggers(fired(changes), brief)
        delivered, received = await self._delivered(plan, request.ask_id)
        try:
            standing = await self._lately.known(plan, brief.directory, now)
            covered, rehearsed_at = covering(plan, triggers, standing, now), standing.rehearsed_at
            flags, stops = await self._against(plan, brief, now)
        except NotKnown:
            covered, rehearsed_at, flags, stops = Covered(validity=_NOT_KNOWN), None, (), ()
        facts = TimeoutFacts(
            delivered=delivered,
            received=received,
            target_verified_at=target.verified_at,
            fairness_pause=bool(unfair(changes, brief.playbook)),
            rehearsed_at=rehearsed_at,
            fresh_for=brief.directory.governance.limits.rehearsed_within,
            stops=(*flags, *stops, *await held(self._ledger, self._duties, plan.incident_id, now)),
        )
        taken = default_on_timeout(request.policy.default, covered.validity, facts, now)
        written = facts.model_dump(mode="json")
        return AskDefaulted(
            ask_id=request.ask_id,
            plan_digest=plan.digest,
            declared=taken.declared,
            action=taken.action,
            degraded=taken.degraded,
            triggers=triggers,
            authorisation_id=covered.authorisation_id if taken.action == "proceed" else None,
            facts_sha256=await self._ledger.put_blob(canonical(written), "application/json"),
            rules=RULES,
        )

    async def _changes(self, plan: Plan) -> list[VerdictChanged]:
        records = await self._ledger.records(incident_id=plan.incident_id, kinds=[Kind.verdict])
        return [VerdictChanged.model_validate(record.body) for record in records]

    async def _target(self, plan: Plan, brief: Brief) -> TargetNow:
        try:
            target = self._targets(plan.member.target)
            state = await target.read(plan.member)
            preflight = await target.preflight(plan.member, Split.candidate(0))
        except (TargetUnavailable, TargetRejected):
            return TargetNow(eligible=None, verified_at=None, still_served=None)
        listed = await self._eligible.judge(Version.of(plan.baseline), plan.environment, brief.directory.governance)
        ready = (
            preflight.ready
            and preflight.write_permitted
            and preflight.destination_digest == plan.member.baseline_digest
        )
        return TargetNow(
            eligible=ready and listed.eligible,
            verified_at=self._clock() if ready else None,
            still_served=state.split.candidate_bp > 0 and state.revision == plan.before_revision,
        )

    async def _tried(self, plan: Plan) -> str:
        """That something was begun without people, or in an emergency, in this incident; people look before more is."""
        kinds = [Kind.gate_decided, Kind.glass_broken]
        for record in await self._ledger.records(incident_id=plan.incident_id, kinds=kinds):
            match parse_body(record):
                case GlassBroken():
                    return "somebody broke the glass in this incident"
                case GateDecided(act="automatic"):
                    return "an automatic rollback of this incident did not end it"
        return ""

    async def _ended_by_people(self, plan: Plan) -> str:
        """That people said no to a rollback of this release before; what they said is not overtaken."""
        records = await self._ledger.records(release_id=plan.release_id, kinds=[Kind.incident_closed])
        outcomes = [IncidentClosed.model_validate(record.body).outcome for record in records]
        said = next((outcome for outcome in reversed(outcomes) if outcome in _SAID_NO), "")
        return f"people ended an earlier incident of this release: {said}" if said else ""

    async def _delivered(self, plan: Plan, ask_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Channels on which the approvers were asked, and those of them that confirmed it: another system took the
        message, or a person said "I'm on it". A request that everybody only found in a list was not delivered."""
        kinds = [Kind.comms_sent, Kind.ask_acknowledged, Kind.ask_sent]
        lanes: set[str] = set()
        delivered: set[str] = set()
        received: set[str] = set()
        for record in await self._ledger.records(incident_id=plan.incident_id, kinds=kinds):
            match parse_body(record):
                case CommsSent(audience=Audience.approver.value) as body if ask_id in body.key.split("/"):
                    delivered.add(body.channel)
                    received |= {body.channel}.difference(_UNCONFIRMED)
                case AskAcknowledged() as body if body.ask_id == ask_id:
                    received.add(body.channel)
                case AskSentTo() as body if body.ask_id == ask_id:
                    lanes.add(body.lane)
        if lanes == {"batch"}:
            return (), ()
        return tuple(sorted(delivered)), tuple(sorted(received))

    def _trusted(self, verdict: Verdict, brief: Brief) -> dict[str, Trust]:
        signals = brief.playbook.detection.signals
        names = {signals[one.signal].source for one in verdict.criteria if one.signal in signals}
        return {name: self._trust(name) for name in names.union(*(one.sources for one in verdict.criteria))}

    async def _append(self, key: str, plan: Plan, body: GateDecided | AskDefaulted) -> None:
        entry = body.entry(key, "worker", incident_id=plan.incident_id, release_id=plan.release_id)
        await self._ledger.append(entry)


def _reported(changes: list[VerdictChanged]) -> bool:
    return any(one.trigger == REPORTED for one in changes)


def _triggers(verdicts: tuple[Verdict, ...], brief: Brief) -> tuple[str, ...]:
    """Ids of the triggers that fired and are not about fairness: those have a gate of their own (GOV-36)."""
    return tuple(sorted(one.trigger for one in verdicts if not about_fairness(one, brief.playbook)))
