"""A real console on SQLite: one release with labelled outputs, told up to the moment a test wants to look at.

Records are made from the bodies the workflows use, at instants before `BASE`; then time goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from activities.adopting import Adoptions
from activities.keeping import KeepingActivities, KeepRequest
from activities.ports import Message
from activities.review_keeping import KeepReview, ReviewKeepingActivities
from activities.signal_ports import Batch, LabelledOutput
from activities.watching import evaluation_of
from adapters.accounts import Accounts
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.erasure import SqlErasure
from adapters.ledger import SqlLedger
from adapters.migrate import upgrade
from adapters.outbox import Outbox
from adapters.security_keys import SecurityKeys
from adapters.settings import Settings
from adapters.shown import ShownViews
from adapters.signals import SqlSignals
from adapters.step_ups import SqlStepUps, site
from adapters.templates import JinjaRenderer
from adapters.webhook_deliveries import WebhookDeliveries
from console.decide import VOTES, Gate
from console.deps import Console
from console.temporal import OutcomeUnknown
from countermand import ids
from countermand.canonical import digest, digest_bytes
from countermand.detection.evaluator import Evaluator
from countermand.detection.models import Arm, VerdictWord, WatchVerdict
from countermand.governance import approval as rules
from countermand.governance.approval import ApprovalState, Ask
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused, SignatureClass
from countermand.learning.proposal import Proposal
from countermand.ledger import bodies as b
from countermand.messages.facts import facts
from countermand.messages.incident import incident
from countermand.messages.review import review_facts
from countermand.plan.build import Found, build_plan
from countermand.plan.model import Plan, Release
from countermand.plan.target import Preflight, Split, TargetState
from countermand.playbook.model import Quorum, Step
from tests import cases
from tests.console.consenting import Consenting
from tests.console.starting import Starting
from tests.console.thresholding import Thresholding
from tests.fakes import FakeAdoptionKey, FakeDuties, FakeKeys, FakePeople, FakeTarget
from tests.payloads import codec
from tests.vaults import vault
from workflows.cadence_run import CadenceInput
from workflows.consent import ConsentInput
from workflows.decisions import Answer
from workflows.incident_steps import Case
from workflows.release_rollout import RolloutInput
from workflows.release_watch import WatchInput

ROOT = Path(__file__).parents[2]
#: The instant at which every told story stops and time starts to run.
BASE = datetime(2026, 11, 20, 3, 14, 20, tzinfo=UTC)
BLOCK = timedelta(seconds=2)
BLOCKS = 170
WORSE_FROM = 95
SILENT = range(40, 47)
PASSWORD = "correct horse battery"
RELEASE = "support-assistant-v7"
INCIDENT = ids.incident_id("production", "support-assistant", RELEASE, 1)
WORKFLOW = ids.incident_workflow("production", "support-assistant", RELEASE)
_RATES = {"hallucinations": (0.03, 0.1), "moderation_failures": (0.004, 0.006), "refusals": (0.02, 0.02)}


class Clock:
    """Stands still where a story puts it, then runs on from `BASE`."""

    def __init__(self) -> None:
        self._at: datetime | None = BASE
        self._started = 0.0

    def __call__(self) -> datetime:
        if self._at is not None:
            return self._at
        return BASE + timedelta(seconds=time.monotonic() - self._started)

    def set(self, at: datetime) -> None:
        self._at = at

    def run(self) -> None:
        self._at, self._started = None, time.monotonic()


def release() -> Release:
    parts = {"release_id": RELEASE, "environment": "production", "service": "support-assistant"}
    changed = {"index": digest("index 2"), "decoding": digest("decoding 2")}
    same = {part: digest(f"{part} 1") for part in ("model", "prompt", "guardrail", "harness", "training_data")}
    before = {"index": digest("index 1"), "decoding": digest("decoding 1")}
    return Release(
        **parts,
        candidate=cases.bundle("support-assistant v7", **same, **changed),
        baseline=cases.bundle("support-assistant v6", **same, **before),
        playbook_digest=digest_bytes(playbook_bytes()),
        registered_by="local|deployer",
        owner=cases.JONAS,
    )


@cache
def renderer() -> JinjaRenderer:
    """Made once: it compiles every template."""
    return JinjaRenderer(ROOT / "templates")


def playbook_bytes() -> bytes:
    return (ROOT / "examples/demo/playbook.yaml").read_bytes()


async def make_template(path: Path) -> WatchVerdict:
    """A database with accounts, the release, its sealed rows and their judgements; the verdict that triggered."""
    url = f"sqlite+aiosqlite:///{path}"
    upgrade(url)
    db = Database(url)
    clock = Clock()
    start = BASE - BLOCKS * BLOCK - timedelta(seconds=1)
    accounts, catalogue, signals = Accounts(db, clock), SqlCatalogue(db), SqlSignals(db)
    for person in cases.governance().people:
        await accounts.add(person.subject, person.name, PASSWORD)
    playbook_digest = await catalogue.put_playbook(playbook_bytes())
    await catalogue.put_release(release(), start)
    random = Random(7)  # noqa: S311  # reproducible traffic
    items = list(_outputs(random, start))
    for i in range(0, len(items), 2_000):
        batch = Batch(batch_id=f"batch-{i}", body_sha256=f"{i}", items=tuple(items[i : i + 2_000]))
        await signals.add("judge", batch, BASE, may=lambda _release, _environment: True)
    detection = (await catalogue.playbook(playbook_digest)).detection
    rows = await signals.seal(RELEASE, signals=detection.signals, start=start, block=BLOCK, until=BASE)
    evaluator, first = Evaluator(detection), None
    judged = {}
    for row in rows:
        verdict = evaluator.judge(row)
        judged[row.seq] = evaluation_of(verdict, row)
        if first is None and verdict.word is VerdictWord.trigger:
            first = verdict
    await signals.put_evaluations(RELEASE, judged)
    await db.close()
    assert first is not None, "the traffic of the template has to trigger"
    return first


def _outputs(random: Random, start: datetime) -> list[LabelledOutput]:
    outputs = []
    for block in range(BLOCKS):
        for arm in Arm:
            if block in SILENT and arm is Arm.baseline:
                continue
            for number in range(random.randint(18, 26)):
                at = start + block * BLOCK + timedelta(milliseconds=random.randint(0, 1999))
                for signal, (usual, worse) in _RATES.items():
                    bad = worse if arm is Arm.candidate and block >= WORSE_FROM else usual
                    outputs.append(
                        LabelledOutput(
                            observation_id=f"{block}/{arm.value}/{number}/{signal}",
                            release_id=RELEASE,
                            arm=arm,
                            signal=signal,
                            event_time=at,
                            outcome="bad" if random.random() < bad else "ok",
                        )
                    )
    return outputs


@dataclass
class FakeWorkflows:
    """Judges decisions by the real rules and writes the records a workflow would write; implements Workflows."""

    story: Story
    commands: list[Decision] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    polling: list[str] = field(default_factory=list)
    rollouts: list[RolloutInput] = field(default_factory=list)
    retention_runs: list[str] = field(default_factory=list)
    duties_begun: list[CadenceInput] = field(default_factory=list)
    scheduled: timedelta | None = None
    dark: bool = False
    duties: FakeDuties = field(default_factory=FakeDuties)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.consents = Consenting(self.story.ledger, self.story.clock)
        self.starting = Starting(self.story.ledger, self.story.people, self.story.clock)
        story = self.story
        self.thresholds = Thresholding(story.ledger, story.catalogue, story.people, story.clock)

    async def start_duty(self, request: CadenceInput, word: str) -> None:
        self.duties_begun.append(request)

    async def start_watch(self, watch: WatchInput) -> None:
        raise AssertionError("no page starts a watch")

    async def start_correction(self, correction_id: str) -> None:
        if self.dark:
            raise OutcomeUnknown("the service does not answer")
        self.corrections.append(correction_id)

    async def start_standing(self, authorisation_id: str, asked: ConsentInput) -> None:
        if self.dark:
            raise OutcomeUnknown("the service does not answer")
        await self.consents.start(asked)

    async def start_allowing(self, asked: ConsentInput) -> None:
        if self.dark:
            raise OutcomeUnknown("the service does not answer")
        await self.consents.start(asked)

    async def start_releasing(self, asked: ConsentInput) -> None:
        await self.start_allowing(asked)

    async def run_retention(self, approver: str) -> None:
        self.retention_runs.append(approver)

    async def start_adopting(self, asked: ConsentInput) -> None:
        await self.consents.start(asked)

    async def start_threshold(self, proposal: Proposal) -> None:
        await self.thresholds.start(proposal)

    async def start_rollout(self, release: Release, rollout: RolloutInput) -> Answer:
        self.rollouts.append(rollout)
        return Answer(status="waiting", sentence="A person has to start it.")

    async def schedule_sandbox(self, release: Release, every: timedelta) -> None:
        if self.dark:
            raise OutcomeUnknown("the service does not answer")
        self.scheduled = every

    async def unschedule_sandbox(self, release: Release) -> None:
        if self.dark:
            raise OutcomeUnknown("the service does not answer")
        self.scheduled = None

    async def next_sandbox(self, release: Release) -> datetime | None:
        return BASE + self.scheduled if self.scheduled and not self.dark else None

    async def workers(self) -> list[str]:
        return self.polling

    async def ready(self) -> bool:
        return not self.dark

    async def declare(self, decision: Decision, case: Case) -> Answer:
        if self.dark:
            raise OutcomeUnknown("no worker answered in time")
        return await self.starting.declare(decision, case)

    async def keep_obligation(self, decision: Decision, release_id: str) -> Answer:
        if self.dark:
            raise OutcomeUnknown("no worker answered in time")
        keeping = KeepingActivities(
            self.story.ledger, self.duties, self.story.people, FakeKeys(), self.story.outbox, "", self.story.clock
        )
        request = KeepRequest(
            incident_id=decision.incident_id, release_id=release_id, decision=decision, now=self.story.clock()
        )
        return Answer(status="recorded", sentence=(await keeping.keep_obligation(request)).sentence)

    async def show_again(self, approval: str) -> None:
        self.renewed.append(approval)

    async def decide(self, decision: Decision) -> Answer:
        if self.dark:
            raise OutcomeUnknown("no worker answered in time")
        if decision.kind is DecisionKind.declare:
            return await self.starting.join(decision)
        if decision.kind is DecisionKind.break_glass:
            return await self.starting.break_glass(decision)
        if "proposal" in decision.terms:
            return await self.thresholds.decide(decision)
        if decision.addressed_to in self.consents.open:
            return await self.consents.decide(decision)
        if decision.kind in VOTES:
            async with self.one_at_a_time:  # as a workflow handles its Updates
                return await self.story.vote(decision)
        if decision.kind in (DecisionKind.sign_review, DecisionKind.keep_review):
            keeping = ReviewKeepingActivities(
                self.story.ledger, self.story.people, FakeKeys(), self.story.outbox, "http://console"
            )
            kept = await keeping.keep_review(
                KeepReview(
                    incident_id=decision.incident_id, release_id=RELEASE, decision=decision, now=self.story.clock()
                )
            )
            return Answer(status=kept.status, sentence=kept.sentence, have=kept.have, need=kept.need)
        if len(decision.reason) < rules.MIN_REASON:
            raise Refused(Refusal.reason_too_short, f"the reason {decision.reason!r} is too short.", "Say why.")
        self.commands.append(decision)
        if decision.kind is DecisionKind.hold:
            await self.story.stage_state(2, "held", decision.reason, by=decision.actor.printed_name)
        return Answer(status="accepted", sentence=f"{decision.kind.value} accepted")


class Story:
    """Tells an incident into the Ledger, step by step, as long before BASE as each step says."""

    def __init__(self, db: Database, clock: Clock, verdict: WatchVerdict, keys: FakeKeys) -> None:
        self.clock = clock
        self.ledger = SqlLedger(db, clock, vault=vault(db))
        self.catalogue = SqlCatalogue(db)
        self.outbox = Outbox(db, None, clock)
        self.people = FakePeople(cases.governance())
        self.release = release()
        self._verdict = b.VerdictChanged.of(ids.watch_workflow("production", RELEASE), verdict)
        self._keys = keys
        self._renderer = renderer()
        self._notes = 0
        self._target = FakeTarget(5_000, self.release.baseline.digest)
        self.with_evidence = True
        self.signature_class = SignatureClass.standard
        self.plan: Plan | None = None
        self.ask: Ask | None = None
        self.state = ApprovalState()

    async def note(self, body: b.Body, *, incident_id: str | None = INCIDENT) -> None:
        self._notes += 1
        entry = body.entry(f"note/{self._notes}", "worker", incident_id=incident_id, release_id=RELEASE)
        await self.ledger.append(entry)

    def ago(self, seconds: float) -> None:
        """Step the story's clock to that long before BASE."""
        self.clock.set(BASE - timedelta(seconds=seconds))

    async def registered(self) -> None:
        self.ago(340)
        await self.note(
            b.ReleaseRegistered(
                environment="production",
                service="support-assistant",
                candidate_name=self.release.candidate.name,
                candidate_digest=self.release.candidate.digest,
                baseline_name=self.release.baseline.name,
                baseline_digest=self.release.baseline.digest,
                playbook_digest=self.release.playbook_digest,
                registered_by=self.release.registered_by,
                owner=self.release.owner,
            ),
            incident_id=None,
        )

    async def opened(self) -> None:
        """Trigger, incident, frozen evidence."""
        await self.registered()
        self.ago(130)
        await self.note(self._verdict, incident_id=None)
        self.ago(129)
        await self.note(
            b.IncidentOpened(
                workflow_id=WORKFLOW,
                environment="production",
                service="support-assistant",
                candidate_name=self.release.candidate.name,
                baseline_name=self.release.baseline.name,
                severity="sev2",
                trigger=self._verdict.trigger,
                sentence=self._verdict.sentence,
                evidence_digest=self._verdict.evidence_digest,
                opened_by="automation",
                ends_by=BASE + timedelta(hours=24),
            )
        )
        if self.with_evidence:
            await self.note(self._verdict)
        await self.tell(Step.incident_opened)
        await self.phase("freezing", "Copying the evidence before anything is changed.", BASE)
        self.ago(127)
        names = ("release.json", "playbook.yaml", "governance.json", "target_state.json", "signals.jsonl")
        frozen = tuple(
            b.FrozenItem(
                name=name,
                sha256=digest(name),
                size=4_096 + 977 * i,
                source="catalogue",
                read_at=self.clock(),
                complete=True,
            )
            for i, name in enumerate(names)
        )
        await self.note(b.FreezeCompleted(inventory_sha256=digest(list(names)), items=frozen))

    async def asked(self) -> None:
        """The plan, and the request for approval."""
        await self.opened()
        self.ago(125)
        self.plan = await self._make_plan()
        await self.note(b.PlanMade(plan_digest=self.plan.digest, plan=self.plan.model_dump(mode="json")))
        await self._open_ask(1)

    async def asked_for_keys(self) -> None:
        """As `asked`, of a playbook that wants security keys."""
        self.signature_class = SignatureClass.step_up
        await self.asked()

    async def _make_plan(self) -> Plan:
        return build_plan(
            incident_id=INCIDENT,
            release=self.release,
            playbook=await self.catalogue.playbook(self.release.playbook_digest),
            governance_digest=(await self.people.snapshot()).digest,
            severity="sev2",
            found=[
                Found(
                    state=self.target_state(),
                    preflight=Preflight(ready=True, problems=(), destination_digest=None, write_permitted=True),
                    capabilities=self._target.capabilities,
                )
            ],
        )

    def target_state(self) -> TargetState:
        return TargetState(
            split=self._target.split,
            revision=str(self._target.generation),
            idempotency_key=None,
            fence=0,
            read_at=self.clock(),
            raw_sha256=digest("state"),
        )

    async def _open_ask(self, number: int) -> None:
        assert self.plan is not None
        playbook = await self.catalogue.playbook(self.release.playbook_digest)
        directory = await self.people.snapshot()
        policy = playbook.approvals[self.plan.severity]
        self.state = ApprovalState()
        self.ask = ask = Ask(
            ask_id=ids.ask_id(INCIDENT, number),
            incident_id=INCIDENT,
            workflow_id=ids.approval_workflow(WORKFLOW, number),
            plan_digest=self.plan.digest,
            evidence_digest=self._verdict.evidence_digest,
            requester="automation",
            excluded=(self.release.registered_by,),
            policy=policy,
            opened_at=self.clock(),
            expires_at=self.clock() + policy.time_limit,
            directory=directory,
            keys=self._keys.gateway_keys(),
            signature_class=self.signature_class,
        )
        await self.phase(
            "asking",
            "Waiting for 2 people to approve the plan; if nobody decides in 10m: hold.",
            ask.expires_at,
            commands_to=ask.workflow_id,
            commands=("withdraw",),
        )
        await self.note(
            b.AskOpened(
                ask_id=ask.ask_id,
                workflow_id=ask.workflow_id,
                plan_digest=ask.plan_digest,
                evidence_digest=ask.evidence_digest,
                approval_digest=ask.approval_digest,
                requester=ask.requester,
                excluded=ask.excluded,
                need_roles=("safety_lead", "release_owner"),
                need_people=2,
                asked=tuple(person.name for person in directory.holders("safety_lead", "release_owner")),
                opened_at=ask.opened_at,
                expires_at=ask.expires_at,
                default=policy.default,
                ladder=("after 0s: ask release_owner, safety_lead", "after 60s: remind", "after 10m: hold"),
                governance_digest=directory.digest,
                rules=rules.RULES,
                supersedes=None,
                signature_class=ask.signature_class,
                rungs_due=tuple(ask.opened_at + rung.after for rung in policy.ladder),
            )
        )
        await self.tell(Step.approval_asked)

    async def ask_anew(self, why: str) -> None:
        """The open request becomes stale and a new one takes its place."""
        assert self.ask is not None
        self.state = rules.supersede(self.state, why, self.clock())
        await self._closed()
        await self._open_ask(2)

    async def vote(self, decision: Decision) -> Answer:
        """Judge a vote by the real rules; write what the approval workflow writes."""
        assert self.ask is not None
        self.state = rules.apply(self.ask, self.state, decision, self.clock())
        quorum = rules.quorum_of(self.ask, self.state)
        if decision.kind is DecisionKind.extend:
            await self.note(
                b.AskExtended(
                    ask_id=self.ask.ask_id,
                    decision_id=decision.decision_id,
                    subject=decision.actor.subject,
                    name=decision.actor.printed_name,
                    reason=decision.reason,
                    until=rules.deadline(self.ask, self.state),
                )
            )
        elif decision.kind is not DecisionKind.withdraw:
            await self.note(
                b.AskVote(
                    ask_id=self.ask.ask_id,
                    decision_id=decision.decision_id,
                    vote=decision.kind.value,
                    subject=decision.actor.subject,
                    name=decision.actor.printed_name,
                    roles=decision.actor.roles,
                    reason=decision.reason,
                    channel=decision.channel,
                    have=quorum.people,
                    need=quorum.people_needed,
                    missing=quorum.missing,
                )
            )
        if self.state.closed:
            await self._closed()
        return Answer(status=self.state.status.value, sentence="", have=quorum.people, need=2)

    async def _closed(self) -> None:
        assert self.ask is not None
        have = rules.quorum_of(self.ask, self.state).people
        await self.note(
            b.AskClosed(
                ask_id=self.ask.ask_id, status=self.state.status.value, because=self.state.because, have=have, need=2
            )
        )

    async def approved(self) -> None:
        await self.asked()
        assert self.ask is not None
        for seconds, subject, reason in (
            (100, cases.MARIA, "Hallucinations tripled since 03:12; customers act on these answers."),
            (90, cases.JONAS, "Confirmed in three transcripts. Going back is cheap, staying is not."),
        ):
            self.ago(seconds)
            await self.vote(await self.decision(subject, DecisionKind.approve, reason))
        await self.tell(Step.approval_decided)

    async def decision(self, subject: str, kind: DecisionKind, reason: str) -> Decision:
        """A vote as the console would sign it."""
        assert self.ask is not None
        directory = await self.people.snapshot()
        return self._keys.sign(
            Decision(
                decision_id=f"{subject}-{kind.value}",
                kind=kind,
                addressed_to=self.ask.workflow_id,
                incident_id=INCIDENT,
                ask_id=self.ask.ask_id,
                approval_digest=self.ask.approval_digest,
                reason=reason,
                actor={
                    "subject": subject,
                    "printed_name": directory.name_of(subject),
                    "principal": "person",
                    "roles": directory.roles_of(subject),
                    "role_source": "file",
                    "role_as_of": directory.as_of,
                },  # type: ignore[arg-type]  # validated by the model
                channel="web",
                acr="local",
                view_sha256=None,
                decided_at=self.clock(),
                gateway_key_id=self._keys.key_id,
            )
        )

    async def soaking(self) -> None:
        """Stage 1 done, stage 2 set, seen in traffic and being watched."""
        await self.approved()
        assert self.plan is not None
        self.ago(85)
        await self.phase(
            "reverting",
            "Going back in 3 stages; hold, abort or reverse at any point.",
            BASE + self.plan.expected_duration,
            commands_to=ids.revert_workflow(WORKFLOW, 1),
            commands=("abort", "hold", "resume", "reverse"),
        )
        await self.stage_done(1, 80)
        await self.stage_set(2, 25)
        self.ago(10)
        await self.stage_state(2, "soaking", "watching this share for 4s.", until=BASE + timedelta(minutes=5))

    async def reverted(self) -> None:
        """Everybody is back, the service is healthy, the review is drafted."""
        await self.soaking()
        self.ago(9)
        await self.stage_state(2, "completed", "candidate at 25 % of users, seen in traffic, all checks passed.")
        await self.stage_done(3, 8)
        self.ago(6)
        await self.tell(Step.reverted)
        await self.phase(
            "verifying",
            "All users are back on the baseline; waiting for labelled answers that show it is healthy.",
            BASE + timedelta(minutes=2),
        )
        self.ago(4)
        for name, sentence in (
            (
                "hallucinations",
                "13 bad of 412 labelled answers since the last stage; at most 4.95 % with 95 % confidence.",
            ),
            ("moderation_failures", "1 bad of 412 labelled answers since the last stage; at most 1.15 %."),
        ):
            await self.check(0, "verification", name, "pass", sentence)
        await self.note(b.IncidentClosed(outcome="reverted", sentence="Rolled back and shown to be healthy."))
        await self.tell(Step.all_clear)
        await self.catalogue.close_release(RELEASE, self.clock(), "Rolled back and shown to be healthy.")
        await self._draft_review()

    async def _draft_review(self) -> None:
        view = incident(await self.ledger.records(incident_id=INCIDENT))
        assert view is not None
        draft = await self.ledger.put_blob(self._renderer.render_review(review_facts(view)).encode(), "text/markdown")
        await self.note(
            b.ReviewDrafted(
                review_id=f"{INCIDENT}-review",
                workflow_id=ids.review_workflow(INCIDENT),
                draft_sha256=draft,
                owner="release_owner",
                due=BASE + timedelta(days=5),
                sign_off=Quorum.model_validate({"roles": [{"role": "safety_lead", "min": 1}], "distinct_people": 2}),
            )
        )

    async def stage_set(self, number: int, seconds: float) -> None:
        """Intent, outcome and traffic of one stage."""
        assert self.plan is not None
        stage = self.plan.stages[number - 1]
        self.ago(seconds)
        await self.note(
            b.StageIntent(
                revert=1,
                stage=number,
                desired=stage.desired,
                before=self.target_state(),
                key=f"key/{number}",
                fence=1_000 + number,
                plan_digest=self.plan.digest,
            )
        )
        self._target.split = Split.candidate(stage.desired.candidate_bp)
        self._target.generation += 1
        share = stage.desired.candidate_bp / 100
        self.ago(seconds - 1)
        await self.note(
            b.StageOutcome(
                revert=1,
                stage=number,
                result="applied",
                by="our_key",
                recovered=False,
                after=self.target_state(),
                sentence=f"candidate now {share:g} % of users, read back (revision {self._target.generation}).",
            )
        )
        users = round(1_250 * share / 100)
        seen = f"{users} of 1250 users were served by the candidate ({users / 12.5:.1f} %, asked {share:g} %)."
        await self.check(number, "traffic", "configured", "pass", f"the target says {share:g} % candidate, as asked.")
        await self.check(number, "traffic", "observed", "pass", seen)

    async def stage_done(self, number: int, seconds: float) -> None:
        await self.stage_set(number, seconds)
        assert self.plan is not None
        share = self.plan.stages[number - 1].desired.candidate_bp / 100
        await self.stage_state(number, "soaking", "watching this share for 4s.", until=self.clock())
        await self.check(number, "between", "destination_healthy", "pass", "the destination answers and is healthy.")
        await self.stage_state(
            number, "completed", f"candidate at {share:g} % of users, seen in traffic, all checks passed."
        )
        await self.tell(Step.stage_completed)

    async def stage_state(self, number: int, state: str, sentence: str, **more: object) -> None:
        await self.note(b.StageState(revert=1, stage=number, state=state, sentence=sentence, **more))  # type: ignore[arg-type]

    async def check(self, number: int, phase: str, name: str, word: str, sentence: str) -> None:
        body = {"revert": 1, "stage": number, "phase": phase, "name": name, "word": word, "sentence": sentence}
        await self.note(b.CheckDone.model_validate(body))

    async def phase(self, phase: str, sentence: str, until: datetime | None, **more: object) -> None:
        fields: dict[str, object] = {"commands_to": WORKFLOW, "commands": (), **more}
        await self.note(b.IncidentPhase(phase=phase, sentence=sentence, until=until, **fields))  # type: ignore[arg-type]

    async def tell(self, step: Step) -> None:
        """Render and send the step's messages as the worker does."""
        view = incident(await self.ledger.records(incident_id=INCIDENT))
        assert view is not None
        playbook = await self.catalogue.playbook(self.release.playbook_digest)
        known = facts(view, step=step, console_url="http://console", reask_every=timedelta(minutes=10))
        for audience in playbook.audiences(step):
            subject, text = self._renderer.render(step, audience, known)
            key = f"{INCIDENT}/{step.value}/{self._notes}/{audience.value}"
            message = Message(
                key=key,
                incident_id=INCIDENT,
                step=step,
                audience=audience,
                subject=subject,
                text=text,
                facts_sha256=digest(known),
            )
            receipt = await self.outbox.send(message)
            await self.note(
                b.CommsSent(
                    step=step.value,
                    audience=audience.value,
                    key=key,
                    subject=subject,
                    text_sha256=digest_bytes(text.encode()),
                    channel=receipt.channel,
                    facts_sha256=message.facts_sha256,
                )
            )


@dataclass
class World:
    """One console over one story."""

    deps: Console
    story: Story
    workflows: FakeWorkflows
    step_ups: SqlStepUps

    @classmethod
    async def make(
        cls, path: Path, verdict: WatchVerdict, moment: Callable[[Story], Awaitable[None]] | None, port: int
    ) -> World:
        db = Database(f"sqlite+aiosqlite:///{path}")
        clock, keys = Clock(), FakeKeys()
        story = Story(db, clock, verdict, keys)
        if moment is not None:
            await moment(story)
        clock.run()
        shown, workflows = ShownViews(db, story.ledger), FakeWorkflows(story)
        step_ups = SqlStepUps(db, clock)
        duties = workflows.duties
        gate = Gate(story.ledger, story.people, shown, keys, workflows, clock, step_ups, duties)
        url = f"http://127.0.0.1:{port}"
        settings = Settings.from_environment({"COUNTERMAND_DATA": str(path.parent), "COUNTERMAND_CONSOLE_URL": url})
        deps = Console(
            settings=settings,
            database=db,
            ledger=story.ledger,
            erasure=SqlErasure(db, story.ledger, vault(db), story.clock),
            catalogue=story.catalogue,
            signals=SqlSignals(db),
            sources={},
            alerts=SqlAlerts(db),
            deliveries=WebhookDeliveries(db),
            accounts=Accounts(db),
            security_keys=SecurityKeys(db, step_ups, site(url), clock),
            outbox=story.outbox,
            people=story.people,
            keys=keys,
            shown=shown,
            gate=gate,
            workflows=workflows,
            renderer=renderer(),
            codec=codec(),
            duties=duties,
            adoptions=Adoptions(story.ledger, story.catalogue, FakeAdoptionKey()),
            clock=clock,
        )
        return cls(deps, story, workflows, step_ups)
