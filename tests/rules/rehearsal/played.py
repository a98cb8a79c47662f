"""A run of the scenario about an attack, played as it should be, and ways to change it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger.bodies import AskAcknowledged, Body, DecisionMade, GateDecided, IncidentClosed, IncidentOpened
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from countermand.playbook.load import parse
from countermand.playbook.model import Playbook
from countermand.rehearsal.loading import load_scenario
from countermand.rehearsal.run import Act, Delivery, Run, subject_of
from countermand.rehearsal.scenario import Scenario
from tests.rules.governance.asking import an_ask
from tests.rules.governance.test_proof import records as asked

ROOT = Path(__file__).parents[3]
BEGIN = datetime(2026, 3, 1, 19, 30, tzinfo=UTC)
DIGEST = "sha256:" + "0" * 64


@cache
def scenario(name: str = "injection-campaign") -> Scenario:
    return load_scenario(ROOT / "rehearsals" / f"{name}.yaml")


@cache
def playbook(name: str = "conversational-agent") -> Playbook:
    return parse((ROOT / "playbooks" / f"{name}.yaml").read_bytes())


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def written(body: Body, minutes: float, number: int) -> Record:
    entry = body.entry(f"k-{number}", "worker", incident_id="inc-1")
    entry = entry.model_copy(update={"private": {}})
    return parse_line(build_line(entry, seq=number, prev=GENESIS_PREV, at=at(minutes)))


def decided(who: str, kind: DecisionKind, roles: tuple[str, ...]) -> DecisionMade:
    actor = Actor(
        subject=subject_of(who), printed_name=who, principal="person", roles=roles, role_source="fake", role_as_of=BEGIN
    )
    return DecisionMade(
        decision=Decision(
            decision_id=f"d-{who}-{kind}", kind=kind, addressed_to="w", incident_id="inc-1", ask_id="ask-1",
            approval_digest=DIGEST, reason="read it all", actor=actor, channel="web", acr="local", view_sha256=None,
            decided_at=BEGIN, gateway_key_id="k",
        )
    )  # fmt: skip


def opened() -> IncidentOpened:
    return IncidentOpened(
        workflow_id="w", environment="sandbox", service="chat-assistant", candidate_name="v2", baseline_name="v1",
        severity="sev1", trigger="harm", sentence="more than tolerated", evidence_digest=DIGEST, opened_by="watch",
        ends_by=at(999),
    )  # fmt: skip


def gate(act: str = "ask", *, clear: bool = False) -> GateDecided:
    return GateDecided(
        plan_digest=DIGEST, act=act, clear=clear, triggers=("harm",), people=2, window_seconds=900,
        next_working_window=False, hold_ramp=True, because=(), authorisation_id=None, facts_sha256=DIGEST, rules="g/1",
    )  # fmt: skip


def rejected_after(minutes: float) -> tuple[Record, ...]:
    """The Ledger of a run in which the safety lead rejects so long after the request."""
    ask_opened = asked(an_ask())[0]
    request = ask_opened.model_copy(update={"at": at(6), "seq": 2})
    looking = AskAcknowledged(ask_id="ask-1", subject=subject_of("ines"), name="ines", channel="web")
    return (
        written(opened(), 4, 0),
        written(gate(), 5, 1),
        request,
        written(looking, 7, 3),
        written(decided("sam", DecisionKind.reject, ("safety_lead",)), 6 + minutes, 4),
        written(IncidentClosed(outcome="rejected", sentence="rejected"), 7 + minutes, 5),
    )


def acts() -> tuple[Act, ...]:
    return (
        Act(at=420, who="ines", kind="acknowledge", accepted=True),
        Act(at=840, who="sam", kind="reject", accepted=True),
    )


def told(**changes: Any) -> Delivery:
    given = {"at": 900.0, "channel": "slack", "audience": "operator", "step": "approval_decided", "to": "omar"}
    return Delivery(**({"delivered": True, "attempt": 1} | given | changes))


def run(**changes: Any) -> Run:
    """The run as it should be, with changes."""
    story = scenario()
    given: dict[str, Any] = {
        "scenario_id": story.id, "scenario_digest": story.digest, "playbook_digest": DIGEST,
        "rendition_digest": DIGEST, "seed": 4, "mode": "scripted", "time_scale": 20, "started": BEGIN, "ended": at(30),
        "ledger_head": "0" * 64, "records": rejected_after(8), "acts": acts(), "messages": (told(),),
    }  # fmt: skip
    return Run(**(given | changes))
