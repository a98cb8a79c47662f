"""A run as numbers with their evidence; there is no single grade, and nobody is ranked (LRN-23)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from countermand.ledger.bodies import (
    AskAcknowledged,
    AskOpened,
    AskVote,
    CheckDone,
    ObligationClock,
    StageState,
    parse_body,
)
from countermand.ledger.record import Kind
from countermand.plan.target import Value
from countermand.playbook.model import Playbook
from countermand.rehearsal.oracle import Finding, findings
from countermand.rehearsal.run import Delivery, Run, person_of
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.script import events_of

#: Answers of people or of the ladder that end a request.
_DECIDED = ("ask_approved", "ask_rejected", "ask_withdrawn", "default_taken", "gate_automatic", "glass_broken")
_DEVIATIONS = ("held", "stopped", "aborted", "reversed", "partial", "compensated")


class Span(Value):
    """Time from one thing to another, in seconds of people's time; None: one of the two never happened."""

    name: str
    seconds: float | None


class Reached(Value):
    """One person or place that a message was for. seconds: from the incident to the try; `tries` that failed count."""

    to: str
    audience: str
    channel: str
    tries: int
    seconds: float | None
    acknowledged: bool


class Score(Value):
    """Every number of one run. quorum_missing: what no two people on shift could have given; empty when attainable."""

    scenario_id: str
    held: int
    failed: int
    findings: tuple[Finding, ...]
    spans: tuple[Span, ...]
    told: tuple[Span, ...]
    reached: tuple[Reached, ...]
    not_reached: tuple[Reached, ...]
    quorum_missing: tuple[str, ...]
    forbidden_tried: tuple[str, ...]
    deviations: tuple[str, ...]
    clocks_started: tuple[str, ...]
    clocks_missed: tuple[str, ...]
    messages_corrected: int
    messages_failed: int
    pack_word: str | None

    @property
    def passed(self) -> bool:
        """Whether every line of the oracle held."""
        return self.failed == 0


def score(run: Run, scenario: Scenario, playbook: Playbook) -> Score:
    """The numbers of a run. Raises ValueError when the run is of another scenario."""
    judged = findings(run, scenario)
    started = {row for record in run.records if (row := _row(parse_body(record)))}
    return Score(
        scenario_id=run.scenario_id,
        held=sum(one.held for one in judged),
        failed=sum(not one.held for one in judged),
        findings=judged,
        spans=_spans(run, scenario),
        told=_told(run),
        reached=tuple(one for one in _reached(run) if one.seconds is not None),
        not_reached=tuple(one for one in _reached(run) if one.seconds is None),
        quorum_missing=_quorum_missing(scenario, playbook),
        forbidden_tried=tuple(_tried(run, scenario)),
        deviations=tuple(_deviations(run)),
        clocks_started=tuple(sorted(started)),
        clocks_missed=tuple(row for row in scenario.obligations_expected if row not in started),
        messages_corrected=sum(record.kind is Kind.comms_corrected for record in run.records),
        messages_failed=sum(record.kind is Kind.comms_failed for record in run.records),
        pack_word=run.pack_word,
    )


def milestones(run: Run, scenario: Scenario) -> dict[str, float | None]:
    """When the turning points were, in seconds from the start; None for what never happened."""
    at: dict[str, float] = {}
    for record in run.records:
        for event in events_of(record):
            at.setdefault(event, run.offset(record.at))
    looked = [
        run.offset(record.at)
        for record in run.records
        if isinstance(parse_body(record), AskAcknowledged | AskVote) and record.at >= run.started
    ]
    harms = [harm.from_.total_seconds() for harm in scenario.world.signals]
    moved = [seen.at for seen in run.effects if seen.result == "applied"]
    return {
        "harm": min(harms, default=None),
        "detected": at.get("incident_opened"),
        "asked": at.get("ask_opened"),
        "seen": min(looked, default=None),
        "decided": min((at[event] for event in _DECIDED if event in at), default=None),
        "first_effect": min(moved, default=None),
        "all_clear": at.get("all_clear"),
    }


def _spans(run: Run, scenario: Scenario) -> tuple[Span, ...]:
    points = milestones(run, scenario)
    pairs = zip(points, list(points)[1:], strict=False)
    return tuple(Span(name=f"{a} to {b}", seconds=_between(points[a], points[b])) for a, b in pairs)


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _told(run: Run) -> tuple[Span, ...]:
    """From the incident to the first message that reached each audience."""
    opened = _opened(run)
    audiences = dict.fromkeys(message.audience for message in run.messages)
    first = {
        audience: min((m.at for m in run.messages if m.audience == audience and m.delivered), default=None)
        for audience in audiences
    }
    return tuple(Span(name=audience, seconds=_between(opened, at)) for audience, at in sorted(first.items()))


def _reached(run: Run) -> list[Reached]:
    opened = _opened(run) or 0.0
    looked = {
        person_of(body.subject)
        for record in run.records
        if isinstance(body := parse_body(record), AskAcknowledged | AskVote)
    }
    groups: dict[tuple[str, str, str], list[Delivery]] = {}
    for message in run.messages:
        groups.setdefault((message.to, message.audience, message.channel), []).append(message)
    return [
        Reached(
            to=to,
            audience=audience,
            channel=channel,
            tries=max(one.attempt for one in tries),
            seconds=min((one.at - opened for one in tries if one.delivered), default=None),
            acknowledged=person_of(to) in looked,
        )
        for (to, audience, channel), tries in sorted(groups.items())
    ]


def _opened(run: Run) -> float | None:
    return next((run.offset(one.at) for one in run.records if one.kind is Kind.incident_opened), None)


def _quorum_missing(scenario: Scenario, playbook: Playbook) -> tuple[str, ...]:
    """What is missing for the quorum when everybody on shift agrees, without who asked and with who lost a role."""
    lost = {(change.person, change.role) for change in scenario.world.directory if change.do == "remove"}
    silent = {change.role for change in scenario.world.directory if change.do == "silent"}
    roles = {
        person: frozenset(
            role for role in scenario.roles_of(person) if role not in silent and (person, role) not in lost
        )
        for person in scenario.persons
        if person != scenario.requester
    }
    quorum = playbook.policy(scenario.severity).quorum
    missing = [
        f"{slot.min} {slot.role.replace('_', ' ')}"
        for slot in quorum.roles
        if sum(slot.role in held for held in roles.values()) < slot.min
    ]
    able = [person for person, held in roles.items() if held & {slot.role for slot in quorum.roles}]
    if len(able) < quorum.distinct_people:
        missing.append(f"{quorum.distinct_people} different people (there are {len(able)})")
    return tuple(missing)


def _tried(run: Run, scenario: Scenario) -> Iterable[str]:
    """Forbidden acts that somebody tried, whether they counted or not."""
    for line in scenario.forbidden:
        for act in run.acts:
            whose = {"anybody": True, "requester": act.who == scenario.requester, "automation": act.who == "automation"}
            mine = whose.get(line.by, act.who == line.by or line.by in scenario.roles_of(act.who))
            if line.act is not None and act.kind == line.act.value and mine:
                answer = "it counted" if act.accepted else f"refused: {act.code.replace('_', ' ')}"
                yield f"{act.who}: {act.kind.replace('_', ' ')}, {answer}"


def _deviations(run: Run) -> Iterable[str]:
    """Where the way back did not go as planned."""
    for record in run.records:
        match parse_body(record):
            case StageState(state=state, stage=stage) if state in _DEVIATIONS:
                yield f"stage {stage} {state} (record {record.seq})"
            case CheckDone(word=word, name=name) if word != "pass":
                yield f"check {name.replace('_', ' ')}: {word} (record {record.seq})"
            case AskOpened(supersedes=str() as before):
                yield f"people were asked anew in place of {before} (record {record.seq})"
            case _:
                continue


def _row(body: object) -> str:
    return body.row_id if isinstance(body, ObligationClock) else ""


def seconds_in_words(seconds: float | None) -> str:
    """`1 min 05 s`, or `never`."""
    if seconds is None:
        return "never"
    minutes, rest = divmod(abs(round(timedelta(seconds=seconds).total_seconds())), 60)
    sign = "-" if seconds <= -0.5 else ""
    return sign + (f"{minutes} min {rest:02} s" if minutes else f"{rest} s")
