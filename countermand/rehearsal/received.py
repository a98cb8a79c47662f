"""Whether a run that somebody sends may count in production: every claim in it is held against what it rests on."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta

from countermand.canonical import digest_bytes
from countermand.ledger.bodies import ReleaseRegistered, parse_body
from countermand.ledger.private import commitments, put_text, text_at
from countermand.ledger.record import ChainBroken, Kind, Record, parse_line, verify_chain
from countermand.obligations.dataset import shipped
from countermand.playbook.load import parse
from countermand.rehearsal.references import dangling
from countermand.rehearsal.rendition import rendition
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.seal import seal_holds

#: A run is recorded while people remember it; an old one says nothing about today.
RECORD_WITHIN = timedelta(days=7)
#: Clocks of two machines may differ by this much.
_CLOCKS = timedelta(minutes=5)


class RunRefused(ValueError):
    """The run does not count. `code` is stable; the message names the value and what would be accepted."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def run_id_of(run: Run) -> str:
    """The same for the same run, whoever sends it."""
    return f"{run.scenario_id}-{digest_bytes(run.model_dump_json().encode()).removeprefix('sha256:')[:12]}"


def same_scenario(scenario: Scenario, known: Scenario | None) -> None:
    """Raises RunRefused when a scenario has the name of one that ships with the product, and says something else."""
    if known is not None and known.digest != scenario.digest:
        raise RunRefused(
            "scenario_changed",
            f"scenario {scenario.id!r} is not the one that ships with this version ({scenario.digest} instead of "
            f"{known.digest}); send the shipped text, or give a scenario of your own its own `id`",
        )


def leads_somewhere(scenario: Scenario, playbook: bytes) -> None:
    """Raises RunRefused when a scenario names what this playbook does not have."""
    rows = frozenset(row.id for row in shipped().obligations)
    for place, words in dangling(scenario, parse(playbook), rows):
        raise RunRefused("scenario_unfit", f"{'.'.join(map(str, place))}: {words}")


def hold(run: Run, scenario: Scenario, playbook: bytes, now: datetime) -> None:
    """Hold a run against its scenario and the exact bytes of its playbook. Raises RunRefused with the first reason."""
    if run.mode == "tabletop":
        raise RunRefused("no_sandbox", "a tabletop leaves no run; send its answers")
    if (run.scenario_id, run.scenario_digest) != (scenario.id, scenario.digest):
        raise RunRefused(
            "other_scenario",
            f"the run is of {run.scenario_id!r} {run.scenario_digest}, the text of {scenario.id!r} {scenario.digest}; "
            "send the text that was played",
        )
    leads_somewhere(scenario, playbook)
    _playbook(run, playbook)
    _records(run)
    if not seal_holds(run):
        raise RunRefused(
            "seal_broken", "the seal of the run does not hold: it was changed after the sandbox had ended; run it again"
        )
    _lately(run, now)


def _playbook(run: Run, playbook: bytes) -> None:
    if digest_bytes(playbook) != run.playbook_digest:
        raise RunRefused(
            "other_playbook", f"the run names playbook {run.playbook_digest}, not {digest_bytes(playbook)}"
        )
    expected = digest_bytes(rendition(playbook, run.time_scale))
    if run.rendition_digest != expected:
        raise RunRefused(
            "other_playbook",
            f"the run played {run.rendition_digest}; playbook {run.playbook_digest} with machine times divided by "
            f"{run.time_scale} is {expected}",
        )
    for record in run.records:
        body = parse_body(record)
        if isinstance(body, ReleaseRegistered) and body.playbook_digest != expected:
            raise RunRefused(
                "other_playbook", f"record {record.seq} has a release with {body.playbook_digest}, not {expected}"
            )


def _records(run: Run) -> None:
    if not any(record.kind is Kind.release_registered for record in run.records):
        raise RunRefused("nothing_played", f"no release among {len(run.records)} records; a whole run is accepted")
    try:
        _, head = verify_chain(record.line for record in run.records)
    except ChainBroken as error:
        raise RunRefused("chain_broken", f"the sandbox's ledger does not hold: {error}") from error
    if head != run.ledger_head:
        raise RunRefused("chain_broken", f"the records end with {head}, the run says {run.ledger_head}")
    for record in run.records:
        line = parse_line(record.line)
        if not line.rehearsal:
            raise RunRefused(
                "not_a_rehearsal",
                f"record {record.seq} does not say that it is of a rehearsal; records of production are never accepted",
            )
        if _without_words(record, line) != line:
            raise RunRefused("chain_broken", f"record {record.seq} says something else than its line")


def _without_words(record: Record, line: Record) -> Record:
    """The record as its line has it: commitments instead of people's words, and the sandbox's own clock."""
    body = deepcopy(record.body)
    try:
        for pointer, _ in commitments(line.body):
            put_text(body, pointer, text_at(line.body, pointer))
        if record.kind is Kind.decision and "bound" not in line.body["decision"]:
            body["decision"].pop("bound", None)
    except (KeyError, IndexError, TypeError):
        return record
    return record.model_copy(update={"body": body, "at": line.at})


def _lately(run: Run, now: datetime) -> None:
    ended = parse_line(run.records[-1].line).at
    if not now - RECORD_WITHIN <= ended <= now + _CLOCKS:
        raise RunRefused(
            "too_late",
            f"the run ended {ended:%Y-%m-%d %H:%M} UTC; it is accepted within {RECORD_WITHIN.days} days of its end",
        )
