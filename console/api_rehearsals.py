"""Rehearsals over the JSON API: which were run, how they went, and the report of one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from console import rehearsal_recording, rehearsals
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.decide import Act
from console.intake import inflated
from console.problems import Problem
from countermand.canonical import instant
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.terms import Name
from countermand.rehearsal import windows
from countermand.rehearsal.past_runs import past_runs
from countermand.rehearsal.tabletop import Answer

router = APIRouter()

#: A long run has some thousand records.
MAX_RUN = 32 * 1024 * 1024
ScenarioText = Annotated[str, Field(min_length=1, max_length=200_000)]


class SentRun(BaseModel):
    """A run as the rehearsal wrote it, and the text of its scenario."""

    model_config = ConfigDict(extra="forbid")

    run: dict[str, Any]
    scenario: ScenarioText


class NewWindow(BaseModel):
    """When a scenario may be rehearsed without a word before, and who knows."""

    model_config = ConfigDict(extra="forbid")

    scenario: Name
    from_: Annotated[AwareDatetime, Field(alias="from")]
    until: AwareDatetime
    known: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1, max_length=20)]
    reason: ReasonText


class SentAnswers(BaseModel):
    """Answers given at a table. playbook_digest: of the scenario's playbook as it was sent here."""

    model_config = ConfigDict(extra="forbid")

    scenario: ScenarioText
    playbook_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    answers: Annotated[list[Answer], Field(max_length=100)]


@router.get("/api/v1/rehearsals")
async def every(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Every finished run, the oldest first."""
    runs = past_runs(await deps.ledger.records(kinds=[Kind.rehearsal_finished]))
    return {"schema": "countermand.rehearsals/v1", "runs": [rehearsals.run_json(run) for run in runs]}


@router.get("/api/v1/rehearsals/{run_id}")
async def one(run_id: Annotated[str, Path(max_length=100)], deps: Deps, _: SignedIn) -> dict[str, Any]:
    """One run: its numbers, what changed since the last one, and the report in Markdown if it was kept."""
    run, since = await rehearsals.one_run(deps, run_id)
    text = await rehearsals.report(deps, run.body.report_sha256)
    return {
        "schema": "countermand.rehearsal/v1",
        **rehearsals.run_json(run),
        "since": since.model_dump(mode="json"),
        "report": text,
    }


@router.post("/api/v1/rehearsals")
async def take(request: Request, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Record a finished run. It is judged anew here; one that was changed, or is none of a rehearsal, is refused.

    The body is `{"run": …, "scenario": "…"}`: run.json as it was written and the scenario's text. It may be gzip.
    """
    raw = await inflated(request, MAX_RUN)
    try:
        sent = SentRun.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(map(str, first["loc"])) or "body"
        raise Problem(422, "schema", f"{place}: {first['msg']}", 'Send {"run": …, "scenario": "…"} as JSON.') from error
    return await rehearsal_recording.record(deps, person, sent.run, sent.scenario)


@router.post("/api/v1/rehearsals/tabletop")
async def take_answers(body: SentAnswers, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Record what people answered at a table. It never counts as a rehearsal that passed."""
    return await rehearsal_recording.record_tabletop(deps, person, body.scenario, body.playbook_digest, body.answers)


@router.get("/api/v1/rehearsal-windows")
async def signed_windows(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Windows for unannounced rehearsals that are not over, oldest first."""
    signed = windows.windows(await deps.ledger.records(kinds=[Kind.decision]), deps.keys.gateway_keys())
    return {
        "schema": "countermand.rehearsal_windows/v1",
        "windows": [
            {
                "scenario": one.scenario,
                "from": instant(one.begins),
                "until": instant(one.until),
                "known": one.known,
                "signed_by": one.signed_by,
            }
            for one in signed
            if one.until > deps.clock()
        ],
    }


@router.post("/api/v1/rehearsal-windows")
async def sign_window(
    body: NewWindow, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Sign a window for an unannounced rehearsal. Executives only; outside of it nobody is paged."""
    act = Act(
        kind=DecisionKind.open_window,
        reason=body.reason,
        decision_id=idempotency_key,
        terms=windows.terms(body.scenario, body.from_, body.until, ", ".join(body.known)),
    )
    return (await deps.gate.decide(act, person, "api")).model_dump(mode="json")
