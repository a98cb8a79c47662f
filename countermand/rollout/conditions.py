"""What stands against a rollout, or asks for a person: read from the Ledger, judged here (LRN-27, LRN-30, GOV-48)."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.detection.models import VerdictWord
from countermand.governance.eligible import Eligibility, Version
from countermand.ledger.bodies import (
    IncidentClosed,
    IncidentOpened,
    ReleaseRegistered,
    RolloutEnded,
    RolloutIntent,
    RolloutPlanned,
    StageIntent,
    VerdictChanged,
    VersionQuarantined,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.plan.target import CheckWord, Value
from countermand.playbook.criteria import Detection
from countermand.playbook.rollout import Sandbox
from countermand.review.actions import actions, before_re_release
from countermand.rollout.plan import RolloutPlan

#: Records about any rollout.
ROLLOUTS = (Kind.rollout_planned, Kind.rollout_intent, Kind.rollout_ended)
#: Records of a release that end its rollout.
TROUBLE = (Kind.verdict, Kind.incident_opened, Kind.incident_closed)
_RUNS = "still runs"


def unfit(found: Eligibility) -> str:
    """Why users may not get this candidate; empty when nothing stands against it.

    That it never served before is no reason: a rollout is how that is found out.
    """
    failed = [
        one.sentence
        for one in found.checks
        if one.name in ("deny_list", "quarantine") and one.word is not CheckWord.passed
    ]
    return "; ".join(failed)


def trouble(records: Sequence[Record]) -> str:
    """Why a release must not go forward: its watch has fired, or an incident is open. Empty when neither.

    records: `TROUBLE` of the release, in order. An incident is the only writer while it is open.
    """
    opened: dict[str, str] = {}
    for record in records:
        match parse_body(record):
            case VerdictChanged() as body if body.word == VerdictWord.trigger.value and not body.by_person:
                return f"the watch of this release has fired: {body.sentence}"
            case IncidentOpened() if record.incident_id:
                opened[record.incident_id] = record.incident_id
            case IncidentClosed() if record.incident_id:
                opened.pop(record.incident_id, None)
    return f"incident {', '.join(opened)} is open" if opened else ""


def last_cleanup(plan: RolloutPlan, records: Sequence[Record]) -> str:
    """Why the last sandbox on the same split may have left something behind; empty when it did not, or none ran.

    records: `ROLLOUTS` of all releases, in order.
    """
    plans: dict[str, RolloutPlan] = {}
    left: dict[str, str] = {}
    for record in records:
        match parse_body(record):
            case RolloutPlanned() as body if body.rollout_id != plan.rollout_id:
                plans[body.rollout_id] = RolloutPlan.model_validate(body.plan)
            case RolloutIntent() as body if body.rollout_id in plans and body.step:
                other = plans[body.rollout_id]
                same = (other.environment, other.member.target, other.member.name)
                if other.goes_back and same == (plan.environment, plan.member.target, plan.member.name):
                    left[body.rollout_id] = _RUNS
            case RolloutEnded() as body if body.rollout_id in left:
                if body.restored:  # whatever was left before is gone as well
                    left = {name: how for name, how in left.items() if how == _RUNS and name != body.rollout_id}
                else:
                    left[body.rollout_id] = "did not verify its cleanup"
    return "; ".join(f"sandbox {name} {how}" for name, how in left.items())


def reasons_to_ask(plan: RolloutPlan, sandbox: Sandbox | None, records: Sequence[Record]) -> tuple[str, ...]:
    """Why a person has to start it; empty when it may start without one (LRN-27).

    sandbox: what the playbook says. records: `ROLLOUTS` of all releases, in order.
    """
    if plan.kind != "sandbox" or sandbox is None:
        return ("a ramp gives the candidate to users and keeps it there",)
    reasons = []
    if not sandbox.without_asking:
        reasons.append("the playbook does not allow it without a person")
    if any(step.desired.candidate_bp > sandbox.share for step in plan.steps):
        reasons.append("the share is above the playbook's cap")
    if plan.lease is not None and plan.lease > sandbox.lease:
        reasons.append("the lease is longer than the playbook's")
    if not plan.before.known:
        reasons.append(f"target {plan.member.target} does not say what each arm serves, so no cleanup can be verified")
    if plan.lease is None:
        reasons.append(f"target {plan.member.target} cannot go back by itself when its watcher is lost")
    if uncertain := last_cleanup(plan, records):
        reasons.append(uncertain)
    return tuple(reasons)


class ReRelease(Value):
    """Whether a candidate was in quarantine before, and what is missing before a ramp of it."""

    incidents: tuple[str, ...]
    lacking: str


def re_release(
    candidate: Version,
    environment: str,
    quarantines: Sequence[Record],
    fired: dict[str, tuple[str, ...]],
    rollouts: Sequence[Record],
    detection: Detection,
    acted: Sequence[Record] = (),
) -> ReRelease:
    """What is known of an earlier quarantine of this candidate or of one of its parts (GOV-48, LRN-30).

    quarantines: records `version.quarantined`. fired: the signals behind each incident's triggers. rollouts:
    `ROLLOUTS`. detection: of the release that is to go forward. Every signal that fired must have been shown to be
    healthy in a sandbox since; where the harm was about fairness, or nobody knows, every signal of fairness as well.
    acted: records about actions; those of the reviews that had to come before must be verified.
    """
    found = [
        (record.seq, record.incident_id or "", body.fairness)
        for record in quarantines
        for body in [VersionQuarantined.model_validate(record.body)]
        if body.environment == environment and (body.digest == candidate.digest or candidate.shares(body.members))
    ]
    if not found:
        return ReRelease(incidents=(), lacking="")
    last = max(seq for seq, _, _ in found)
    shown: set[str] = set()
    sandboxed = False
    for record in rollouts:
        body = parse_body(record)
        if not isinstance(body, RolloutEnded) or record.seq < last or not body.restored or body.outcome != "done":
            continue
        same = (body.kind, body.candidate_digest, body.environment) == ("sandbox", candidate.digest, environment)
        if same:
            sandboxed = True
            shown |= set(body.signals)
    incidents = tuple(dict.fromkeys(name for _, name, _ in found))
    wanted = {signal for name in incidents for signal in fired.get(name, ())}
    if any(fairness for _, _, fairness in found):
        wanted |= set(detection.of_fairness)
    missing = sorted(wanted - shown)
    lacking = ""
    if not sandboxed:
        lacking = "it was in quarantine, and no sandbox has shown it to be healthy since"
    elif missing:
        lacking = f"it was in quarantine, and no sandbox since has shown that {_spoken(missing)} is healthy"
    required = detection.health.required if detection.health else ()
    if unseen := [signal for signal in missing if signal not in required]:
        lacking += f"; {_spoken(unseen)}: not in `required` of `detection.health`, so no sandbox can show it"
    if waiting := before_re_release(actions(acted), incidents):
        named = ", ".join(f"{one.action_id} ({one.owner_name}, {one.state.replace('_', ' ')})" for one in waiting)
        unverified = f"actions that come before a new release are not verified: {named}"
        lacking = f"{lacking}; {unverified}" if lacking else f"it was in quarantine, and {unverified}"
    return ReRelease(incidents=incidents, lacking=lacking)


def _spoken(signals: Sequence[str]) -> str:
    return ", ".join(signal.replace("_", " ") for signal in signals)


def recorded_way_back(
    candidate_digest: str,
    baseline_digest: str,
    environment: str,
    registered: Sequence[Record],
    intents: Sequence[Record],
) -> tuple[int, ...]:
    """The candidate's shares, in basis points, before and during its last way back here, the largest first; the last
    one, where nobody had it any more, is left out. Empty when there was none.

    registered: records `release.registered`. intents: records `stage.intent` of all incidents, in order.
    """
    releases = set()
    for record in registered:
        body = ReleaseRegistered.model_validate(record.body)
        said = (body.candidate_digest, body.baseline_digest, body.environment)
        if said == (candidate_digest, baseline_digest, environment):
            releases.add(record.release_id)
    own = [record for record in intents if record.release_id in releases]
    last = own[-1].incident_id if own else None
    stages = [StageIntent.model_validate(record.body) for record in own if record.incident_id == last]
    if not stages:
        return ()
    shares = {stages[0].before.split.candidate_bp, *(stage.desired.candidate_bp for stage in stages)}
    return tuple(sorted((share for share in shares if 0 < share <= stages[0].before.split.candidate_bp), reverse=True))
