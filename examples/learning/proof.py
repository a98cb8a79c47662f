"""What the example proves at the end, from the records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from countermand.canonical import digest_bytes
from countermand.cli.demo_proof import Proof
from countermand.learning.report import BacktestReport
from countermand.ledger.record import ChainBroken, Kind, Record, verify_chain
from countermand.messages.facts import spoken
from countermand.playbook.model import Playbook

from examples.learning.story import Change

_INCIDENTS, _QUIET_DAYS = 6, 14


@dataclass(frozen=True)
class Changed:
    """A change from its proposal to what came of it. view: the proposal as the API shows it at its end.

    raw: the bytes of the backtest that people signed. verdicts: of the first release that was watched by it.
    """

    change: Change
    view: Mapping[str, Any]
    report: BacktestReport
    raw: bytes
    next_release: str
    verdicts: Sequence[Record]


@dataclass(frozen=True)
class Evidence:
    """`records`: the whole ledger. first: digest of the version that watched the incident."""

    playbook: Playbook
    first: str
    incident_id: str
    records: Sequence[Record]
    changed: tuple[Changed, ...]


def proofs(evidence: Evidence) -> list[Proof]:
    """Every claim of the example, checked."""
    return [
        _taken_back(evidence),
        _reviewed(evidence),
        *(proof for one in evidence.changed for proof in _of(evidence, one)),
        _ledger(evidence),
    ]


def _of(e: Evidence, one: Changed) -> Iterator[Proof]:
    yield _backtest(e, one)
    yield _report(one)
    yield _shadow(one)
    yield _signed(e, one)
    yield _before(e, one)
    yield _next_watch(one)
    yield _compared(one)


def _taken_back(e: Evidence) -> Proof:
    own = [record for record in e.records if record.incident_id == e.incident_id]
    opened = next(record.body for record in own if record.kind is Kind.incident_opened)
    votes = {
        record.body["subject"] for record in own if record.kind is Kind.ask_vote and record.body["vote"] == "approve"
    }
    closed = next((record.body["outcome"] for record in own if record.kind is Kind.incident_closed), "open")
    holds = opened["opened_by"] == "automation" and len(votes) >= 2 and closed == "reverted"
    return Proof("the watch fired, two people took the release back", holds, f"{e.incident_id}: {closed}")


def _reviewed(e: Evidence) -> Proof:
    signed = [record for record in e.records if record.kind is Kind.review_closed]
    actions = [record.body["type"] for record in e.records if record.kind is Kind.action_opened]
    holds = len(signed) == 1 and "detect" in actions
    return Proof("its review was written and signed, with an action", holds, f"actions: {', '.join(actions) or 'none'}")


def _backtest(e: Evidence, one: Changed) -> Proof:
    report = one.report
    days = sum((row.ends - row.begins).total_seconds() for row in report.quiet) / 86_400
    made_up = sum(row.source == "synthetic" for row in report.incidents)
    lived = [row for row in report.incidents if row.incident_id == e.incident_id]
    holds = made_up >= _INCIDENTS and days >= _QUIET_DAYS and len(lived) == 1 and not report.missed
    sentence = f"{made_up} made-up incidents, {days:g} quiet days, and {e.incident_id}; missed: {len(report.missed)}"
    return Proof(f"{one.change.word}: both versions judged the past", holds, sentence)


def _report(one: Changed) -> Proof:
    named = one.view["backtest"]
    holds = digest_bytes(one.raw) == named == one.report.digest
    return Proof(f"{one.change.word}: the stored backtest is the one on record", holds, str(named))


def _shadow(one: Changed) -> Proof:
    fired = sum(change["word"] == "trigger" for change in one.view["shadow"])
    if one.change.shadow_days == 0:
        holds = one.view["change"] == "tightened" and bool(one.change.shadow_because)
        return Proof(f"{one.change.word}: no shadow, because it only makes the watch stricter", holds, "allowed")
    days = one.view["shadow_s"] / 86_400
    return Proof(
        f"{one.change.word}: judged beside live watches", days >= 7 and not fired, f"{days:g} days, fired {fired} times"
    )


def _signed(e: Evidence, one: Changed) -> Proof:
    body = next((r.body for r in _adopted(e) if r.body["digest"] == one.view["proposed_digest"]), {})
    signers = list(body.get("signers", []))
    three = 3 if one.view["change"] == "loosened" else 2
    holds = (
        len(set(signers)) == three
        and one.view["proposed_by"] not in signers
        and body["backtest"] == one.view["backtest"]
    )
    return Proof(f"{one.change.word}: adopted by {three} people", holds, ", ".join(signers) or "nobody")


def _before(e: Evidence, one: Changed) -> Proof:
    """Nothing was in force before the last of them signed."""
    consent = f"{one.view['proposal_id']}-adopt"
    votes = [r.seq for r in e.records if r.kind is Kind.consent_vote and r.body["consent_id"] == consent]
    adopted = [r.seq for r in _adopted(e) if r.body["digest"] == one.view["proposed_digest"]]
    holds = bool(votes and adopted) and max(votes) < min(adopted)
    return Proof(
        f"{one.change.word}: nothing changed before all had signed", holds, f"records {votes} before {adopted}"
    )


def _next_watch(one: Changed) -> Proof:
    """The verdict on record names the tolerance that it judged by. The spike is seen, and nobody is called for it."""
    used = [
        criterion["tolerance"]["ratio"]
        for record in one.verdicts
        for verdict in record.body["verdicts"]
        for criterion in verdict["criteria"]
        if verdict["trigger"] == one.change.trigger and verdict["word"] == "watch" and criterion["lane"] == "main"
    ]
    words = [record.body["word"] for record in one.verdicts]
    holds = bool(used) and set(used) == {one.change.value} and "trigger" not in words
    sentence = f"{one.next_release}: {one.change.trigger} judged by {spoken(sorted(set(used)))}; {', '.join(words)}"
    return Proof(f"{one.change.word}: the next watch used the new limit", holds, sentence)


def _compared(one: Changed) -> Proof:
    compared = one.view["compared"]
    holds = compared is not None and compared["word"] == "inside" and compared["actual_s"] > 0
    return Proof(f"{one.change.word}: compared after 30 days", holds, compared["sentence"] if compared else "not yet")


def _ledger(e: Evidence) -> Proof:
    try:
        count, head = verify_chain(record.line for record in e.records)
    except ChainBroken as broken:
        return Proof("the ledger is unbroken", False, str(broken))
    return Proof("the ledger is unbroken", True, f"{count} records; head {head[:12]}")


def _adopted(e: Evidence) -> list[Record]:
    return [record for record in e.records if record.kind is Kind.threshold_adopted]
