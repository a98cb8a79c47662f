"""The ledger of one whole rollback and what the demo service would say about it, told record by record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from countermand.canonical import instant
from countermand.detection.models import Arm, WatchVerdict
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger import bodies as b
from countermand.ledger.record import GENESIS_PREV, Entry, Record, build_line, line_hash, parse_line
from countermand.plan.build import Found, build_plan
from countermand.plan.model import Plan
from countermand.plan.target import Capabilities, Preflight, Split, TargetState
from countermand.playbook.model import Severity, Step
from tests import cases
from tests.verdicts import triggered

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
INCIDENT, ASK, RELEASE = "inc-1", "inc-1-ask-1", "test-bot-v7"
PLAYBOOK = cases.playbook()
STEPS = (
    *(Step.incident_opened, Step.approval_asked, Step.approval_decided, Step.stage_completed),
    *(Step.reverted, Step.all_clear, Step.review_drafted),
)


def state(candidate_bp: int, revision: int) -> TargetState:
    return TargetState(
        split=Split.candidate(candidate_bp),
        revision=str(revision),
        idempotency_key=None,
        fence=0,
        read_at=BEGIN,
        raw_sha256="sha256:raw",
    )


def plan() -> Plan:
    return build_plan(
        incident_id=INCIDENT,
        release=cases.release(),
        playbook=PLAYBOOK,
        governance_digest="sha256:governance",
        severity=Severity.sev2,
        found=[
            Found(
                state=state(5_000, 1),
                preflight=Preflight(ready=True, problems=(), destination_digest="sha256:x", write_permitted=True),
                capabilities=Capabilities(
                    kind="split",
                    granularity_bp=1,
                    compare_and_swap="native",
                    durable=True,
                    stores_fence=True,
                    observes="counters",
                    dry_run="server",
                ),
            )
        ],
    )


class Told:
    """Records second by second; `history` and `observed` are the service's own side of it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.plan = plan()
        self.history: list[dict[str, Any]] = []
        self.move(5_000, None)

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=len(self.lines))

    @property
    def records(self) -> list[Record]:
        return [parse_line(line) for line in self.lines]

    @property
    def observed(self) -> dict[str, Any]:
        users = {"candidate_users": 0, "baseline_users": 300, "requests": 900, "errors": 0}
        return users | {"generation": len(self.history)}

    def move(self, candidate_bp: int, key: str | None) -> None:
        """The service changes its split."""
        generation = len(self.history) + 1
        changed = {"changed_at": instant(self.now), "idempotency_key": key, "fence": generation}
        self.history.append({"generation": generation, "candidate_bp": candidate_bp, **changed})

    def add(self, body: b.Body) -> None:
        entry: Entry = body.entry(f"key/{len(self.lines)}", "worker", incident_id=INCIDENT, release_id=RELEASE)
        prev = line_hash(self.lines[-1]) if self.lines else GENESIS_PREV
        self.lines.append(build_line(entry, seq=len(self.lines), prev=prev, at=self.now))

    def all(self) -> Told:
        """From the incident to the review draft."""
        self.opened()
        self.asked()
        for subject in (cases.MARIA, cases.JONAS):
            self.voted(subject)
        self.decided()
        for number in range(1, len(self.plan.stages) + 1):
            self.stage(number)
        self.ended()
        return self

    def opened(self) -> None:
        verdict: WatchVerdict = triggered(PLAYBOOK.detection, {Arm.candidate: 40, Arm.baseline: 2}, scored=100)
        record = b.VerdictChanged.of("watch", verdict)
        case = {"environment": "test", "service": "test-bot", "severity": "sev2", "trigger": "truth"}
        names = {"candidate_name": "test-bot v7", "baseline_name": "test-bot v6", "opened_by": "automation"}
        self.add(
            b.IncidentOpened(
                **case,
                **names,
                workflow_id="incident",
                sentence=record.sentence,
                evidence_digest=record.evidence_digest,
                ends_by=BEGIN + timedelta(days=1),
            )
        )
        self.add(record)
        self.add(b.FreezeCompleted(inventory_sha256="sha256:inventory", items=()))

    def asked(self) -> None:
        self.add(b.PlanMade(plan_digest=self.plan.digest, plan=self.plan.model_dump(mode="json")))
        self.add(
            b.AskOpened(
                ask_id=ASK,
                workflow_id="approval",
                plan_digest=self.plan.digest,
                evidence_digest="sha256:evidence",
                approval_digest="sha256:approval",
                requester="automation",
                excluded=(cases.LENA,),
                need_roles=("safety_lead", "release_owner"),
                need_people=2,
                asked=("Maria Keller", "Jonas Weber"),
                opened_at=self.now,
                expires_at=self.now + timedelta(minutes=10),
                default="hold",
                ladder=(),
                governance_digest="sha256:governance",
                rules="approval/1",
                supersedes=None,
            )
        )

    def voted(self, subject: str, *, view: str | None = "sha256:view") -> None:
        have = sum('"kind":"ask.vote"' in line for line in self.lines) + 1
        decision = Decision(
            decision_id=f"decision-{have}",
            kind=DecisionKind.approve,
            addressed_to="approval",
            incident_id=INCIDENT,
            ask_id=ASK,
            approval_digest="sha256:approval",
            reason="I read the evidence.",
            actor=Actor(
                subject=subject,
                printed_name=subject.removeprefix("local|").title(),
                principal="person",
                roles=("safety_lead",),
                role_source="file",
                role_as_of=self.now,
            ),
            channel="api",
            acr="local",
            view_sha256=view,
            decided_at=self.now,
            gateway_key_id="key",
            signature="c2lnbmVk",
        )
        self.add(b.DecisionMade(decision=decision.bind(lambda: bytes(32))))
        self.add(
            b.AskVote(
                ask_id=ASK,
                decision_id=decision.decision_id,
                vote="approve",
                subject=subject,
                name=decision.actor.printed_name,
                roles=decision.actor.roles,
                reason=decision.reason,
                channel="api",
                have=have,
                need=2,
                missing=(),
            )
        )

    def decided(self, status: str = "approved") -> None:
        self.add(b.AskClosed(ask_id=ASK, status=status, because="two people agreed", have=2, need=2))

    def stage(self, number: int) -> None:
        planned, key = self.plan.stages[number - 1], f"revert/1/stage/{number}"
        share = planned.desired.candidate_bp
        before = state(int(self.history[-1]["candidate_bp"]), number)
        at = {"revert": 1, "stage": number}
        self.add(b.StageState(**at, state="started", sentence="going back"))
        self.add(
            b.StageIntent(
                **at, desired=planned.desired, before=before, key=key, fence=number, plan_digest=self.plan.digest
            )
        )
        self.move(share, key)
        after = state(share, number + 1)
        self.add(
            b.StageOutcome(**at, result="applied", by="our_key", recovered=False, after=after, sentence="read back")
        )
        for name in ("configured", "observed"):
            self.add(b.CheckDone(**at, phase="traffic", name=name, word="pass", sentence="as asked"))
        self.add(b.StageState(**at, state="completed", sentence="done"))

    def ended(self) -> None:
        self.add(
            b.CheckDone(
                revert=1, stage=0, phase="verification", name="hallucinations", word="pass", sentence="2 of 400 bad"
            )
        )
        self.add(b.IncidentClosed(outcome="reverted", sentence="Rolled back and shown to be healthy."))
        for step in STEPS:
            for audience in PLAYBOOK.audiences(step):
                self.told(step.value, audience.value)
        self.add(
            b.ReviewDrafted(
                review_id="review",
                workflow_id="review",
                draft_sha256="sha256:draft",
                owner="release_owner",
                due=BEGIN + timedelta(days=5),
            )
        )

    def told(self, step: str, audience: str) -> None:
        self.add(
            b.CommsSent(
                step=step,
                audience=audience,
                key=f"{step}/{audience}",
                subject="subject",
                text_sha256="sha256:text",
                channel="outbox",
                facts_sha256="sha256:facts",
            )
        )
