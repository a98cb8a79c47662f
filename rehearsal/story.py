"""One rehearsal from beginning to end: a sandbox, the scenario's world in it, its people, and what they left behind."""

from __future__ import annotations

import asyncio
import io
import random
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from activities.fence import REHEARSAL, Reach, Rehearsal
from adapters.channel_route import RoutedChannel
from adapters.channel_sending import Sender
from adapters.database import utc_now
from adapters.settings import Settings
from adapters.signing import LedgerKey
from composition import Stores
from countermand.canonical import canonical, digest_bytes
from countermand.evidence import verify as pack_verifier
from countermand.ledger.bodies import RehearsalPassed
from countermand.ledger.record import Kind
from countermand.plan.model import Bundle, Release
from countermand.playbook.load import parse
from countermand.playbook.model import Playbook
from countermand.playbook.terms import Audience
from countermand.rehearsal.rendition import rendition
from countermand.rehearsal.run import Act, Delivery, EffectSeen, InjectDone, Mode, Run, subject_of
from countermand.rehearsal.scenario import Inject, Scenario, ScriptedAct, When
from countermand.rehearsal.script import ActKind
from countermand.rehearsal.seal import sealed
from rehearsal.acts import Acts
from rehearsal.clock import PeoplesClock
from rehearsal.conductor import Conductor, Cue
from rehearsal.fakes.channels import SandboxCards, SandboxSender, Sent
from rehearsal.fakes.data import SandboxData
from rehearsal.fakes.sources import NoSources
from rehearsal.fakes.target import SandboxTarget, SandboxTargets
from rehearsal.governing import ARCHIVIST, Shifts
from rehearsal.measured import Measured, covers
from rehearsal.people import Played, Refusal
from rehearsal.sandbox import Sandbox, prepare, sandbox, stores
from rehearsal.traffic import Traffic

ENVIRONMENT = "rehearsal"
RELEASE = "candidate"
#: Blocks of a scripted run last at least this long in reality, so that a small machine judges each in time.
BLOCK = timedelta(milliseconds=500)
#: What the sandbox itself needs counts as story time as well; more haste than this would drown the story in it.
_FASTEST = 240
#: For the same reason a story may last this many times longer than its scenario says before it is ended.
_PATIENCE = 2.0
#: Outputs of both arms per block and signal.
_PER_BLOCK = 4_000
#: How often newer evidence may end a request in one story, and how long people then read the next one, in seconds.
_SUPERSEDED, _READS_ANEW = 3, 60.0
#: No scripted run takes longer than this in reality, in seconds.
_WITHIN = 240.0
_ROUTES = {
    Audience.operator: ("slack", "email"),
    Audience.approver: ("slack", "email"),
    Audience.exec: ("slack", "email"),
    Audience.support: ("email",),
    Audience.customer: ("webhook", "email"),
}
#: What is not among the routes goes to this channel.
_ELSE = ("email",)

Said = Callable[[str], None]


class Story:
    """Plays one scenario with scripted people. `say`: one line about what happens now."""

    mode: Mode = "scripted"
    #: No run takes longer than this in reality, in seconds.
    within = _WITHIN

    def __init__(
        self, scenario: Scenario, playbook: bytes, data: Path, say: Said, *, time_scale: int | None = None
    ) -> None:
        self._scenario = scenario
        self._original = playbook
        whole = parse(playbook)
        self._scale = time_scale or min(_FASTEST, max(1, round(whole.detection.block / BLOCK)))
        self._raw = rendition(playbook, self._scale)
        self._playbook: Playbook = parse(self._raw)
        self._blocks = whole.detection.block
        self._data = data
        self._say = say
        self._dice = _draws(scenario.seed)
        self._sent: list[Sent] = []
        self._acts: list[Act] = []
        self._injects: list[InjectDone] = []
        self._conductor: Conductor | None = None

    async def play(self) -> Run:
        """The whole story. Raises FenceBroken, and what a broken sandbox raises."""
        scenario, playbook = self._scenario, self._playbook
        self._shifts = Shifts(scenario, playbook, self._data / "governance.yaml", self._scale)
        settings = self._prepared()
        kept = stores(settings)
        self._target = SandboxTarget(scenario.world.exposure, scenario.world.target, utc_now, self._scale)
        try:
            async with sandbox(settings, kept, self._reach(kept, playbook)) as box:
                self._people = Played(box, self._shifts.names)
                try:
                    async with self._around(box):
                        return await self._told(box)
                finally:
                    await self._people.close()
        finally:
            await kept.database.close()

    def _prepared(self) -> Settings:
        return prepare(self._data, self._shifts.document())

    def _around(self, box: Sandbox) -> AbstractAsyncContextManager[None]:  # noqa: ARG002, who plays with people needs it
        """What else runs while the story is told."""
        return nullcontext()

    def _senders(self) -> tuple[Mapping[str, Sender[Rehearsal]], Mapping[Audience, tuple[str, ...]]]:
        names = ("slack", "email", "webhook")
        senders = {name: SandboxSender(name, self._sent, self._dark(name), utc_now) for name in names}
        return senders, {audience: _ROUTES.get(audience, _ELSE) for audience in Audience}

    def _reach(self, kept: Stores, playbook: Playbook) -> Reach[Rehearsal]:
        senders, routes = self._senders()
        channel = RoutedChannel(REHEARSAL, kept.outbox, kept.attempts, senders, routes)
        checks = self._scenario.world.checks
        data = SandboxData(playbook.data_integrity.checks, checks, _bundle(False).index)
        cards = SandboxCards(tuple(self._shifts.names.items()), self._dark("slack"))
        for check in playbook.data_integrity.checks:
            self._script_health(check.kind, checks.get(check.id, ()))
        return Reach(REHEARSAL, SandboxTargets(self._target), data, channel, cards, NoSources())

    def _script_health(self, kind: str, words: Sequence[str]) -> None:
        if not words or words[-1] == "pass":
            return
        health = self._target.health
        match kind:
            case "destination_healthy":
                health.destination = False
            case "digest_served":
                health.digest = False
            case "error_rate":
                health.requests = False

    def _dark(self, channel: str) -> Callable[[], bool]:
        def dark() -> bool:
            now = timedelta(seconds=self._conductor.story if self._conductor else 0.0)
            return any(
                one.channel == channel and one.do != "slow" and covers(one, now)
                for one in self._scenario.world.channels
            )

        return dark

    # --- the story ----------------------------------------------------------------------------------------------

    async def _told(self, box: Sandbox) -> Run:
        scenario, ledger = self._scenario, box.stores.ledger
        self._release = self._released()
        acts = Acts(self._people, ledger, lambda: self._release)
        self._say("what was before the story")
        digest = await self._before(box, acts)
        started = utc_now()
        clock = PeoplesClock(box.temporal)
        self._conductor = conductor = Conductor(ledger, clock, utc_now, self._scale, scripted=self.mode == "scripted")
        await self._register()
        status = await box.console.catalogue.release(RELEASE)
        assert status is not None  # noqa: S101, just registered
        flowing = asyncio.create_task(self._traffic().flow(status.watched_from, utc_now))
        try:
            over = scenario.ends_when
            ended = await conductor.play(
                self._cues(acts),
                lambda: any(conductor.heard(event) for event in over.events),
                within=self.within,
                story_limit=_PATIENCE * over.after.total_seconds(),
            )
            await self._settle(conductor)
        finally:
            flowing.cancel()
            with suppress(asyncio.CancelledError):
                await flowing
        self._say(f"over: {ended.replace('_', ' ')}")
        run = await self._run(box, digest, started, conductor)
        return sealed(run, LedgerKey(box.settings.ledger_key))

    async def _settle(self, conductor: Conductor) -> None:
        """What was set off at the end may still be on its way to the record; the stop word waits for nothing."""
        await conductor.play((), lambda: False, within=2.0, story_limit=float("inf"))

    def _cues(self, acts: Acts) -> list[Cue]:
        scenario = self._scenario
        played = scenario.people if self.mode == "scripted" else ()
        cues = [_cue(act, f"{act.who} {act.act.value}", partial(self._act, acts, act)) for act in played]
        for act in played:
            if act.act is ActKind.approve and act.expect == "accepted":
                for time in range(1, _SUPERSEDED + 1):
                    again = partial(self._again, acts, act)
                    cues.append(Cue(f"{act.who} again", again, _READS_ANEW, "ask_stale", time))
        for number, inject in enumerate(scenario.injects, start=1):
            cues.append(_cue(inject, f"inject {number}", partial(self._inject, number, inject)))
        for change in scenario.world.directory:
            cues.append(Cue(f"directory {change.do}", partial(self._shifts.change, change), _seconds(change.at)))
        for fault in scenario.world.target:
            if fault.on == "start":
                edit = partial(self._edit, fault.candidate or 0)
                cues.append(Cue(f"target {fault.do}", edit, _seconds(fault.at)))
        for one in scenario.world.eligibility:
            if one.at > timedelta() and one.is_ in ("denied", "quarantined"):
                cues.append(Cue("target denied", partial(self._bar, acts), _seconds(one.at)))
        return cues

    async def _act(self, acts: Acts, act: ScriptedAct) -> None:
        conductor = self._conductor
        assert conductor is not None  # noqa: S101, acts are cues of one
        self._say(f"{act.who}: {act.act.value.replace('_', ' ')}")
        answered = await acts.do(act)
        if answered.code == "stale" and act.expect == "accepted":  # newer evidence: a person would read it again
            await asyncio.sleep(0.5)
            answered = await acts.do(act)
        self._acts.append(
            Act(
                at=conductor.story,
                who=act.who,
                kind=act.act.value,
                accepted=answered.accepted,
                code=answered.code,
                sentence=answered.sentence,
            )
        )

    async def _again(self, acts: Acts, act: ScriptedAct) -> None:
        """Newer evidence ended the request: whoever had approved it reads the next one and decides again."""
        if any((one.who, one.kind, one.accepted) == (act.who, act.act.value, True) for one in self._acts):
            await acts.do(act)

    async def _inject(self, number: int, inject: Inject) -> None:
        assert self._conductor is not None  # noqa: S101, injects are cues of one
        done = InjectDone(
            at=self._conductor.story,
            number=number,
            kind=inject.kind,
            to=inject.to,
            channel=inject.channel,
            content=inject.content,
            shown=inject.channel not in ("slack", "email") or not self._dark(inject.channel)(),
        )
        self._injects.append(done)

    async def _edit(self, candidate_bp: int) -> None:
        self._target.edit(self._playbook.revert.member, candidate_bp)

    async def _bar(self, acts: Acts) -> None:
        """Somebody with the right to it finds the version unfit that users would go back to."""
        who = self._shifts.holder("safety_lead")
        with suppress(Refusal):
            await acts.deny(who, self._release.baseline.digest, "Found to be vulnerable while this was going on.")

    # --- its world ----------------------------------------------------------------------------------------------

    def _released(self) -> Release:
        return Release(
            release_id=RELEASE,
            environment=ENVIRONMENT,
            service=self._playbook.service,
            candidate=_bundle(True),
            baseline=_bundle(False),
            playbook_digest="sha256:" + 64 * "0",
            registered_by=subject_of(self._scenario.requester),
            owner=self._shifts.holder("release_owner"),
        )

    async def _before(self, box: Sandbox, acts: Acts) -> str:
        """What was true before: the playbook, a signed authorisation, a version that somebody had denied."""
        requester = subject_of(self._scenario.requester)
        kind = {"Content-Type": "application/yaml"}
        sent = await self._people.call(requester, "POST", "/api/v1/playbooks", content=self._raw, headers=kind)
        digest = str(sent["digest"])
        self._release = self._release.model_copy(update={"playbook_digest": digest})
        world = self._scenario.world
        if any(one.at == timedelta() and one.is_ in ("denied", "quarantined") for one in world.eligibility):
            await self._bar(acts)
        if world.standing is not None:
            if world.standing.rehearsed:
                passed = RehearsalPassed(playbook_digest=digest, scenario="before-this-one")
                await box.stores.ledger.append(passed.entry(f"rehearsal/{digest}/before", "worker"))
            await self._authorise(acts, digest)
        return digest

    async def _authorise(self, acts: Acts, digest: str) -> None:
        standing = self._scenario.world.standing
        assert standing is not None  # noqa: S101, asked by the caller
        severities = sorted(
            {one.severity.value for one in self._playbook.detection.triggers if one.id in standing.triggers}
        )
        draft = {
            "schema": "countermand.standing/v1",
            "playbook_digest": digest,
            "environment": ENVIRONMENT,
            "severities": severities,
            "triggers": list(standing.triggers),
            "targets": [self._release.baseline.digest],
            "max_exposure": f"{standing.max_exposure / 100:g}%",
            "valid_for": "30d",
        }
        requester = subject_of(self._scenario.requester)
        asked = await self._people.call(requester, "POST", "/api/v1/standing", json=draft)
        consent = str(asked["consent_id"])
        async with asyncio.timeout(20):
            while not await self._signed(acts, consent):  # noqa: ASYNC110, a workflow has no event to wait for
                await asyncio.sleep(0.2)

    async def _signed(self, acts: Acts, consent: str) -> bool:
        """Whether everybody who is needed signed; each holder of a role that is asked for is tried."""
        for who in self._shifts.names:
            with suppress(Refusal):
                await acts.sign(who, consent, "Signed in calm time, before this rehearsal.")
        issued = await self._people.call(subject_of(self._scenario.requester), "GET", "/api/v1/standing")
        return any(one.get("state", "in_force") != "pending" for one in issued["items"])

    async def _register(self) -> None:
        release = self._release.model_dump(mode="json", exclude={"registered_by"})
        await self._people.call(subject_of(self._scenario.requester), "POST", "/api/v1/releases", json=release)

    def _traffic(self) -> Traffic:
        detection = self._playbook.detection
        measured = Measured(self._scenario.world, dict(detection.signals), self._blocks, self._dice)
        member = self._playbook.revert.member
        numbers: Iterator[int] = iter(range(1_000_000))

        async def post(source: str, counts: Sequence[Mapping[str, Any]]) -> bool:
            batch = f"{source}-{next(numbers)}"
            body = {"schema": "countermand.signals/v1", "batch_id": batch, "counts": list(counts)}
            try:
                await self._people.push(source, body)
            except Refusal as refusal:
                if refusal.code == "all_rejected" and "release_closed" in refusal.detail:
                    return False
                raise
            return True

        return Traffic(
            detection,
            RELEASE,
            _PER_BLOCK,
            lambda: self._target.share(member),
            post,
            measured,
            self._dice,
            self._scale,
        )

    # --- what is left behind ------------------------------------------------------------------------------------

    async def _run(self, box: Sandbox, digest: str, started: datetime, conductor: Conductor) -> Run:
        pack_sha256, word = (None, None) if conductor.stopped else await self._pack(box)
        records = await box.stores.ledger.records()
        timeline = conductor.timeline

        def story(at: datetime) -> float:
            return max(timeline.story(at), 0.0)

        def told(at: datetime) -> datetime:
            return started + timedelta(seconds=story(at))

        return Run(
            scenario_id=self._scenario.id,
            scenario_digest=self._scenario.digest,
            playbook_digest=digest_bytes(self._original),
            rendition_digest=digest,
            seed=self._scenario.seed,
            mode=self.mode,
            time_scale=self._scale,
            started=started,
            ended=told(utc_now()),
            ledger_head=records[-1].hash,
            records=tuple(one.model_copy(update={"at": told(one.at)}) for one in records),
            acts=tuple(self._acts),
            injects=tuple(self._injects),
            effects=tuple(
                EffectSeen(at=story(one.at), member=one.member, candidate_bp=one.candidate_bp, result=one.result)
                for one in self._target.effects
            ),
            messages=tuple(_deliveries(self._sent, story)),
            pack_sha256=pack_sha256,
            pack_word=word,
        )

    async def _pack(self, box: Sandbox) -> tuple[str | None, str | None]:
        """The evidence pack of the incident, made and verified as a stranger would."""
        opened = await box.stores.ledger.records(kinds=[Kind.incident_opened])
        if not opened:
            return None, None
        who = ARCHIVIST
        wanted = {"incident_id": opened[0].incident_id, "profile": "redacted", "reason": "the end of a rehearsal"}
        try:
            made = await self._people.call(who, "POST", "/api/v1/evidence", json=wanted)
        except Refusal as refusal:
            return None, f"no pack: {refusal.detail}"
        path = f"/api/v1/evidence/{made['manifest_sha256']}/copy"
        raw = await self._people.download(who, path)
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        report = await asyncio.to_thread(pack_verifier.verify, files, pack_verifier.Anchors(), time.time())
        return str(made["manifest_sha256"]), report.verdict


def _deliveries(sent: Sequence[Sent], story: Callable[[datetime], float]) -> Iterator[Delivery]:
    tries: dict[tuple[str, str], int] = {}
    for one in sent:
        key = (one.channel, one.message.key)
        tries[key] = tries.get(key, 0) + 1
        yield Delivery(
            at=story(one.at),
            channel=one.channel,
            audience=one.message.audience.value,
            step=one.message.step.value,
            to=one.message.audience.value,
            delivered=one.delivered,
            attempt=tries[key],
        )


def _bundle(candidate: bool) -> Bundle:
    """Two bundles that differ in model and prompt."""
    number = 7 if candidate else 6
    same = {"decoding": "greedy-2", "guardrail": "policy-12", "harness": "h-31", "training_data": "corpus-9"}
    return Bundle(name=f"v{number}", model=f"model-{number}", prompt=f"prompt-{number}", index="index-4", **same)


def _cue(when: When, name: str, do: Callable[[], Any]) -> Cue:
    if when.at is not None:
        return Cue(name, do, _seconds(when.at))
    return Cue(name, do, _seconds(when.after or timedelta()), when.on_event)


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _draws(seed: int) -> Iterator[float]:
    dice = random.Random(seed)  # noqa: S311  # a rehearsal, not a secret
    while True:
        yield dice.random()


def digest_of(run: Run) -> str:
    """Of a run's canonical bytes."""
    return digest_bytes(canonical(run.model_dump(mode="json")))
