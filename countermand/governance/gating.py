"""From the verdicts of an incident to one gate, and from the gate to the request that people get (GOV-27, 32, 36)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from countermand.detection.models import CriterionRecord, Verdict, VerdictWord
from countermand.governance.gates import Gate, GateTable, SourceFact
from countermand.governance.investigation import REPORTED
from countermand.governance.working_time import WorkingTime
from countermand.ledger.bodies import GateDecided, VerdictChanged
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy, Playbook, Quorum, Severity

#: Names the version of the gates; it stands in every record of one.
RULES = "gates/2"
#: How a person's report stands among what fired; their words are in the verdict.
REPORT = "a person reported a pattern of unfairness"


class Trust(Value):
    """What the settings say about a source. shares: credentials, exporters and hosts it depends on."""

    authenticated: bool
    shares: tuple[str, ...]


def fired(changes: Sequence[VerdictChanged]) -> tuple[Verdict, ...]:
    """The newest verdict of each trigger that fired, the most severe first; a shadow never acts."""
    newest = {verdict.trigger: verdict for change in changes for verdict in change.verdicts}
    acting = [one for one in newest.values() if one.word is VerdictWord.trigger and not one.shadow]
    return tuple(sorted(acting, key=lambda one: (one.severity, one.trigger)))


def about_fairness(verdict: Verdict, playbook: Playbook) -> bool:
    """Whether one of a trigger's criteria compares groups of people, or is of the family fairness."""
    return any(one.signal in playbook.detection.of_fairness for one in verdict.criteria)


def unfair(changes: Sequence[VerdictChanged], playbook: Playbook) -> tuple[str, ...]:
    """What says that groups of people are treated unequally: fired triggers about fairness, and reports of people."""
    measured = [f"trigger {one.trigger}" for one in fired(changes) if about_fairness(one, playbook)]
    said = [REPORT for one in changes if one.trigger == REPORTED]
    return tuple(dict.fromkeys((*measured, *said)))


def only_unfair(changes: Sequence[VerdictChanged], playbook: Playbook) -> bool:
    """Whether all that fired, and all that people declared, is about fairness."""
    others = [one for one in fired(changes) if not about_fairness(one, playbook)]
    said = [one for one in changes if not one.verdicts and one.trigger != REPORTED]
    return not others and not said


def paused(found: Gate, leading: Severity | None, reported: bool) -> Gate:
    """The gate where a person reported a pattern: it is investigated first, unless serious harm of another kind has
    fired (GOV-32, GOV-36). leading: severity of the trigger whose gate counts; None: none has fired."""
    if not reported or found.act == "investigate" or leading is Severity.sev1:
        return found
    return found.model_copy(update={"act": "investigate", "hold_ramp": True, "because": (REPORT,)})


def source_facts(verdict: Verdict, playbook: Playbook, trust: Mapping[str, Trust]) -> tuple[SourceFact, ...]:
    """The sources behind a trigger's criteria.

    A source is healthy when all its criteria could judge the newest block, and agrees when one of them alone shows
    as much as the trigger needs. A source that `trust` does not know is not authenticated.
    """
    found: dict[str, SourceFact] = {}
    for criterion in verdict.criteria:
        spec = playbook.detection.signals.get(criterion.signal)
        for name in criterion.sources or ((spec.source,) if spec else ()):
            known = trust.get(name)
            before = found.get(name)
            found[name] = SourceFact(
                name=name,
                authenticated=known is not None and known.authenticated,
                healthy=criterion.unknown is None and (before is None or before.healthy),
                agrees=_agrees(criterion, verdict) or (before is not None and before.agrees),
                shares=known.shares if known else (),
            )
    return tuple(found[name] for name in sorted(found))


def one_gate(gates: Sequence[tuple[Verdict, Gate]]) -> tuple[Verdict, Gate]:
    """The gate that counts among those of all fired triggers: the most severe trigger's, of equal ones the one that
    leaves most to people.

    A fairness pause comes before all but serious harm of another kind (GOV-32, GOV-36). Raises ValueError when empty.
    """
    if not gates:
        raise ValueError("no gate was decided; ask people instead")
    paused = [one for one in gates if one[1].act == "investigate"]
    others = [one for one in gates if one[1].act != "investigate"]
    serious = [one for one in others if one[0].severity is Severity.sev1]
    verdict, gate = min(
        serious or paused or others,
        key=lambda one: (
            one[0].severity,
            one[1].act == "automatic",
            -(one[1].people or 0),
            one[1].window or timedelta.max,
        ),
    )
    return verdict, gate.model_copy(update={"hold_ramp": any(one.hold_ramp for _, one in gates)})


def gate_of(body: GateDecided) -> Gate:
    """The gate as it was recorded."""
    return Gate(
        act=body.act,
        people=body.people,
        window=None if body.window_seconds is None else timedelta(seconds=body.window_seconds),
        next_working_window=body.next_working_window,
        hold_ramp=body.hold_ramp,
        because=body.because,
    )


def declared_gate(table: GateTable, severity: Severity) -> Gate:
    """The gate of an incident that people opened: no trigger fired, so people decide."""
    row = table.doubtful[severity]
    return Gate(
        act="ask",
        people=row.people,
        window=row.window,
        next_working_window=row.next_working_window,
        hold_ramp=row.hold_ramp,
        because=("no trigger has fired; people opened this incident",),
    )


def under_hold(gate: Gate, held: Sequence[str]) -> Gate:
    """The gate while evidence has to stay as it is: never automatic, and it says why (GOV-43)."""
    if not held:
        return gate
    because = held if gate.act == "automatic" else (*gate.because, *held)
    return gate.model_copy(update={"act": "ask" if gate.act == "automatic" else gate.act, "because": tuple(because)})


def stricter(policy: ApprovalPolicy, gate: Gate, now: datetime, calendar: WorkingTime) -> ApprovalPolicy:
    """The playbook's policy with the gate's number of people and time limit where those are stricter.

    Rungs at or after the new limit are dropped, and the declared default stands at the limit.
    """
    people = max(policy.quorum.distinct_people, gate.people or 0)
    limit = min(policy.time_limit, gate.window or policy.time_limit)
    if gate.next_working_window:
        limit = min(limit, calendar.next_window(now)[1] - now)
    rungs = [rung for rung in policy.ladder[:-1] if rung.after < limit]
    return policy.model_copy(
        update={
            "quorum": Quorum(roles=policy.quorum.roles, distinct_people=people),
            "ladder": (*rungs, policy.ladder[-1].model_copy(update={"after": limit})),
        }
    )


def _agrees(criterion: CriterionRecord, verdict: Verdict) -> bool:
    if criterion.unknown is not None:
        return False
    needed, shown = verdict.limit_micronats, criterion.micronats
    return criterion.breached is True or (needed is not None and shown is not None and shown >= needed)
