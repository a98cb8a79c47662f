"""The JSON API `/api/v1`: what the command line and other systems use. Decisions end in the same `decide()`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from activities.ports import ReleaseStatus
from console import adoptions, lessons, versions, views
from console.acknowledging import acknowledge
from console.attempts import Attempts, attempts, guesser
from console.auth import api_person, bearer
from console.decide import Act, Person
from console.deps import Console, console
from console.duty_matter import NECESSITY
from console.intake import read_body
from console.live_versions import readiness_of
from console.problems import Problem
from console.submit import MAX_REASON
from console.watched import watched
from countermand import __version__
from countermand.canonical import canonical, instant
from countermand.governance.decision import DecisionKind
from countermand.governance.directory import Subject, unattainable
from countermand.governance.eligible import Version
from countermand.ledger.bodies import ReleaseRegistered, VerdictChanged
from countermand.ledger.record import Record
from countermand.ledger.review_bodies import Publication
from countermand.messages.ask_card import AskCard
from countermand.messages.incident import AskView, IncidentView
from countermand.obligations.regimes import WAIVED
from countermand.plan.model import Bundle, Release
from countermand.playbook.load import PlaybookErrors
from countermand.playbook.model import Name
from workflows.release_watch import WatchInput

router = APIRouter(prefix="/api/v1")

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Person, Depends(api_person)]
MAX_PLAYBOOK = 256 * 1024
ReasonText = Annotated[str, Field(max_length=MAX_REASON)]
DecisionId = Annotated[str | None, Header(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


class Login(BaseModel):
    """Local accounts only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=1_000)]


class Registration(BaseModel):
    """A release to watch. Who registers it is known from the token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    environment: Name
    service: Name
    candidate: Bundle
    baseline: Bundle
    playbook_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    owner: Subject


class Vote(BaseModel):
    """A decision on one ask, for the digest that was shown. necessity: under an evidence hold an approval states that
    continuing harm outweighs waiting for the report; the reason says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["approve", "reject", "retract", "extend", "withdraw"]
    approval_digest: str | None = None
    view_sha256: str | None = None
    reason: ReasonText = ""
    necessity: bool = False


class Command(BaseModel):
    """A command to a running incident."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["hold", "resume", "abort", "reverse", "ask_again", "proceed_incomplete"]
    reason: ReasonText


class Reason(BaseModel):
    """Why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: ReasonText


class ReviewSignature(Reason):
    """`undecided_regimes`: what the signature leaves open, with commas; `all` where nobody declared anything.
    publication: how far it may go out."""

    undecided_regimes: Annotated[str, Field(max_length=2_000)] = ""
    publication: Publication = "internal"


@router.get("/version")
async def version() -> dict[str, str]:
    return {"version": __version__, "api": "v1"}


@router.post("/login")
async def login(
    body: Login, request: Request, deps: Deps, failures: Annotated[Attempts, Depends(attempts)]
) -> dict[str, Any]:
    if not deps.local_accounts:
        raise Problem(
            403, "local_accounts_off", "Passwords are switched off here.", "Sign in at the console with your provider."
        )
    who, now = guesser(body.subject, request), deps.clock()
    if failures.blocked(who, now):
        raise Problem(429, "rate_limited", "Too many wrong passwords for this account.", "Wait five minutes.")
    person = await deps.accounts.authenticate(body.subject, body.password)
    if person is None:
        failures.failed(who, now)
        raise Problem(
            401,
            "unauthenticated",
            "This account and password do not match.",
            "Try again or ask an administrator.",
        )
    issued = await deps.accounts.issue_person_token(person.subject)
    directory = await deps.people.snapshot()
    return {
        "token": issued.token,
        "expires_at": instant(issued.expires_at),
        "subject": person.subject,
        "name": directory.name_of(person.subject),
        "roles": directory.roles_of(person.subject),
    }


@router.post("/logout")
async def logout(request: Request, deps: Deps, _: SignedIn) -> dict[str, bool]:
    await deps.accounts.revoke_token(bearer(request))
    return {"signed_out": True}


@router.get("/whoami")
async def whoami(person: SignedIn, deps: Deps) -> dict[str, Any]:
    directory = await deps.people.snapshot()
    return {
        "subject": person.subject,
        "name": directory.name_of(person.subject),
        "roles": directory.roles_of(person.subject),
        "governance_digest": directory.digest,
    }


# --- playbooks and releases -----------------------------------------------------------------------------------


@router.post("/playbooks")
async def put_playbook(request: Request, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Keep the exact bytes of a playbook that parses and whose quorums the people in the directory can reach."""
    raw = await read_body(request, MAX_PLAYBOOK)
    try:
        digest = await deps.catalogue.put_playbook(raw)
    except PlaybookErrors as error:
        raise Problem(
            422, "playbook_invalid", str(error), "Check it offline: `countermand playbook check FILE`."
        ) from error
    playbook = await deps.catalogue.playbook(digest)
    lacking = unattainable(playbook, await deps.people.snapshot())
    if lacking:
        raise Problem(422, "quorum_unattainable", "; ".join(lacking), "Change the playbook or the governance file.")
    untold = ", ".join(f"{step.value} for {audience.value}" for step, audience in deps.renderer.lacks(playbook))
    if untold:
        raise Problem(422, "template_missing", f"no template: {untold}", "Add it, or do not promise that message.")
    warning = await lessons.ignored_by(deps, playbook, digest)
    return {"digest": digest, "name": playbook.name, "version": playbook.version, "warning": warning}


@router.post("/releases")
async def put_release(body: Registration, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Register a release and start its watch. The same registration again changes nothing."""
    playbook, _ = await adoptions.stored(deps, body.playbook_digest, status=422)
    if playbook.service != body.service:
        raise Problem(
            422,
            "wrong_service",
            f"the playbook is for {playbook.service!r}, the release is {body.service!r}",
            "Use its own.",
        )
    release = Release(**body.model_dump(), registered_by=person.subject)
    if await deps.catalogue.release(release.release_id) is None:
        governance = (await deps.people.snapshot()).governance
        await adoptions.refuse_unadopted(deps, playbook, release.playbook_digest, governance)
        await versions.refuse_barred(deps, release)
    try:
        status = await deps.catalogue.put_release(release, deps.clock())
    except ValueError as error:
        raise Problem(409, "release_exists", str(error), "Use a new release id.") from error
    key = f"{release.release_id}/registered"
    if await deps.ledger.find(key) is None:  # a record of an earlier version has no parts and stays as it is
        registered = ReleaseRegistered(
            environment=release.environment,
            service=release.service,
            candidate_name=release.candidate.name,
            candidate_digest=release.candidate.digest,
            baseline_name=release.baseline.name,
            baseline_digest=release.baseline.digest,
            playbook_digest=release.playbook_digest,
            registered_by=release.registered_by,
            owner=release.owner,
            baseline_parts=Version.of(release.baseline).parts,
        )
        await deps.ledger.append(registered.entry(key, person.subject, release_id=release.release_id))
    await deps.workflows.start_watch(
        WatchInput(
            release_id=release.release_id,
            environment=release.environment,
            service=release.service,
            playbook_digest=release.playbook_digest,
            started_at=status.watched_from,
        )
    )
    return _release_json(status, None, [])


@router.get("/releases")
async def list_releases(deps: Deps, _: SignedIn) -> dict[str, Any]:
    return {"items": await _releases_json(deps, await deps.catalogue.releases())}


@router.get("/releases/{release_id}")
async def show_release(release_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise Problem(404, "unknown_release", f"no release {release_id!r}", "List them: GET /api/v1/releases.")
    concerns = [
        {"at": instant(at), **concern.model_dump(mode="json")}
        for at, concern in await views.concerns_of(deps, release_id)
    ]
    ready = (await readiness_of(deps, release_id)).model_dump(mode="json")
    return (await _releases_json(deps, [status]))[0] | {"concerns": concerns, "way_back": ready}


async def _releases_json(deps: Console, statuses: list[ReleaseStatus]) -> list[dict[str, Any]]:
    """Releases with their verdict. One whose watch fell silent is `unknown`, whatever it said last."""
    verdicts, incidents = await views.latest_verdicts(deps), await views.all_incidents(deps)
    judged = await deps.signals.newest_evaluations([status.release.release_id for status in statuses])
    found = []
    for status in statuses:
        name = status.release.release_id
        detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
        now = watched(status, detection, judged.get(name, (-1, None))[1], deps.clock())
        shown = _release_json(status, verdicts.get(name), [v.incident_id for v in incidents if v.release_id == name])
        if now.word == "unknown" and shown["verdict"] is not None:
            shown["verdict"] |= {"word": now.word, "sentence": now.sentence}
        found.append(shown)
    return found


def _release_json(
    status: ReleaseStatus, verdict: tuple[Record, VerdictChanged] | None, incidents: list[str]
) -> dict[str, Any]:
    shown = None
    if verdict is not None:
        record, body = verdict
        shown = {
            "word": body.word,
            "sentence": body.sentence,
            "trigger": body.trigger,
            "severity": body.severity,
            "at": instant(record.at),
        }
    return {
        "schema": "countermand.release/v1",
        **status.model_dump(mode="json"),
        "verdict": shown,
        "incidents": incidents,
    }


# --- incidents ------------------------------------------------------------------------------------------------


@router.get("/incidents")
async def list_incidents(deps: Deps, _: SignedIn) -> dict[str, Any]:
    return {
        "items": [
            {
                "incident_id": view.incident_id,
                "release_id": view.release_id,
                "service": view.opened.service,
                "environment": view.opened.environment,
                "severity": view.opened.severity,
                "trigger": view.opened.trigger,
                "status": view.status,
                "sentence": view.sentence,
                "opened_at": instant(view.opened_at),
                "closed_at": instant(view.closed_at) if view.closed_at else None,
            }
            for view in await views.all_incidents(deps)
        ]
    }


async def _incident(incident_id: str, deps: Deps) -> IncidentView:
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise Problem(404, "unknown_incident", f"no incident {incident_id!r}", "List them: GET /api/v1/incidents.")
    return view


@router.get("/incidents/{incident_id}")
async def show_incident(incident_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    return views.incident_json(await _incident(incident_id, deps))


@router.post("/incidents/{incident_id}/actions")
async def act_on_incident(
    incident_id: str,
    body: Command,
    person: SignedIn,
    deps: Deps,
    idempotency_key: DecisionId = None,
) -> dict[str, Any]:
    act = Act(
        kind=DecisionKind(body.action),
        incident_id=incident_id,
        reason=body.reason,
        decision_id=idempotency_key,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


@router.post("/reviews/{incident_id}/signatures")
async def sign_review(
    incident_id: str, body: ReviewSignature, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Sign the draft. `undecided_regimes` names, with commas, what the signature leaves open; the list is refused
    unless it is exactly that of the clocks."""
    terms: dict[str, str] = {"publication": body.publication}
    if body.undecided_regimes:
        terms[WAIVED] = body.undecided_regimes
    act = Act(
        kind=DecisionKind.sign_review,
        incident_id=incident_id,
        reason=body.reason,
        decision_id=idempotency_key,
        terms=terms,
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


# --- asks -----------------------------------------------------------------------------------------------------


@router.get("/asks")
async def list_asks(deps: Deps, person: SignedIn, mine: bool = False) -> dict[str, Any]:
    """All asks, newest first; `mine`: only pending ones that still need this person's vote."""
    roles = set((await deps.people.snapshot()).roles_of(person.subject))
    asks = [(view, ask) for view in await views.all_incidents(deps) for ask in reversed(view.asks)]
    if mine:
        asks = [(view, ask) for view, ask in asks if views.waits_for(ask, person.subject, roles)]
    return {
        "items": [
            {
                "ask_id": ask.opened.ask_id,
                "incident_id": view.incident_id,
                "title": f"Roll back {view.opened.candidate_name} to {view.opened.baseline_name}?",
                "status": ask.status,
                "have": ask.have,
                "need": ask.opened.need_people,
                "missing": ask.missing,
                "expires_at": instant(ask.expires_at),
                "default": ask.opened.default,
            }
            for view, ask in asks
        ]
    }


@router.get("/asks/{ask_id}")
async def show_ask(ask_id: str, deps: Deps, person: SignedIn) -> dict[str, Any]:
    """The card, and the proof that this person was shown exactly these bytes."""
    found = await views.one_ask(deps, ask_id)
    if found is None:
        raise Problem(404, "unknown_ask", f"no request {ask_id!r}", "List them: GET /api/v1/asks.")
    _, ask, card = found
    shown = card.model_dump(mode="json")
    view_sha256 = await deps.shown.issue(
        person.subject, ask_id, card.approval_digest, canonical(shown), "application/json"
    )
    return ask_body(ask, card, view_sha256)


def ask_body(ask: AskView, card: AskCard, view_sha256: str) -> dict[str, Any]:
    """A request as programs and the command line read it."""
    return {
        "schema": "countermand.ask/v1",
        "card": card.model_dump(mode="json"),
        "view_sha256": view_sha256,
        "status": ask.status,
        "have": ask.have,
        "need": ask.opened.need_people,
        "votes": [vote.model_dump(mode="json") for vote in ask.votes],
    }


@router.post("/asks/{ask_id}/decisions")
async def decide_ask(
    ask_id: str,
    body: Vote,
    person: SignedIn,
    deps: Deps,
    idempotency_key: DecisionId = None,
) -> dict[str, Any]:
    act = Act(
        kind=DecisionKind(body.kind),
        incident_id=ask_id.rpartition("-ask-")[0],
        ask_id=ask_id,
        approval_digest=body.approval_digest,
        view_sha256=body.view_sha256,
        reason=body.reason,
        decision_id=idempotency_key,
        terms={NECESSITY: "yes"} if body.necessity else {},
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")


@router.post("/asks/{ask_id}/acknowledgement", status_code=204)
async def acknowledge_ask(ask_id: str, person: SignedIn, deps: Deps) -> None:
    """Say that you are looking at it; this is no vote."""
    found = await views.one_ask(deps, ask_id)
    if found is None:
        raise Problem(404, "unknown_ask", f"no request {ask_id!r}", "List them: GET /api/v1/asks.")
    view, ask, _ = found
    await acknowledge(deps, person, view, ask, await deps.people.snapshot(), "api")


# --- ledger ---------------------------------------------------------------------------------------------------


@router.get("/ledger/records")
async def ledger_records(
    deps: Deps, _: SignedIn, after: int = -1, limit: int = 500, incident_id: str | None = None
) -> dict[str, Any]:
    records = await deps.ledger.records(after_seq=after, limit=max(1, min(limit, 1000)), incident_id=incident_id)
    return {
        "items": [
            {
                "seq": record.seq,
                "at": instant(record.at),
                "kind": record.kind.value,
                "actor": record.actor,
                "incident_id": record.incident_id,
                "release_id": record.release_id,
                "body": json.loads(record.line)["body"],
                "line": record.line,
                "hash": record.hash,
            }
            for record in records
        ],
        "next_after": records[-1].seq if records else after,
    }
