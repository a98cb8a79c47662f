"""What a run did, held against what its scenario expects and forbids (LRN-22): one finding per line, and no grade.

Fails closed: an expectation that cannot be judged has failed, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from countermand.governance.decision import Decision
from countermand.ledger.bodies import DecisionMade, IncidentClosed, IncidentOpened, ObligationClock, parse_body
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value
from countermand.playbook.units import format_duration, format_percent
from countermand.rehearsal.oracle_lines import ExpectedDecision, ExpectedEvent, ExpectedMessage, Forbidden
from countermand.rehearsal.run import Act, Run, person_of
from countermand.rehearsal.scenario import Scenario, ScriptedAct
from countermand.rehearsal.script import ActKind, decision_of, events_of


class Finding(Value):
    """One line of the oracle. `record`: number of the record it rests on, None when it rests on none.

    line: where it stands in the scenario: `forbidden[1]`.
    """

    line: str
    expects: str
    held: bool
    found: str
    record: int | None = None


def findings(run: Run, scenario: Scenario) -> tuple[Finding, ...]:
    """Every line of the oracle with what was found. Raises ValueError when the run is of another scenario."""
    if (run.scenario_id, run.scenario_digest) != (scenario.id, scenario.digest):
        raise ValueError(
            f"the run is of {run.scenario_id!r} {run.scenario_digest!r}; it is judged by {scenario.id!r} "
            f"{scenario.digest!r}, and only the scenario that was played is accepted"
        )
    seen = _Seen(run, scenario)
    return tuple(
        [
            *(seen.decision(index, line) for index, line in enumerate(scenario.expected_decisions)),
            *(seen.event(index, line) for index, line in enumerate(scenario.expected_events)),
            *(seen.forbidden(index, line) for index, line in enumerate(scenario.forbidden)),
            *(seen.obligation(index, row) for index, row in enumerate(scenario.obligations_expected)),
            *(seen.message(index, line) for index, line in enumerate(scenario.communications_expected)),
            *(seen.answer(index, act) for index, act in enumerate(scenario.people) if run.mode == "scripted"),
            seen.outcome(),
        ]
    )


class _Counted(NamedTuple):
    """One act that counted: when, whose and where it stands."""

    at: datetime
    subject: str
    roles: tuple[str, ...]
    kind: str
    record: int | None


class _Seen:
    """The run, looked through once."""

    def __init__(self, run: Run, scenario: Scenario) -> None:
        self._run = run
        self._scenario = scenario
        self._events = [(name, record) for record in run.records for name in events_of(record)]
        self._counted = list(_counted(run, scenario))

    def first(self, event: str) -> Record | None:
        """The first record that says so."""
        return next((record for name, record in self._events if name == event), None)

    def decision(self, index: int, line: ExpectedDecision) -> Finding:
        where = f"expected_decisions[{index}]"
        expects = f"{_plain(line.by)}: {_plain(line.kind.value)}{_within(line.within, line.after)}"
        began = self.first(line.after)
        if began is None:
            return Finding(line=where, expects=expects, held=False, found=f"{_plain(line.after)} never happened")
        mine = [one for one in self._of(line.kind.value, line.by) if one.at >= began.at]
        return _first_in_time(where, expects, [(one.at, one.record) for one in mine], began.at, line.within)

    def event(self, index: int, line: ExpectedEvent) -> Finding:
        where = f"expected_events[{index}]"
        expects = f"{_plain(line.event)}{_within(line.within, line.after or 'the start')}"
        began = self.first(line.after) if line.after else None
        if line.after and began is None:
            return Finding(line=where, expects=expects, held=False, found=f"{_plain(line.after)} never happened")
        start = began.at if began else self._run.started
        found = [(record.at, record.seq) for name, record in self._events if name == line.event and record.at >= start]
        return _first_in_time(where, expects, found, start, line.within)

    def forbidden(self, index: int, line: Forbidden) -> Finding:
        what = next(str(one) for one in (line.act, line.event, line.effect, line.told) if one is not None)
        who = f" by {_plain(line.by)}" if line.act else ""
        kind = {"effect": "on users: ", "told": "told: "}.get(next(k for k in _FORMS if getattr(line, k)), "")
        until = f" before {_plain(line.until)}" if line.until else ""
        expects = f"never {kind}{_plain(what)}{who}{until}"
        where = f"forbidden[{index}]"
        ends = self.first(line.until) if line.until else None
        last = ends.at if ends else self._run.ended
        if blind := self._cannot_tell(line):
            return Finding(line=where, expects=expects, held=False, found=blind)
        broke = min((one for one in self._broken(line) if one[0] < last or ends is None), default=None)
        where = f"forbidden[{index}]"
        if broke is None:
            return Finding(line=where, expects=expects, held=True, found="did not happen")
        at, record, words = broke
        found = f"{words}, {_clock(at - self._run.started)} after the start"
        return Finding(line=where, expects=expects, held=False, found=found, record=record if record >= 0 else None)

    def obligation(self, index: int, row: str) -> Finding:
        clocks = [record for record in self._run.records if record.kind is Kind.obligation_clock]
        started = next((one for one in clocks if _row_of(one) == row), None)
        return Finding(
            line=f"obligations_expected[{index}]",
            expects=f"a clock of {row}",
            held=started is not None,
            found="it runs" if started else "no clock of this row was started",
            record=started.seq if started else None,
        )

    def message(self, index: int, line: ExpectedMessage) -> Finding:
        where = f"communications_expected[{index}]"
        before = f" before {_plain(line.before)}" if line.before else ""
        expects = f"{line.audience.value} told by {_plain(line.step.value)}{_within(line.within, line.after)}{before}"
        sent = [
            (self._run.started + timedelta(seconds=one.at), -1)
            for one in self._run.messages
            if (one.audience, one.step, one.delivered) == (line.audience.value, line.step.value, True)
        ]
        if not sent:
            return Finding(line=where, expects=expects, held=False, found="nobody was reached")
        if line.before is not None:
            limit = self.first(line.before)
            if limit is not None and min(sent)[0] >= limit.at:
                late = f"told {_clock(min(sent)[0] - limit.at)} after it"
                return Finding(line=where, expects=expects, held=False, found=late, record=limit.seq)
        began = self.first(line.after)
        if began is None:
            return Finding(line=where, expects=expects, held=False, found=f"{_plain(line.after)} never happened")
        return _first_in_time(where, expects, sent, began.at, line.within)

    def answer(self, index: int, act: ScriptedAct) -> Finding:
        """How the script's own act was answered."""
        own = [one for one in self._scenario.people if (one.who, one.act) == (act.who, act.act)]
        done = [one for one in self._run.acts if (one.who, one.kind) == (act.who, act.act.value)]
        place = own.index(act)
        expects = f"{act.who}: {_plain(act.act.value)} is {_plain(act.expect)}"
        where = f"people[{index}]"
        if place >= len(done):
            return Finding(line=where, expects=expects, held=False, found="they never got to it")
        got = "accepted" if done[place].accepted else f"refused:{done[place].code}"
        return Finding(line=where, expects=expects, held=got == act.expect, found=_plain(got))

    def outcome(self) -> Finding:
        """How it ended: by the last closing that stands in the Ledger."""
        opened = [one for one in self._run.records if isinstance(parse_body(one), IncidentOpened)]
        closed = [
            (body.outcome, one.seq) for one in self._run.records if isinstance(body := parse_body(one), IncidentClosed)
        ]
        word, record = closed[-1] if closed else ("open" if opened else "no_incident", None)
        return Finding(
            line="expected_outcome",
            expects=f"it ends {_plain(self._scenario.expected_outcome)}",
            held=word == self._scenario.expected_outcome,
            found=f"it ended {_plain(word)}",
            record=record,
        )

    def _of(self, kind: str, by: str) -> Iterator[_Counted]:
        for one in self._counted:
            if one.kind == kind and self._is(one, by):
                yield one

    def _is(self, one: _Counted, by: str) -> bool:
        person = person_of(one.subject)
        match by:
            case "anybody":
                return True
            case "requester":
                return person == self._scenario.requester
            case "automation":
                return person == "automation"
            case _:
                return person == by or by in one.roles

    def _cannot_tell(self, line: Forbidden) -> str:
        """Why it cannot be said that this did not happen; empty when it can."""
        if not self._run.records:
            return "the sandbox left no records, so nothing can be said"
        applied = any(name == "outcome_applied" for name, _ in self._events)
        if line.effect is not None and applied and not self._run.effects:
            return "stages took effect on record, and the target's own log is empty"
        return ""

    def _broken(self, line: Forbidden) -> Iterator[tuple[datetime, int, str]]:
        """When a forbidden thing happened, at which record (-1: none), in words."""
        if line.act is not None:
            for one in self._of(line.act.value, line.by):
                record = -1 if one.record is None else one.record
                yield one.at, record, f"{person_of(one.subject)} did it and it counted"
        if line.event is not None:
            yield from ((record.at, record.seq, "it happened") for name, record in self._events if name == line.event)
        if line.effect is not None:
            share: dict[str, int] = {}
            for seen in self._run.effects:
                before = share.get(seen.member, self._scenario.world.exposure)
                share[seen.member] = seen.candidate_bp
                moved = (seen.candidate_bp > before, seen.candidate_bp < before)
                at = self._run.started + timedelta(seconds=seen.at)
                # What somebody outside does is the world's, not the product's.
                if seen.result != "external" and moved in _MOVES[line.effect]:
                    shares = f"{format_percent(before)} to {format_percent(seen.candidate_bp)}"
                    yield at, -1, f"{seen.member} went from {shares}"
        if line.told is not None:
            for message in self._run.messages:
                if message.audience == line.told.value and message.delivered:
                    at = self._run.started + timedelta(seconds=message.at)
                    yield at, -1, f"{message.to} was told by {message.channel}"


_FORMS = ("act", "event", "effect", "told")
_MOVES = {
    "promote": {(True, False)},
    "revert": {(False, True)},
    "any": {(True, False), (False, True)},
}


def _counted(run: Run, scenario: Scenario) -> Iterator[_Counted]:
    """Acts that counted: signed decisions that were not refused, and acts without one that were accepted."""
    decided = [
        (record, body.decision) for record in run.records if isinstance(body := parse_body(record), DecisionMade)
    ]
    signed = {(person_of(decision.actor.subject), decision.kind.value) for _, decision in decided}
    refused = _refused(run)
    for record, decision in decided:
        if _key(record, decision) not in refused:
            actor = decision.actor
            yield _Counted(record.at, actor.subject, actor.roles, _act_name(decision), record.seq)
    for act in run.acts:
        if act.accepted and (act.who, _decision_name(act)) not in signed:
            at = run.started + timedelta(seconds=act.at)
            yield _Counted(at, act.who, scenario.roles_of(act.who), act.kind, None)


def _refused(run: Run) -> set[tuple[str, str, int]]:
    """Signed decisions that a workflow refused: the newest one of the same person and kind before the refusal."""
    newest: dict[tuple[str, str], int] = {}
    found = set()
    # A vote or another effect names its decision: a second try that is refused does not undo the first.
    counted = {record.body.get("decision_id") for record in run.records}
    for record in run.records:
        if record.kind is Kind.decision and isinstance(body := parse_body(record), DecisionMade):
            if body.decision.decision_id in counted:
                continue
            newest[body.decision.actor.subject, body.decision.kind.value] = record.seq
        elif record.kind is Kind.decision_refused:
            key = (record.body["subject"], record.body["decision_kind"])
            if key in newest:
                found.add((*key, newest.pop(key)))
    return found


def _key(record: Record, decision: Decision) -> tuple[str, str, int]:
    return decision.actor.subject, decision.kind.value, record.seq


#: Acts of one signed kind are told apart by what they carry.
_OBLIGATION_ACTS = {"fact": "record_fact", "anchor": "record_anchor", "file": "file_report"}


def _act_name(decision: Decision) -> str:
    match decision.kind.value:
        case "keep_obligation":
            return _OBLIGATION_ACTS.get(decision.terms.get("act", ""), "keep_obligation")
        case "declare" if decision.terms.get("mode") == "propose":
            return "propose"
        case "decide_finding":
            return "finding"
        case kind:
            return kind


def _decision_name(act: Act) -> str:
    return decision_of(ActKind(act.kind)) if act.kind in tuple(ActKind) else act.kind


def _first_in_time(
    where: str, expects: str, found: Sequence[tuple[datetime, int | None]], start: datetime, within: timedelta | None
) -> Finding:
    """The first of these, held against a time limit. Records below 0 are none."""
    if not found:
        return Finding(line=where, expects=expects, held=False, found="did not happen")
    at, record = min(found, key=lambda one: one[0])
    held = within is None or at - start <= within
    words = f"after {_clock(at - start)}" + ("" if held else f", {_clock(at - start - (within or at - at))} too late")
    return Finding(
        line=where,
        expects=expects,
        held=held,
        found=words,
        record=record if record is not None and record >= 0 else None,
    )


def _row_of(record: Record) -> str:
    body = parse_body(record)
    return body.row_id if isinstance(body, ObligationClock) else ""


def _within(within: timedelta | None, after: str) -> str:
    return f" within {format_duration(within)} of {_plain(after)}" if within is not None else ""


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _clock(span: timedelta) -> str:
    """`4 min 05 s`."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
