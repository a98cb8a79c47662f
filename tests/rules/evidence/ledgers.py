"""A made ledger with one approved rollback in it, for packs of the tests."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from countermand.canonical import canonical, instant
from countermand.governance.ask import approval_digest
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.ledger import bodies
from countermand.ledger.body import Body
from countermand.ledger.commitment import commitment
from countermand.ledger.record import GENESIS_PREV, SCHEMA, line_hash
from countermand.plan.model import Plan
from countermand.plan.target import Split, TargetState
from countermand.playbook.model import Quorum, QuorumSlot
from tests import cases, plans

BEGIN = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
LEDGER_ID = "0" * 31 + "1"
ORIGIN = f"countermand/test/{LEDGER_ID}"
INCIDENT, RELEASE = "inc-1", "test-bot-v7"
DIGEST = "sha256:" + "1" * 64
ASK = "inc-1-ask-1"


class Key:
    """An Ed25519 key made of its name. Implements Signer."""

    def __init__(self, prefix: str, name: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = f"{prefix}-{hashlib.sha256(self.public).hexdigest()[:12]}"

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @property
    def text(self) -> str:
        return base64.b64encode(self.public).decode()


class Book:
    """Lines in order, and what opens their commitments."""

    def __init__(self, log: Key | None = None) -> None:
        self.log, self.gateway = log or Key("lg", "log"), Key("gw", "gateway")
        self.lines: list[str] = []
        self.openings: dict[tuple[int, str], tuple[str, str]] = {}
        self.erased: set[tuple[int, str]] = set()
        self.at = BEGIN
        self.asked = DIGEST
        self.add("genesis", {"ledger_id": LEDGER_ID})
        for purpose, key in (("ledger", self.log), ("gateway", self.gateway)):
            body = {"purpose": purpose, "key_id": key.key_id, "public": key.text, "key_origin": "auto"}
            self.add("key.added", body)

    @property
    def seq(self) -> int:
        return len(self.lines)

    def add(
        self,
        kind: str,
        body: dict[str, Any],
        *,
        incident: bool = False,
        key: str = "",
        actor: str = "worker",
        release: str | None = None,
    ) -> None:
        """One line of any kind. Kinds of other rooms are plain JSON here."""
        self.at += timedelta(seconds=1)
        record = {
            "schema": SCHEMA,
            "seq": self.seq,
            "at": instant(self.at),
            "kind": kind,
            "actor": actor,
            "incident_id": INCIDENT if incident else None,
            "release_id": RELEASE if incident else release,
            "idem_key": key or f"key-{self.seq}",
            "body": body,
            "prev": line_hash(self.lines[-1]) if self.lines else GENESIS_PREV,
        }
        self.lines.append(canonical(record).decode())

    def tell(self, body: Body, *, key: str = "", incident: bool = True) -> None:
        self.add(body.KIND.value, body.entry("-", "worker").body, incident=incident, key=key)

    def commit(self, pointer: str, value: str) -> dict[str, str]:
        """What stands for this text in the next line."""
        salt = hashlib.sha256(f"{self.seq}{pointer}".encode()).digest()
        self.openings[self.seq, pointer] = (salt.hex(), value)
        return {"commit": commitment(value, salt)}

    def decide(self, who: str, name: str, roles: tuple[str, ...], **changes: Any) -> dict[str, Any]:
        """A signed decision of the incident, its reason withheld."""
        decision = Decision(
            decision_id=f"decision-{self.seq}",
            kind=DecisionKind.approve,
            addressed_to="incident/x/approval/1",
            incident_id=INCIDENT,
            ask_id=ASK,
            approval_digest=self.asked,
            reason="-",
            actor=Actor(
                subject=who,
                printed_name=name,
                principal="person",
                roles=roles,
                role_source="file",
                role_as_of=BEGIN,
            ),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=self.at,
            gateway_key_id=self.gateway.key_id,
        ).model_copy(update=changes)
        said: dict[str, Any] = bodies.DecisionMade(decision=decision).entry("-", "-").body["decision"]
        del said["signature"], said["bound"]
        said["reason"] = self.commit("/decision/reason", f"the answers are wrong, says {name}")
        signature = base64.b64encode(self.gateway.sign(canonical(said))).decode()
        self.add("decision", {"decision": said | {"signature": signature}}, incident=True, actor="console")
        return said


def an_ask(plan: Plan, **changes: Any) -> bodies.AskOpened:
    """A request, signed for as it is asked unless the digest is given."""
    asked = bodies.AskOpened(
        ask_id=ASK,
        workflow_id="incident/x/approval/1",
        plan_digest=plan.digest,
        evidence_digest=DIGEST,
        approval_digest=DIGEST,
        requester="automation",
        excluded=(cases.LENA,),
        need_roles=("safety_lead", "release_owner"),
        need_people=2,
        asked=(cases.MARIA, cases.JONAS),
        opened_at=BEGIN,
        expires_at=BEGIN + timedelta(minutes=30),
        default="hold",
        ladder=(),
        governance_digest=DIGEST,
        rules="approval/1",
        supersedes=None,
    ).model_copy(update=changes)
    if "approval_digest" in changes or not asked.need_roles:
        return asked
    slots = tuple(QuorumSlot(role=one, min=asked.need_roles.count(one)) for one in dict.fromkeys(asked.need_roles))
    quorum = Quorum.model_construct(roles=slots, distinct_people=asked.need_people)
    return asked.model_copy(update={"approval_digest": approval_digest(asked, quorum, asked.rules)})


VOTERS = ((cases.MARIA, "Maria Keller", ("safety_lead",)), (cases.JONAS, "Jonas Weber", ("release_owner",)))


def opening(book: Book, plan: Plan) -> None:
    """An incident begins, and its plan is made."""
    opened = bodies.IncidentOpened(
        workflow_id="incident/test/test-bot/test-bot-v7",
        environment="test",
        service="test-bot",
        candidate_name="v7",
        baseline_name="v6",
        severity="sev2",
        trigger="truth",
        sentence="hallucinations are above 3 %",
        evidence_digest=DIGEST,
        opened_by="watch",
        ends_by=BEGIN + timedelta(hours=24),
    )
    book.tell(opened)
    book.tell(bodies.PlanMade(plan_digest=plan.digest, plan=plan.model_dump(mode="json")))


def asking(book: Book, plan: Plan, **changes: Any) -> None:
    """People are asked; decisions are about this request from now on."""
    asked = an_ask(plan, **changes)
    book.asked = asked.approval_digest
    book.tell(asked)


def approved(book: Book) -> None:
    book.tell(bodies.AskClosed(ask_id=ASK, status="approved", because="approved by two", have=2, need=2))


def effect(
    book: Book, plan: Plan, stage: int, desired: Split, result: str = "applied", member: str | None = None
) -> None:
    """One intent and what came of it."""
    key = f"incident/x/{stage}/{member or ''}"
    state = TargetState(
        split=plan.before, revision="7", idempotency_key=None, fence=0, read_at=BEGIN, raw_sha256=DIGEST
    )
    intent = bodies.StageIntent(
        revert=1, stage=stage, desired=desired, before=state, key=key, fence=stage, plan_digest=plan.digest,
        member=member,
    )  # fmt: skip
    book.tell(intent, key=f"{key}/intent")
    outcome = bodies.StageOutcome(
        revert=1, stage=stage, result=result, by="our_key", recovered=False, after=state, sentence="set",  # type: ignore[arg-type]
        member=member,
    )  # fmt: skip
    book.tell(outcome, key=f"{key}/outcome/0")


def effects(book: Book, plan: Plan, stages: int = 3) -> None:
    """The first stages of a plan are carried out."""
    for stage in plan.stages[:stages]:
        effect(book, plan, stage.number, stage.desired)


def rollback(
    book: Book, *, approvers: int = 2, ask: dict[str, Any] | None = None, stages: int = 3, erase: str = "lawful"
) -> None:
    """An incident from its beginning to its review. erase: `lawful` after the hold, `held` under it, or `never`."""
    plan = plans.a_plan(INCIDENT)
    opening(book, plan)
    asking(book, plan, **(ask or {}))
    for who, name, roles in VOTERS[:approvers]:
        book.decide(who, name, roles)
    approved(book)
    effects(book, plan, stages)
    text, pointer = (book.seq, "/reason"), "/reason"
    book.add("comms.corrected", {"reason": book.commit(pointer, "call Erika Mustermann")}, incident=True)
    scope: dict[str, Any] = {"incidents": [INCIDENT], "releases": [], "classes": [], "subjects": [], "digests": []}
    book.add("hold.placed", {"hold_id": "hold-1", "scope": scope, "reason": book.commit("/reason", "a claim")})
    if erase == "lawful":
        book.add("hold.released", {"hold_id": "hold-1", "consent_id": "consent-1"})
    if erase != "never":
        salt, value = book.openings[text]
        items = [commitment(value, bytes.fromhex(salt))]
        book.add("erasure.done", {"erasure_id": "e-1", "subject": "worker", "items": items, "count": 1})
        book.erased.add(text)
    book.tell(bodies.IncidentClosed(outcome="reverted", sentence="all users are back"))
    book.add("review.drafted", {"review_id": "inc-1-review", "draft_sha256": DIGEST}, incident=True)


def noise(book: Book, records: int) -> None:
    """Records of other things, up to this many in all."""
    while book.seq < records:
        body = {"step": "all_clear", "audience": "operator", "text": "x" * 400, "number": book.seq}
        book.add("comms.sent", body)


def a_ledger(records: int = 60, log: Key | None = None, **incident: Any) -> Book:
    """A ledger of about this many records with one incident in it."""
    book = Book(log)
    noise(book, 8)
    rollback(book, **incident)
    noise(book, records)
    return book
