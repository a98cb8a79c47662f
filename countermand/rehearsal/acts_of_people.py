"""What real people did in a run, as the sandbox's Ledger has it: nobody else is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from countermand.ledger.bodies import AskAcknowledged, DecisionMade, DecisionRefused, parse_body
from countermand.ledger.record import Record
from countermand.rehearsal.run import Act, person_of
from countermand.rehearsal.script import ActKind

#: Acts under the name of their decision; about clocks, the decision alone does not say which of three it was.
_NAMES = {"decide_finding": ActKind.finding.value, "keep_obligation": ActKind.record_fact.value}


def acts_of_people(records: Iterable[Record], story: Callable[[datetime], float]) -> Iterator[Act]:
    """Every act in the order of its record; story: which second of the story an instant was."""
    for record in records:
        match parse_body(record):
            case DecisionMade(decision=decision):
                who, kind, code = decision.actor.subject, decision.kind.value, ""
            case AskAcknowledged() as looked:
                who, kind, code = looked.subject, ActKind.acknowledge.value, ""
            case DecisionRefused() as refused:
                who, kind, code = refused.subject, refused.decision_kind, refused.code
            case _:
                continue
        name = _NAMES.get(kind, kind)
        if name in set(ActKind):
            yield Act(at=max(story(record.at), 0.0), who=person_of(who), kind=name, accepted=not code, code=code)
