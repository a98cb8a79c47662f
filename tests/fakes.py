"""Fake ports: they implement the Protocols, remember what was asked of them, and can be told to fail."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.exceptions import ApplicationError

from activities.adopting import Adoptions
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
from countermand.ledger.private import sealed
from countermand.ledger.record import GENESIS_PREV, Entry, Kind, Record, build_line, line_hash, parse_line
from countermand.messages.incident import IncidentView
from countermand.obligations.dataset import Dataset, shipped
from countermand.obligations.profile import NOBODY_DECLARED, Profile
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


@lru_cache(maxsize=10_000)
def parsed(line: str) -> Record:
    """One line, parsed once however often tests look at it while they wait."""
    return parse_line(line)


class FakeLedger:
    """A ledger in memory with the real lines and the real chain, but for one thing: texts of people stay plain here.

    What the real store would write instead is made too, and no word of a decision may stand in it (EVD-26).
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.words: set[str] = set()
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
            self._nobody_is_quoted(entry)
            done.append(parse_line(self.lines[-1]))
        return done

    def _nobody_is_quoted(self, entry: Entry) -> None:
        stored, secrets = sealed(entry, lambda: bytes(32))
        self.words |= {one.value for one in secrets if len(one.value) > 15}
        line = json.dumps(stored.body, ensure_ascii=False)
        quoted = [word for word in self.words if word in line]
        assert not quoted, f"{entry.kind.value} would store {quoted} in the open: {line}"

    async def records(
        self,
        *,
        incident_id: str | None = None,
        release_id: str | None = None,
        kinds: Sequence[Kind] = (),
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Record]:
        records = [parsed(line) for line in self.lines[after_seq + 1 :]]
        return [
            record
            for record in records
            if (incident_id is None or record.incident_id == incident_id)
            and (release_id is None or record.release_id == release_id)
            and (not kinds or record.kind in kinds)
        ][:limit]

    async def find(self, idem_key: str) -> Record | None:
        return next((r for r in map(parsed, self.lines) if r.idem_key == idem_key), None)

    async def head(self) -> int:
        return len(self.lines) - 1

    async def put_blob(self, raw: bytes, media_type: str, quotes: str | None = None) -> str:
        self.blobs[digest_bytes(raw)] = (raw, media_type)
        return digest_bytes(raw)

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        return self.blobs.get(sha256)

    def kinds(self) -> Counter[str]:
        return Counter(parsed(line).kind.value for line in self.lines)

    def bodies(self, kind: Kind) -> list[dict[str, object]]:
        return [record.body for record in map(parsed, self.lines) if record.kind is kind]


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
    """Rows with a stated share of bad answers per arm: each call of `seal` gives one new row, and all that are due, so
    that a slow machine gets no fewer rows than its clock says.

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
        before = len(self.sealed)
        while len(self.sealed) == before or start + (len(self.sealed) + 1) * block <= until:
            seq = len(self.sealed)
            self.sealed.append(self._row(seq, start + seq * block))
        return self.sealed[before:]

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


class FakeDuties:
    """Implements Duties: the shipped rows and a profile that tests declare; none as long as they do not."""

    def __init__(self) -> None:
        self.profile = NOBODY_DECLARED

    async def read(self) -> tuple[Dataset, Profile]:
        return shipped(), self.profile


class FakeKeys:
    """A gateway key in memory."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.key_id = "gw-test"

    def gateway_keys(self) -> GatewayKeys:
        raw = self.private.public_key().public_bytes_raw()
        return GatewayKeys(public={self.key_id: base64.b64encode(raw).decode()})

    def sign(self, decision: Decision) -> Decision:
        """Binds the texts as they are now; the salts repeat, so that signing again gives the same."""
        numbers = itertools.count()

        def salt() -> bytes:
            return hashlib.sha256(f"{decision.decision_id}/{next(numbers)}".encode()).digest()

        return sign(decision.bind(salt), self.private)


class FakeAdoptionKey:
    """An adoption key in memory."""

    key_id = "ad-test"

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def sign_bytes(self, message: bytes) -> bytes:
        return self.private.sign(message)


def adoptions(catalogue: FakeCatalogue, ledger: FakeLedger | None = None) -> Adoptions:
    """What was adopted; nothing without a ledger."""
    return Adoptions(ledger or FakeLedger(), catalogue, FakeAdoptionKey())


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
