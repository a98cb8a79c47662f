"""One release: its verdict, its evidence, what differs, who gets it, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from activities.ports import ReleaseStatus
from console import (
    charts,
    guards,
    inclusive_sets,
    lessons,
    live_versions,
    rollouts,
    schedules,
    thresholds,
    versions,
    views,
)
from console.auth import Session, browser
from console.commands import needs_key
from console.deps import Console, console
from console.measures import measure
from console.problems import Problem
from console.render import Page, segment
from console.rollout_forms import forms, share_plot
from console.signing import keys_of
from console.submit import directory, form_id
from console.watched import rows_in_time, watched
from console.why import bound, percent_of, strength, why
from countermand import ids
from countermand.detection.blocks import Row
from countermand.detection.figures import spoken_odds
from countermand.governance.break_glass import use_digest
from countermand.governance.declaring import MAX_HARM
from countermand.governance.denying import denial_digest
from countermand.governance.directory import Directory
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.messages.facts import GLASS_WORDS, spoken
from countermand.messages.fencing import fenced
from countermand.messages.incident import IncidentView
from countermand.plan.model import Bundle
from countermand.playbook.explain import explain
from countermand.playbook.model import Severity
from countermand.playbook.units import format_percent

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]

#: Rows in the table and behind the captions.
RECENT = 60
#: Changes of the share of users that the page lists.
MOVES = 20
MEMBERS = tuple(name for name in Bundle.model_fields if name != "name")


async def _release(deps: Console, release_id: str) -> ReleaseStatus:
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise HTTPException(404)
    return status


@dataclass(frozen=True)
class Typed:
    """What somebody typed into a form of this page, to be kept when it is refused."""

    kind: str = ""
    severity: str = ""
    harm: str = ""
    reason: str = ""
    act_now: str = ""
    propose: bool = False


@router.get("/releases/{release_id}")
async def release(release_id: str, deps: Deps, session: SignedIn) -> Response:
    return await release_page(deps, session, release_id)


async def release_page(
    deps: Console,
    session: Session,
    release_id: str,
    *,
    problem: Problem | None = None,
    typed: Typed | None = None,
    sent: str = "",
) -> Response:
    """The page of one release. Raises HTTPException when there is none."""
    page = await Page.begin(deps, session)
    status = await _release(deps, release_id)
    playbook = await deps.catalogue.playbook(status.release.playbook_digest)
    detection = playbook.detection
    seq, judged = (await deps.signals.newest_evaluations([release_id])).get(release_id, (-1, None))
    rows = await rows_in_time(deps, release_id, after_seq=max(seq - RECENT, -1)) if judged else []
    last = rows[-charts.MEAN_BLOCKS :]
    incidents = await views.incidents_of(deps, release_id)
    triggers: dict[str, Any] = judged["triggers"] if judged else {}  # type: ignore[assignment]  # JSON as kept
    known = status.release
    rolling = next(iter(await rollouts.of_release(deps.ledger, release_id)), None)
    people = await directory(deps)
    glass = use_digest(ids.incident_workflow(known.environment, known.service, release_id))
    regions = ["verdict", "split", "table", "incidents", "concerns", "versions", "sets", "rollout", "rolling", "guard"]
    regions += ["moves"]
    regions += [f"caption-{name}" for name in detection.signals] + [f"evidence-{name}" for name in triggers]
    return page.html(
        "release.html",
        path=f"/releases/{segment(release_id)}",
        topic=release_id,
        regions=regions,
        code=problem.status if problem else 200,
        problem=problem,
        typed=typed or Typed(),
        decision_id=form_id(sent, problem),
        may=_may(people, session.person.subject) if status.closed_at is None else None,
        severities=tuple(Severity),
        max_harm=MAX_HARM,
        glass_words=GLASS_WORDS,
        glass_digest=glass,
        keys=await keys_of(deps, session.person.subject) if people and needs_key(people) else None,
        deny_keys=await keys_of(deps, session.person.subject)
        if people and needs_key(people, Action.deny_version)
        else None,
        may_deny=_may_deny(people, session.person.subject),
        denial_digest=denial_digest,
        concerns=await views.concerns_of(deps, release_id),
        lessons_here=await lessons.for_playbook(deps, playbook),
        lessons_warning="",
        fenced=fenced,
        status=status,
        release=status.release,
        watch=watched(status, detection, judged, page.now),
        members=MEMBERS,
        differs=status.release.candidate.differs_from(status.release.baseline),
        detection=detection,
        captions={name: charts.signal_caption(name, spec, last) for name, spec in detection.signals.items()},
        evidence={name: charts.evidence_caption(name, found) for name, found in triggers.items()},
        measures={name: measure(spec) for name, spec in detection.signals.items()},
        mean_blocks=charts.MEAN_BLOCKS,
        table=charts.table(detection, rows[-RECENT:]),
        shares=charts.shares(detection, last),
        configured=_configured(incidents),
        way_back=await live_versions.readiness_of(deps, release_id),
        guard=await guards.of_release(deps, release_id),
        instead=await versions.instead(deps, status.release, people) if people else "",
        moves=(await live_versions.moves_of(deps, known.service, known.environment))[-MOVES:],
        share=format_percent,
        versions=await versions.of_release(deps, status.release, people) if people else [],
        incidents=incidents,
        rollout=rolling,
        share_plot=share_plot(rolling, page.now) if rolling else None,
        recurring=await schedules.of_release(deps, known),
        rolling=forms(rolling, status, playbook, people, session.person.subject),
        start_keys=await keys_of(deps, session.person.subject)
        if people and needs_key(people, Action.start_rollout)
        else None,
        sets=await inclusive_sets.of_release(deps, status, playbook),
        playbook=playbook,
        flag=await thresholds.flag(deps, playbook.name),
        explained=explain(playbook),
        temporal=temporal_link(deps, ids.watch_workflow(status.release.environment, release_id)),
    )


@router.get("/releases/{release_id}/why")
async def why_page(release_id: str, deps: Deps, session: SignedIn) -> Response:
    """Why the watch says what it says: everything its newest verdict rests on."""
    page = await Page.begin(deps, session)
    status = await _release(deps, release_id)
    detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
    return page.html(
        "why.html",
        path=f"/releases/{segment(release_id)}/why",
        release=status.release,
        why=await why(deps, status, detection),
        bound=bound,
        strength=strength,
        percent_of=percent_of,
        spoken_odds=spoken_odds,
    )


@router.get("/releases/{release_id}/series.json")
async def series(release_id: str, deps: Deps, _: SignedIn) -> Response:
    """What the charts of a release draw; at most `charts.MAX_POINTS` points per line."""
    status = await _release(deps, release_id)
    playbook = await deps.catalogue.playbook(status.release.playbook_digest)
    rows = await rows_in_time(deps, release_id)
    evaluations = await deps.signals.evaluations(release_id)
    events = [event for view in await views.incidents_of(deps, release_id) for event in _events(view)]
    events += _outside(rows)
    return JSONResponse(charts.series(playbook.detection, rows, evaluations, events))


def _may(people: Directory | None, subject: str) -> dict[str, tuple[bool, str]]:
    """What this person may start here, and who else may, in words; the rules judge it again."""
    if people is None:
        return {}
    table = rights_in_force(people.governance)
    roles = set(people.roles_of(subject))
    found = {}
    for name, action in (
        ("propose", Action.propose),
        ("unfairness", Action.report_unfairness),
        ("concern", Action.raise_concern),
        ("break_glass", Action.break_glass),
    ):
        allowed = table.row(action, Severity.sev1).roles
        holders = spoken(tuple(person.name for person in people.holders(*allowed)))
        found[name] = (bool(roles & set(allowed)), holders)
    return found


def _may_deny(people: Directory | None, subject: str) -> bool:
    """Whether this person may put a version on the deny list; the rules judge it again."""
    if people is None:
        return False
    row = rights_in_force(people.governance).row(Action.deny_version, Severity.sev1)
    return bool(set(row.roles) & set(people.roles_of(subject)))


def temporal_link(deps: Console, workflow_id: str) -> str:
    """Where the Temporal UI shows a workflow."""
    return f"{deps.settings.temporal_ui_url}/namespaces/default/workflows/{quote(workflow_id, safe='')}"


def _configured(incidents: list[IncidentView]) -> str:
    """The split as it was last read from the target, from the Ledger; the console asks no target itself."""
    for view in incidents:
        if view.candidate_bp is not None:
            return f"{format_percent(view.candidate_bp)} candidate, read from the target in {view.incident_id}"
        if view.plan is not None:
            share = format_percent(view.plan.before.candidate_bp)
            return f"{share} candidate, read from the target for the plan of {view.incident_id}"
    return "not read yet: the target is read when a way back is planned"


def _outside(rows: Sequence[Row]) -> list[charts.Event]:
    """External events, at the first block that each of them overlaps."""
    first: dict[str, datetime] = {}
    for row in rows:
        for what in row.context.events if row.context else ():
            first.setdefault(what, row.start)
    return [charts.Event(at, what) for what, at in first.items()]


def _events(view: IncidentView) -> list[charts.Event]:
    """The instants of an incident that explain what the lines do."""
    events = [charts.Event(view.opened_at, "incident")]
    events += [charts.Event(ask.closed_at, ask.status) for ask in view.asks if ask.closed_at]
    events += [
        charts.Event(stage.ended_at, f"stage {stage.number} {stage.state}") for stage in view.stages if stage.ended_at
    ]
    if view.closed is not None and view.closed_at is not None:
        events.append(charts.Event(view.closed_at, view.closed.outcome.replace("_", " ")))
    return events
