"""What somebody sends as a rehearsal counts only if nobody touched it: each manipulation is refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from countermand.rehearsal.received import RunRefused, hold, same_scenario
from countermand.rehearsal.run import Run
from countermand.rehearsal.seal import seal_holds, sealed
from tests.rules.rehearsal import played
from tests.rules.rehearsal.sealed_runs import KEY, PLAYBOOK, Key, a_run, told

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def refused(run: Run, playbook: bytes = PLAYBOOK, now: datetime = NOW) -> tuple[str, str]:
    with pytest.raises(RunRefused) as error:
        hold(run, played.scenario(), playbook, now)
    return error.value.code, str(error.value)


def test_a_run_as_the_sandbox_left_it_counts_also_after_a_way_through_json() -> None:
    run = a_run(NOW)
    hold(run, played.scenario(), PLAYBOOK, NOW)
    hold(Run.model_validate_json(run.model_dump_json(indent=1)), played.scenario(), PLAYBOOK, NOW)


def earlier(run: Run) -> Run:
    """A late decision is dated back."""
    late = run.records[-2].model_copy(update={"at": run.records[-2].at - timedelta(minutes=5)})
    return run.model_copy(update={"records": (*run.records[:-2], late, run.records[-1])})


def reworded(run: Run) -> Run:
    """The body of a record, not its line."""
    last = run.records[-1]
    other = last.model_copy(update={"body": last.body | {"outcome": "reverted"}})
    return run.model_copy(update={"records": (*run.records[:-1], other)})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda run: run.model_copy(update={"acts": run.acts[:1]}), "seal_broken"),
        (lambda run: run.model_copy(update={"mode": "people"}), "seal_broken"),
        (lambda run: run.model_copy(update={"messages": ()}), "seal_broken"),
        (earlier, "seal_broken"),
        (lambda run: run.model_copy(update={"seal": ""}), "seal_broken"),
        (reworded, "chain_broken"),
        (lambda run: run.model_copy(update={"records": run.records[:-1]}), "chain_broken"),
        (lambda run: run.model_copy(update={"records": run.records[1:]}), "chain_broken"),
        (lambda run: run.model_copy(update={"records": ()}), "nothing_played"),
        (lambda run: run.model_copy(update={"time_scale": 60}), "other_playbook"),
        (lambda run: run.model_copy(update={"scenario_digest": played.DIGEST}), "other_scenario"),
    ],
)
def test_a_run_that_somebody_edited_is_refused(change: Callable[[Run], Run], code: str) -> None:
    assert refused(change(a_run(NOW)))[0] == code


def test_the_seal_of_another_key_is_refused() -> None:
    assert not seal_holds(sealed(told(NOW), Key()))


def test_records_of_production_are_refused() -> None:
    code, words = refused(sealed(told(NOW, rehearsal=False), KEY))
    assert (code, words.split(" does")[0]) == ("not_a_rehearsal", "record 0")


def test_another_playbook_under_the_same_name_is_refused() -> None:
    assert refused(a_run(NOW), PLAYBOOK + b"\n# easier\n")[0] == "other_playbook"


def test_a_release_that_was_played_with_another_playbook_is_refused() -> None:
    assert refused(sealed(told(NOW, playbook=played.DIGEST), KEY))[0] == "other_playbook"


def test_a_run_of_last_month_says_nothing_about_today() -> None:
    assert refused(a_run(NOW - timedelta(days=30)))[0] == "too_late"
    assert refused(a_run(NOW + timedelta(days=1)))[0] == "too_late"


def test_an_easier_text_under_the_name_of_a_shipped_scenario_is_refused() -> None:
    easier = played.scenario().model_copy(update={"expected_decisions": ()})
    with pytest.raises(RunRefused, match="give a scenario of your own its own `id`"):
        same_scenario(easier, played.scenario())
    same_scenario(easier.model_copy(update={"id": "ours"}), None)
