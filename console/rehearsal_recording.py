"""Taking a finished rehearsal into production's Ledger: judged anew here, from the run itself and its scenario."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from pydantic import ValidationError

from adapters.rehearsal_report import render_report
from console import adoptions, rehearsals
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.ledger.bodies import RehearsalFinished, RehearsalPassed
from countermand.ledger.record import Kind
from countermand.playbook.load import parse
from countermand.rehearsal.at_a_table import finished_at_a_table
from countermand.rehearsal.loading import ScenarioErrors, parse_scenario
from countermand.rehearsal.outcome import finished
from countermand.rehearsal.past_runs import past_runs
from countermand.rehearsal.received import RunRefused, hold, leads_somewhere, run_id_of, same_scenario
from countermand.rehearsal.report import markdown
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import score
from countermand.rehearsal.tabletop import Answer, AnswersInvalid, as_markdown, judged
from countermand.rehearsal.trend import trend


async def record(deps: Console, person: Person, raw_run: Any, text: str) -> dict[str, Any]:
    """Judge a run and record it; `rehearsal.passed` only when every line held. The same run again changes nothing.

    Raises Problem with the reason when anything in it does not hold.
    """
    await _with_a_role(deps, person)
    try:
        run = Run.model_validate(raw_run)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Problem(
            422, "run_invalid", f"{place}: {first['msg']}", "Send run.json as the rehearsal wrote it."
        ) from error
    scenario = _scenario(text)
    _, playbook = await adoptions.stored(deps, run.playbook_digest)
    try:
        await asyncio.to_thread(hold, run, scenario, playbook, deps.clock())
    except RunRefused as refused:
        _refuse(refused)
    book, run_id = parse(playbook), run_id_of(run)
    result = await asyncio.to_thread(score, run, scenario, book)
    earlier = await _earlier(deps)
    since = trend(finished(run_id, run, scenario, book, result, report="", html="")[0], earlier)
    report = markdown(run, scenario, result, since)
    page = render_report(deps.settings.templates, run, scenario, result, since)
    digests = [await deps.ledger.put_blob(report.encode(), "text/markdown")]
    digests.append(await deps.ledger.put_blob(page.encode(), "text/html"))
    body, passed = finished(run_id, run, scenario, book, result, report=digests[0], html=digests[1])
    return await _recorded(deps, person, body, passed, earlier)


async def record_tabletop(
    deps: Console, person: Person, text: str, playbook_digest: str, answers: list[Answer]
) -> dict[str, Any]:
    """Judge answers given at a table and record them; they never count as a rehearsal that passed. Raises Problem."""
    await _with_a_role(deps, person)
    scenario = _scenario(text)
    book, raw = await adoptions.stored(deps, playbook_digest)
    try:
        leads_somewhere(scenario, raw)
        found = judged(scenario, answers)
    except RunRefused as refused:
        _refuse(refused)
    except AnswersInvalid as error:
        raise Problem(422, "answers_invalid", f"{error}", "Correct the answers and send them again.") from error
    report = as_markdown(scenario, found)
    body = finished_at_a_table(scenario, book, playbook_digest, found, report, deps.clock())
    # What people gave as their reasons can be erased with everything else that they typed.
    await deps.ledger.put_blob(report.encode(), "text/markdown", quotes=f"rehearsal/{body.run_id}")
    return await _recorded(deps, person, body, None, await _earlier(deps))


async def _recorded(
    deps: Console,
    person: Person,
    body: RehearsalFinished,
    passed: RehearsalPassed | None,
    earlier: list[RehearsalFinished],
) -> dict[str, Any]:
    known = next((one for one in earlier if one.run_id == body.run_id), None)
    if known is None:
        await deps.ledger.append(body.entry(f"rehearsal/{body.run_id}", person.subject))
        known = body
    if passed is not None:
        await deps.ledger.append(passed.entry(f"rehearsal/{body.run_id}/passed", person.subject))
    run, _ = await rehearsals.one_run(deps, known.run_id)
    return {"schema": "countermand.rehearsal/v1", **rehearsals.run_json(run)}


async def _earlier(deps: Console) -> list[RehearsalFinished]:
    return [run.body for run in past_runs(await deps.ledger.records(kinds=[Kind.rehearsal_finished]))]


async def _with_a_role(deps: Console, person: Person) -> None:
    if not (await deps.people.snapshot()).roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")


def _scenario(text: str) -> Scenario:
    try:
        scenario = parse_scenario(text.encode())
    except ScenarioErrors as error:
        raise Problem(
            422, "scenario_invalid", error.problems[0], "`countermand rehearsal show FILE` says more."
        ) from error
    try:
        same_scenario(scenario, next((one for one in rehearsals.shipped() if one.id == scenario.id), None))
    except RunRefused as refused:
        _refuse(refused)
    return scenario


def _refuse(refused: RunRefused) -> NoReturn:
    raise Problem(422, refused.code, f"{refused}", "Nothing was recorded.") from refused
