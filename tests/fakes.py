"""Fake ports: they implement the Protocols, remember what was asked of them, and can be told to fail."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.exceptions import ApplicationError

from activities.ports import (
    CardsShown,
    LedgerConflict,
    Message,
    Receipt,
    ReleaseStatus,
    TargetAmbiguous,
    TargetRejected,
    TargetUnavailable,
)
from countermand.canonical import digest, digest_bytes
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.governance.decision import Decision, GatewayKeys, sign
from countermand.governance.directory import Directory, Governance
from countermand.governance.gating import Trust
from countermand.ledger.record import GENESIS_PREV, Entry, Kind, Record, build_line, line_hash, parse_line
from countermand.messages.incident import IncidentView
from countermand.plan.integrity_answer import Answer, Question, Unanswered
from countermand.plan.model import Release
from countermand.plan.target import (
    Capabilities,
    Member,
    Observation,
    Preflight,
    SetOutcome,
    Split,
    TargetState,
)
from countermand.playbook.model import Audience, Playbook, Step
from countermand.playbook.signals import SignalSpec


def now() -> datetime:
    return datetime.now(UTC)


class FakeLedger:
    """A ledger in memory with the real lines and the real chain."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.blobs: dict[str, tuple[bytes, str]] = {}

    async def append(self, *entries: Entry) -> list[Record]:
        done = []
        for entry in entries:
            known = await self.find(entry.idem_key)
            if known is not None:
                if known.body != entry.body:
                    raise LedgerConflict(f"{entry.idem_key!r} is known with another body")
                done.append(known)
                continue
            prev = line_hash(self.lines[-1]) if self.lines else GENESIS_PREV
            self.lines.append(build_line(entry, seq=len(self.lines), prev=prev, at=now()))
            done.append(parse_line(self.lines[-1]))
        return done

    async def records(
        self,
        *,
        incident_id: str | None = None,
        release_id: str | None = None,
        kinds: Sequence[Kind] = (),
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Record]:
        records = [parse_line(line) for line in self.lines[after_seq + 1 :]]
        return [
            record
            for record in records
            if (incident_id is None or record.incident_id == incident_id)
            and (release_id is None or record.release_id == release_id)
            and (not kinds or record.kind in kinds)
        ][:limit]

    async def find(self, idem_key: str) -> Record | None:
        return next((r for r in map(parse_line, self.lines) if r.idem_key == idem_key), None)

    async def head(self) -> int:
        return len(self.lines) - 1

    async def put_blob(self, raw: bytes, media_type: str) -> str:
        self.blobs[digest_bytes(raw)] = (raw, media_type)
        return digest_bytes(raw)

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        return self.blobs.get(sha256)

    def kinds(self) -> Counter[str]:
        return Counter(parse_line(line).kind.value for line in self.lines)

    def bodies(self, kind: Kind) -> list[dict[str, object]]:
        return [record.body for record in map(parse_line, self.lines) if record.kind is kind]


class FakeTarget:
    """A split in memory. `script` holds faults for the next calls of `set`, `effects` what really changed."""

    capabilities = Capabilities(
        kind="split", granularity_bp=1, compare_and_swap="native", durable=True, stores_fence=True,
        observes="counters", dry_run="server",
    )  # fmt: skip

    def __init__(self, candidate_bp: int, baseline_digest: str) -> None:
        self.split = Split.candidate(candidate_bp)
        self.generation = 1
        self.fence = 0
        self.key: str | None = None
        self.baseline_digest = baseline_digest
        self.healthy = True
        self.traffic_follows = True
        self.users = 5_000
        self.errors = 0
        self.script: list[str] = []
        self.effects: list[tuple[str, int]] = []
        self.gate: asyncio.Event | None = None
        self.dark = False

    def __call__(self, name: str) -> FakeTarget:
        if name != "fake":
            raise TargetRejected(f"no target {name!r} is configured; configured are: fake")
        return self

    async def read(self, member: Member) -> TargetState:
        if self.dark:
            raise TargetUnavailable("connection refused")
        return TargetState(
            split=self.split, revision=str(self.generation), idempotency_key=self.key, fence=self.fence,
            read_at=now(), raw_sha256=digest({"bp": self.split.candidate_bp}),
        )  # fmt: skip

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        problems = () if self.healthy else ("baseline does not answer",)
        return Preflight(
            ready=self.healthy,
            problems=problems,
            destination_digest=member.candidate_digest if desired.candidate_bp else self.baseline_digest,
            write_permitted=True,
        )

    async def set(
        self,
        member: Member,
        desired: Split,
        *,
        idempotency_key: str,
        fence: int,
        expected_revision: str | None,
        dry_run: bool = False,
    ) -> SetOutcome:
        before = await self.read(member)
        if before.split == desired:
            by = "our_key" if self.key == idempotency_key else "external"
            return SetOutcome(result="already", by=by, before=before, after=before)
        if expected_revision is not None and expected_revision != before.revision:
            return SetOutcome(result="conflict", before=before, after=before)
        fault = self.script.pop(0) if self.script else ""
        if fault == "unavailable":
            raise TargetUnavailable("connection refused")
        if fault == "rejected":
            raise TargetRejected("403: the write token may not change this split")
        self.split, self.key, self.fence = desired, idempotency_key, fence
        self.generation += 1
        self.effects.append((idempotency_key, desired.candidate_bp))
        if fault == "ambiguous":
            raise TargetAmbiguous("the answer was lost and the target cannot be read")
        if self.gate is not None:
            await self.gate.wait()
        return SetOutcome(result="applied", before=before, after=await self.read(member))

    async def observe(self, member: Member) -> Observation:
        candidate = round(self.users * self.split.candidate_bp / 10_000) if self.traffic_follows else self.users // 2
        return Observation(
            revision=str(self.generation), candidate_users=candidate, baseline_users=self.users - candidate,
            requests=self.users, errors=self.errors, at=now(),
        )  # fmt: skip


class FakeAlias(FakeTarget):
    """An alias in memory: it names the candidate (100 %) or the baseline (0 %)."""

    capabilities = FakeTarget.capabilities.model_copy(update={"kind": "alias", "granularity_bp": 10_000})

    def __init__(self, baseline_digest: str) -> None:
        super().__init__(10_000, baseline_digest)


class FakeTargets:
    """Targets by name."""

    def __init__(self, **targets: FakeTarget) -> None:
        self.named = targets

    def __call__(self, name: str) -> FakeTarget:
        if name not in self.named:
            raise TargetRejected(f"no target {name!r} is configured; configured are: {', '.join(self.named)}")
        return self.named[name]


class FakeData:
    """Data sources in memory: `answers` are given in turn and the last one from then on; an exception is raised."""

    def __init__(self, **answers: list[Answer | Unanswered]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Question]] = []

    def __call__(self, name: str) -> FakeDataSource:
        if name not in self.answers:
            raise Unanswered(f"no data source {name!r} is configured; configured are: none.")
        return FakeDataSource(self, name)


class FakeDataSource:
    def __init__(self, data: FakeData, name: str) -> None:
        self._data, self._name = data, name

    async def ask(self, question: Question, within: timedelta) -> Answer:
        self._data.asked.append((self._name, question))
        left = self._data.answers[self._name]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Unanswered):
            raise answer
        return answer


class FakeCatalogue:
    """One playbook, one release."""

    def __init__(self, playbook: Playbook, release: Release) -> None:
        self.the_playbook = playbook
        self.dark = False
        self.status = ReleaseStatus(release=release, registered_at=now(), closed_at=None, closed_why=None)

    async def put_playbook(self, raw: bytes) -> str:
        return digest_bytes(raw)

    async def playbook(self, digest: str) -> Playbook:
        if digest != self.status.release.playbook_digest:
            raise KeyError(digest)
        return self.the_playbook

    async def playbook_bytes(self, digest: str) -> bytes:
        if self.dark:
            raise ConnectionError("the catalogue does not answer")
        return b"schema: countermand.playbook/v1\n"

    async def put_release(self, release: Release, at: datetime) -> ReleaseStatus:
        return self.status

    async def release(self, release_id: str) -> ReleaseStatus | None:
        return self.status if release_id == self.status.release.release_id else None

    async def releases(self) -> list[ReleaseStatus]:
        return [self.status]

    async def close_release(self, release_id: str, at: datetime, why: str) -> None:
        self.status = self.status.model_copy(update={"closed_at": at, "closed_why": why})


class FakeSignals:
    """Rows with a stated share of bad answers per arm: one new row per call of `seal`.

    `standing` = five fresh rows at any time, for incidents that are tested without a watch beside them.
    """

    def __init__(self, block: timedelta) -> None:
        self.block = block
        self.bad = {Arm.candidate: 3, Arm.baseline: 3}
        self.scored = 200
        self.signals = ("hallucinations",)
        self.sealed: list[Row] = []
        self.evaluations: dict[int, dict[str, object]] = {}
        self.flowing = True
        self.standing = False

    def _row(self, seq: int, start: datetime) -> Row:
        blocks = [
            Block(
                signal=signal,
                arm=arm,
                state=BlockState.ok,
                served=self.scored,
                scored=self.scored,
                bad=self.bad[arm],
            )
            if self.flowing
            else Block(
                signal=signal,
                arm=arm,
                state=BlockState.unknown,
                reason="no_traffic",
                served=0,
                scored=0,
                bad=0,
            )
            for signal in self.signals
            for arm in Arm
        ]
        return Row(seq=seq, start=start, block=self.block, blocks=tuple(blocks))

    async def seal(
        self, release_id: str, *, signals: Mapping[str, SignalSpec], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        self.signals = tuple(signals)
        seq = len(self.sealed)
        self.sealed.append(self._row(seq, start + seq * block))
        return self.sealed[-1:]

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        if self.standing:
            return [self._row(index, now() + timedelta(seconds=index)) for index in range(5)]
        return self.sealed[after_seq + 1 :]

    async def put_evaluations(self, release_id: str, records: Mapping[int, dict[str, object]]) -> None:
        self.evaluations.update(records)


class FakePeople:
    """A governance document that tests may change while a workflow runs."""

    def __init__(self, governance: Governance) -> None:
        self.governance = governance

    async def snapshot(self) -> Directory:
        return Directory(governance=self.governance, digest=digest(self.governance), source="fake", as_of=now())


class FakeKeys:
    """A gateway key in memory."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.key_id = "gw-test"

    def gateway_keys(self) -> GatewayKeys:
        raw = self.private.public_key().public_bytes_raw()
        return GatewayKeys(public={self.key_id: base64.b64encode(raw).decode()})

    def sign(self, decision: Decision) -> Decision:
        return sign(decision, self.private)


class FakeTrust:
    """Sources that are known, each on a host of its own; tests may say otherwise by name."""

    def __init__(self) -> None:
        self.known: dict[str, Trust] = {}

    def __call__(self, name: str) -> Trust:
        return self.known.get(name, Trust(authenticated=True, shares=(f"host of {name}",)))


class FakeChannel:
    """Remembers messages by key; `dark` makes every send fail."""

    def __init__(self) -> None:
        self.sent: dict[str, Message] = {}
        self.dark = False

    async def send(self, message: Message) -> Receipt:
        if self.dark:
            raise ApplicationError("the channel does not answer", non_retryable=True)
        self.sent.setdefault(message.key, message)
        return Receipt(key=message.key, channel="fake", provider_id=message.key, at=now())

    def steps(self) -> set[tuple[str, str]]:
        return {(message.step.value, message.audience.value) for message in self.sent.values()}


class FakeCards:
    """Cards that remember what they showed last; `dark`: the messenger never answers. `people`: who can be called."""

    def __init__(self, people: tuple[tuple[str, str], ...] = ()) -> None:
        self.shown: dict[str, list[tuple[int, str]]] = {}
        self.lanes: dict[str, dict[str, str]] = {}
        self.dark = False
        self.people = people

    async def asked(self, view: IncidentView, ask_id: str) -> tuple[tuple[str, str], ...]:
        return self.people if next(ask for ask in view.asks if ask.opened.ask_id == ask_id).closed is None else ()

    async def show(self, view: IncidentView, ask_id: str, revision: int) -> CardsShown:
        if self.dark:
            await asyncio.sleep(3600)
        ask = next(ask for ask in view.asks if ask.opened.ask_id == ask_id)
        self.shown.setdefault(ask_id, []).append((revision, ask.status))
        self.lanes[ask_id] = dict(ask.lanes)
        return CardsShown(posted=("channel",))


class FakeRenderer:
    """Renders the facts it was given as text, so that tests can look for them."""

    def render(self, step: Step, audience: Audience, facts: dict[str, object]) -> tuple[str, str]:
        return f"{step.value} for {audience.value}", repr(sorted(facts.items()))

    def render_review(self, facts: dict[str, object]) -> str:
        return repr(sorted(facts.items()))
