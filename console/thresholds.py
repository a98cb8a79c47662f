"""Changes of thresholds at the console: propose one, propose to go back, what stands on record about each."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from activities.thresholds import examined
from console.adoptions import stored
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand import ids
from countermand.canonical import instant
from countermand.learning.change import KINDS, ChangeView, change, changes
from countermand.learning.editing import places, pointer_of, renumbered, with_value
from countermand.learning.proposal import REVIEW_AFTER, NotProposable, Origin, Proposal, usual_shadow
from countermand.learning.report import BacktestReport
from countermand.learning.review_dates import KINDS as REVIEW_KINDS
from countermand.learning.review_dates import Flag, overdue
from countermand.ledger.bodies import PlaybookAdopted
from countermand.messages.incident import incident
from countermand.playbook.load import PlaybookErrors


async def every(deps: Console) -> list[ChangeView]:
    """All proposals, newest first."""
    return list(reversed(changes(await deps.ledger.records(kinds=KINDS))))


async def one(deps: Console, proposal_id: str) -> ChangeView:
    """Raises Problem when nobody proposed it."""
    view = change(await deps.ledger.records(kinds=KINDS), proposal_id)
    if view is None:
        raise Problem(
            404, "unknown_proposal", f"there is no proposal {proposal_id!r}.", "See `countermand threshold list`."
        )
    return view


async def flag(deps: Console, playbook: str) -> Flag | None:
    """The thresholds of a playbook that nobody looked at for too long; None when there are none."""
    return overdue(await deps.ledger.records(kinds=REVIEW_KINDS), playbook, deps.clock())


async def report_of(deps: Console, view: ChangeView) -> BacktestReport | None:
    """The backtest; None before there is one, and where what is stored is not what was recorded."""
    found = await deps.ledger.get_blob(view.judged.backtest) if view.judged else None
    if found is None or view.judged is None:
        return None
    report = BacktestReport.model_validate_json(found[0])
    return report if report.digest == view.judged.backtest else None


async def adoption(deps: Console, view: ChangeView) -> PlaybookAdopted | None:
    """The adoption that people signed for this proposal, if it holds."""
    consent_id = ids.threshold_consent(view.proposal_id)
    return next((one for one in await deps.adoptions.of(view.proposed.playbook) if one.consent_id == consent_id), None)


async def in_force(deps: Console, playbook: str) -> tuple[PlaybookAdopted, bytes]:
    """The version in force and its text. Raises Problem when no version is."""
    known = await deps.adoptions.of(playbook)
    if not known:
        raise Problem(
            409, "playbook_not_adopted", f"no version of {playbook!r} is in force.", "`countermand playbook adopt FILE`"
        )
    return known[-1], (await stored(deps, known[-1].digest))[1]


async def playbook_of(deps: Console, incident_id: str) -> str:
    """The name of the playbook by which the release of an incident was watched. Raises Problem."""
    view = incident(await deps.ledger.records(incident_id=incident_id))
    status = await deps.catalogue.release(view.release_id) if view else None
    if status is None:
        raise Problem(404, "unknown_incident", f"there is no incident {incident_id!r}.", "List the incidents.")
    return (await deps.catalogue.playbook(status.release.playbook_digest)).name


async def propose(
    deps: Console,
    person: Person,
    *,
    proposed_digest: str,
    hypothesis: str,
    expected_effect: str,
    rollback_condition: str,
    origins: dict[str, Origin],
    review_days: int | None = None,
    shadow_days: int | None = None,
    shadow_because: str | None = None,
    review_of: str = "",
    back_to: str = "",
) -> dict[str, Any]:
    """Start a proposal; whoever proposes cannot sign. Raises Problem, OutcomeUnknown."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    if review_of:
        await playbook_of(deps, review_of)
    playbook, _ = await stored(deps, proposed_digest)
    newest, _ = await in_force(deps, playbook.name)
    usual = usual_shadow(playbook.detection)
    try:
        proposal = Proposal(
            proposal_id=f"thr-{uuid.uuid4().hex[:8]}",
            current_digest=newest.digest,
            proposed_digest=proposed_digest,
            hypothesis=hypothesis.strip(),
            expected_effect=expected_effect.strip(),
            rollback_condition=rollback_condition.strip(),
            origins=origins,
            review_on=_midnight(deps.clock() + (timedelta(days=review_days) if review_days else REVIEW_AFTER)),
            shadow=usual if shadow_days is None else timedelta(days=shadow_days),
            shadow_because=(shadow_because or "").strip() or None,
            review_of=review_of,
            back_to=back_to,
            proposed_by=directory.principal_of(person.subject),
        )
        _, _, found = await examined(deps.catalogue, deps.adoptions, proposal)
    except ValidationError as error:
        first = error.errors()[0]
        raise Problem(
            422,
            "schema",
            f"{first['loc'][0]}: {first['msg']} (got {first['input']!r}).",
            "Say it in one sentence of 10 to 400 characters.",
        ) from None
    except NotProposable as error:
        raise Problem(409, "not_proposable", error.detail, error.next) from None
    await deps.workflows.start_threshold(proposal)
    return {
        "proposal_id": proposal.proposal_id,
        "change": found.change,
        "changes": [one.model_dump(mode="json") for one in found.changes],
        "sentence": "The past is judged by both versions now; nothing changes before people sign.",
    }


async def propose_value(
    deps: Console,
    person: Person,
    incident_id: str,
    *,
    place: str,
    value: str,
    origin: Origin,
    hypothesis: str,
    expected_effect: str,
    rollback_condition: str,
) -> dict[str, Any]:
    """Propose the version in force with another value at one place, from a review. Raises Problem, OutcomeUnknown."""
    newest, raw = await in_force(deps, await playbook_of(deps, incident_id))
    try:
        text = renumbered(with_value(raw, place, value), newest.version + 1)
        digest, path = await deps.catalogue.put_playbook(text), pointer_of(place)
    except (ValueError, PlaybookErrors) as error:
        raise Problem(422, "schema", f"{error}", "Correct the value, and propose again.") from None
    return await propose(
        deps,
        person,
        proposed_digest=digest,
        hypothesis=hypothesis,
        expected_effect=expected_effect,
        rollback_condition=rollback_condition,
        origins={path: origin},
        review_of=incident_id,
    )


async def places_of(deps: Console, incident_id: str) -> tuple[tuple[str, str], ...]:
    """(place, value) that a review can propose to change; none when no version of its playbook is in force."""
    try:
        return places((await in_force(deps, await playbook_of(deps, incident_id)))[1])
    except Problem:
        return ()


async def go_back(deps: Console, person: Person, view: ChangeView, why: str) -> dict[str, Any]:
    """Propose the version before an adopted change; people sign it as any other. Raises Problem, OutcomeUnknown."""
    adopted = await adoption(deps, view)
    if adopted is None:
        raise Problem(
            409, "not_in_force", f"{view.proposal_id} was never adopted.", "There is nothing to go back from."
        )
    newest, _ = await in_force(deps, view.proposed.playbook)
    before, raw = await stored(deps, view.proposed.current_digest)
    digest = await deps.catalogue.put_playbook(renumbered(raw, newest.version + 1))
    known = f"version {before.version} of {before.name}"
    return await propose(
        deps,
        person,
        proposed_digest=digest,
        hypothesis=why,
        expected_effect=f"The watch does again what {known} did.",
        rollback_condition=f"What led from {known} to version {adopted.version} happens again.",
        origins={str(one["path"]): "judgement" for one in view.proposed.changes if one["path"] != "/version"},
        shadow_days=0,
        shadow_because=f"It is {known}, which was in force before.",
        back_to=view.proposed.current_digest,
    )


def view_json(view: ChangeView) -> dict[str, Any]:
    """`countermand.threshold/v1`: one proposal as it stands."""
    said = view.proposed
    return {
        "schema": "countermand.threshold/v1",
        **said.model_dump(mode="json"),
        "proposed_at": instant(view.at),
        "status": view.status,
        "sentence": state_sentence(view),
        "until": instant(view.phase.until) if view.phase and view.phase.until and not view.ended else None,
        "backtest": view.judged.backtest if view.judged else None,
        "findings": [one.model_dump(mode="json") for one in view.findings],
        "stops": [one.name for one in view.stops],
        "waivers": [one.model_dump(mode="json") for one in view.waivers],
        "shadow": [one.model_dump(mode="json") for one in view.heard],
        "consent_id": ids.threshold_consent(view.proposal_id) if view.status == "signing" else None,
        "compared": view.compared.model_dump(mode="json") if view.compared else None,
    }


def state_sentence(view: ChangeView) -> str:
    """What a person reads first: what happens now, until when, and what then."""
    if view.ended is not None:
        calm = view.compared is not None and not view.compared.outside
        return f"People adopted it. {view.ended.sentence} Nothing is asked of anybody." if calm else view.ended.sentence
    return view.phase.sentence if view.phase else "It is on record; its backtest begins."


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
