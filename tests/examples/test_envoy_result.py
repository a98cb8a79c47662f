"""The example's measurements call a bad run bad: each claim can fail, and fails for its own reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples.envoy.load import Request
from examples.envoy.result import Measured, WayBack, periods, proofs, stages, table
from examples.envoy.router import InForce

WAY = WayBack(
    incident_id="inc-1",
    opened=5.0,
    approved=9.0,
    began=10.0,
    ended=40.0,
    closed=45.0,
    outcome="reverted",
    verified="9 bad of 400 labelled answers.",
    planned=(2_500, 0),
    settle_seconds=1.0,
    residual_bp=100,
)
WEIGHTS = (
    InForce(5_000, 5_000, 0.0, 9.95),
    InForce(2_500, 7_500, 10.0, 24.95),
    InForce(0, 10_000, 25.0, 50.0),
)
FAILED = "no request failed and none is missing"
LOAD = "the load was kept up during the way back"
SEEN = "each stage is seen in the answers of users"
NEVER_ABOVE = "the candidate's share never rose on the way"
ONE_STEP = "both weights changed in one step, once per stage"
HEALTHY = "shown to be healthy by labelled answers"
LEDGER = "the ledger is unbroken"
CRASHES = "no process had to be started again"


def requests(rate: int = 100) -> list[Request]:
    """50 s of traffic that follows the weights, in a fixed order of arms."""
    made = []
    for number in range(50 * rate):
        due = number / rate
        share = next(one.candidate for one in reversed(WEIGHTS) if one.since <= due)
        arm = "candidate" if number * 2_500 % 10_000 < share else "baseline"
        made.append(Request(number, due, due + 0.001, due + 0.005, 200, arm))
    return made


def good() -> Measured:
    return Measured(way=WAY, requests=requests(), weights=WEIGHTS, loads=3, crashes=(), ledger_holds=True, rate=100.0)


def broken(measured: Measured) -> list[str]:
    return [proof.claim for proof in proofs(measured) if not proof.holds]


def test_a_good_run_proves_everything() -> None:
    assert broken(good()) == []


@pytest.mark.parametrize(
    "worse",
    [{"status": 503}, {"status": 0, "arm": ""}, {"arm": ""}, {"arm": "somebody else"}],
    ids=["503", "no answer", "half an answer", "an unknown arm"],
)
def test_one_failed_request_is_enough(worse: dict[str, object]) -> None:
    rows = requests()
    rows[1_500] = rows[1_500]._replace(**worse)  # type: ignore[arg-type]  # one field each
    assert broken(replace(good(), requests=rows)) == [FAILED]


def test_a_request_that_is_missing_is_not_a_success() -> None:
    assert broken(replace(good(), requests=requests()[:1_500] + requests()[1_501:])) == [FAILED]
    assert FAILED in broken(replace(good(), requests=[]))


def test_one_answer_of_the_candidate_after_the_last_stage_is_enough() -> None:
    rows = requests()
    rows[4_000] = rows[4_000]._replace(arm="candidate")
    assert broken(replace(good(), requests=rows)) == [SEEN]


def test_a_share_outside_the_interval_is_seen() -> None:
    """40 % where 25 % were asked for."""
    rows = [
        row._replace(arm="candidate" if row.number % 5 < 2 else "baseline") if 11 < row.due < 24 else row
        for row in requests()
    ]
    assert broken(replace(good(), requests=rows)) == [SEEN]


def test_too_few_requests_are_no_evidence() -> None:
    """1,300 at 0 % are enough, 260 are not, although none went to the candidate."""
    few = replace(good(), requests=requests(rate=10), rate=10.0)
    assert [stage.inside for stage in stages(few)] == [False, False]
    assert broken(few) == [SEEN]


def test_a_stage_that_was_never_in_force_is_missed() -> None:
    assert SEEN in broken(replace(good(), weights=(WEIGHTS[0], WEIGHTS[2]), loads=2))


def test_a_share_that_jumps_up_while_it_moves_is_seen() -> None:
    """Everybody is sent to the candidate in the second in which half should become a quarter."""
    rows = [row._replace(arm="candidate") if 10 <= row.due < 11 else row for row in requests()]
    assert broken(replace(good(), requests=rows)) == [NEVER_ABOVE]


def test_two_weights_written_one_after_the_other_are_seen() -> None:
    halfway = InForce(5_000, 7_500, 9.96, 9.99)
    assert ONE_STEP in broken(replace(good(), weights=(WEIGHTS[0], halfway, *WEIGHTS[1:]), loads=4))
    # Too quick for whoever looks 20 times a second, not for Envoy's own count.
    assert broken(replace(good(), loads=5)) == [ONE_STEP]


def test_a_load_that_was_not_sent_proves_little() -> None:
    assert broken(replace(good(), rate=200.0)) == [LOAD]
    rows = requests()
    rows[2_001] = rows[2_001]._replace(sent=31.0, done=31.1)
    assert broken(replace(good(), requests=rows)) == [LOAD]


def test_crash_outcome_and_ledger_count() -> None:
    assert broken(replace(good(), crashes=("envoy ended with exit code 1",))) == [CRASHES]
    assert broken(replace(good(), way=WAY._replace(outcome="reverted_not_verified"))) == [HEALTHY]
    assert broken(replace(good(), ledger_holds=False)) == [LEDGER]


def test_latency_counts_from_when_a_request_was_due() -> None:
    """A stall of two seconds after which all waiting requests are sent at once is felt by each of them."""
    rows = [row._replace(sent=22.0, done=22.004) if 20 <= row.due < 22 else row for row in requests()]
    before, during, after = periods(replace(good(), requests=rows))
    assert (before.requests, during.requests, after.requests) == (1_000, 3_001, 999)
    assert before.p99 < 6
    assert during.p99 > 1_000


def test_the_table_says_what_was_asked_what_was_seen_and_how_long_it_took() -> None:
    text = "\n".join(table(good()))
    assert "25 %" in text
    assert "yes" in text
    assert "NO" not in text
    assert "from the trigger to the end of the last stage 35.0 s: 4.0 s until two people had agreed" in text
