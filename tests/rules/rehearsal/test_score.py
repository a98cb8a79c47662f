"""A run as numbers, beside earlier runs, and what was never practised (LRN-23, LRN-24)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from countermand.ledger.bodies import RehearsalFinished
from countermand.rehearsal.coverage import coverage
from countermand.rehearsal.freshness import freshness
from countermand.rehearsal.outcome import finished
from countermand.rehearsal.past_runs import PastRun, past_runs
from countermand.rehearsal.report import markdown
from countermand.rehearsal.run import Act, Delivery
from countermand.rehearsal.score import score
from countermand.rehearsal.tabletop import as_markdown, judged, parse_answers
from countermand.rehearsal.trend import trend
from tests.rules.rehearsal import played

DAY = timedelta(days=1)


def body(run_id: str = "r-1", scenario: str = "injection-campaign", **changes: Any) -> RehearsalFinished:
    story, run = played.scenario(), played.run()
    made, _ = finished(
        run_id,
        run,
        story,
        played.playbook(),
        score(run, story, played.playbook()),
        report="sha256:r",
        html="sha256:h",
    )
    return made.model_copy(update={"scenario": scenario, **changes})


def past(made: RehearsalFinished, days_ago: float = 0) -> PastRun:
    return PastRun(made, played.BEGIN - days_ago * DAY, 7)


def test_lrn_23_the_times_between_turning_points_are_of_the_records() -> None:
    found = score(played.run(), played.scenario(), played.playbook())
    spans = {one.name: one.seconds for one in found.spans}
    assert spans["harm to detected"] == 240
    assert spans["detected to asked"] == 120
    assert spans["asked to seen"] == 60
    assert spans["first_effect to all_clear"] is None
    assert found.passed


def test_lrn_23_who_was_not_reached_is_told_with_every_try() -> None:
    lost = tuple(played.told(to="eva", channel="slack", delivered=False, attempt=n) for n in (1, 2, 3))
    found = score(played.run(messages=(played.told(), *lost)), played.scenario(), played.playbook())
    assert [(one.to, one.tries, one.seconds) for one in found.not_reached] == [("eva", 3, None)]
    assert [one.to for one in found.reached] == ["omar"]


def test_lrn_23_a_forbidden_act_counts_as_tried_though_it_was_refused() -> None:
    tried = Act(at=9, who="automation", kind="approve", accepted=False, code="actor_not_a_person")
    found = score(played.run(acts=(*played.acts(), tried)), played.scenario(), played.playbook())
    assert found.forbidden_tried == ("automation: approve, refused: actor not a person",)
    assert found.passed


def test_lrn_23_a_quorum_that_a_lost_role_makes_unattainable_is_named() -> None:
    story = played.scenario("nobody-in-the-chain")
    run = played.run(scenario_id=story.id, scenario_digest=story.digest)
    found = score(run, story, played.playbook())
    assert found.quorum_missing == ("1 incident commander", "2 different people (there are 1)")
    assert not found.passed


def test_a_run_that_failed_or_had_no_sandbox_leaves_no_proof_of_a_rehearsal() -> None:
    story, book = played.scenario(), played.playbook()

    def passed(**changes: Any) -> bool:
        run = played.run(**changes)
        return finished("r", run, story, book, score(run, story, book), report="", html="")[1] is not None

    assert passed()
    assert not passed(messages=())
    assert not passed(mode="tabletop")


def test_the_record_of_a_run_is_read_back_once() -> None:
    record = played.written(body(), 3, 1)
    assert [run.body.run_id for run in past_runs([record, record])] == ["r-1"]


def test_a_trend_compares_the_same_scenario_in_the_same_form_only() -> None:
    earlier = [body("r-0", seconds={"asked_to_seen": 90}, failed=1)]
    earlier += [body("r-x", scenario="other"), body("r-y", mode="people")]
    found = trend(body("r-1", seconds={"asked_to_seen": 60}), earlier)
    assert found.since == "r-0"
    assert {one.name: one.word for one in found.changes} == {"failed lines": "better", "asked to seen": "better"}
    assert "2 runs show no trend yet" in found.note
    assert trend(body("r-2", scenario="new"), earlier).note.startswith("This is the first run")


def test_lrn_24_cells_that_were_never_exercised_come_first() -> None:
    cells = coverage([past(body())], [played.scenario(), played.scenario("cost-blow-up")])
    assert cells[0].scenarios == ("cost-blow-up",)
    assert cells[-1].runs == 1
    assert (cells[-1].branch, cells[-1].fault, cells[-1].shift) == ("rejected", "attack", "evening")


def test_lrn_24_a_stale_playbook_says_which_right_it_lowers() -> None:
    def looked(days: float, **changes: Any) -> dict[str, bool]:
        runs = [past(body(**changes), days)]
        found = freshness(runs, played.BEGIN, playbooks={played.DIGEST: "assistant"}, roles={"safety_lead"})
        assert [one.stale for one in found] == sorted((one.stale for one in found), reverse=True)
        stale_book = next(one for one in found if one.what == "playbook")
        assert ("No standing authorisation holds" in stale_book.lowers) == stale_book.stale
        return {f"{one.what} {one.name}": one.stale for one in found}

    assert not looked(90)["playbook assistant"]
    assert looked(91)["playbook assistant"]
    assert looked(1, failed=1)["playbook assistant"]
    assert looked(1, mode="tabletop")["playbook assistant"]


def test_lrn_24_scripted_people_do_not_make_a_role_or_a_shift_fresh() -> None:
    def stale(mode: str) -> set[str]:
        runs = [past(body(mode=mode), 1)]
        found = freshness(runs, played.BEGIN, playbooks={}, roles={"safety_lead"})
        return {one.name for one in found if one.stale}

    assert {"safety_lead", "evening"} <= stale("scripted")
    assert not {"safety_lead", "evening"} & stale("people")
    assert not {"safety_lead", "evening"} & stale("tabletop")


def test_the_report_says_what_failed_first_and_no_cell_breaks_its_table() -> None:
    story, book = played.scenario(), played.playbook()
    lost = Delivery(at=1, channel="e|mail", audience="exec", step="x", to="a|b", delivered=False, attempt=1)
    run = played.run(messages=(lost,))
    text = markdown(run, story, score(run, story, book), trend(body(), []))
    assert text.index("## What failed") < text.index("## The oracle")
    assert "1 of 10 lines of the oracle failed" in text
    assert "a\\|b" in text
    assert "not legal advice" in text


def test_no_text_of_a_scenario_or_an_answer_makes_a_heading_a_link_or_a_picture() -> None:
    forged = "Well\n\n## All is well\n\n[Open](https://there.example) <img src=x>"
    story, book = played.scenario().model_copy(update={"title": forged, "point": forged}), played.playbook()
    run = played.run()
    text = markdown(run, story, score(run, played.scenario(), book), trend(body(), []))
    given = f"answers:\n  - {{turn: sample_speaks, answer: evidence, who: Sam, because: {json.dumps(forged)}}}\n"
    table = as_markdown(story, judged(story, parse_answers(given.encode())))
    for one in (text, table):
        assert "\n## All is well" not in one
        assert "[Open](" not in one.replace("\\[", "")
        assert "<img" not in one


def test_r24_a_question_without_an_answer_has_failed_and_the_report_says_what_is_right() -> None:
    given = parse_answers(b"answers:\n  - {turn: sample_speaks, answer: evidence, who: Sam, because: It is fenced}\n")
    found = judged(played.scenario(), given)
    assert [one.held for one in found] == [True, False]
    text = as_markdown(played.scenario(), found)
    assert "1 of 2 questions right" in text
    assert "Said: no answer. Not right." in text
