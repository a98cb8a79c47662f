"""What counters gained is exact for any life of any process: each output is counted once, in the block whose scrape
saw it first."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.prometheus_asking import Asked
from adapters.prometheus_counts import Inconsistent, Series, Window, gained, unusable, whole
from adapters.prometheus_http import Unknown
from adapters.prometheus_queries import arm_matchers, counter_queries
from adapters.prometheus_sums import sums_of
from countermand.playbook.queries import SignalQuery
from tests import cases
from tests.adapters.sources.prometheus_cases import COUNTERS, START, signal, utility

SCRAPE = 1_000
WINDOW = Window(10_000, 15_000, SCRAPE)


def series(name: str, *samples: tuple[int, float], instance: str | None = "a", **labels: str) -> Series:
    target = {} if instance is None else {"job": "bot", "instance": instance}
    return Series(frozenset({"__name__": name, **target, **labels}.items()), samples)


@dataclass(frozen=True)
class Life:
    """Answers of one process between its start and its end: (time, bad?)."""

    begins: int
    ends: int
    answers: tuple[tuple[int, bool], ...]


Target = tuple[tuple[Life, ...], tuple[int, ...]]

#: Length of a life, time until the next one, and the answers: when within the life, and whether bad.
A_LIFE = st.tuples(
    st.integers(1, 15_000),
    st.integers(0, 3_000),
    st.lists(st.tuples(st.integers(0, 14_999), st.booleans()), max_size=30),
)


def target(parts: list[tuple[int, int, list[tuple[int, bool]]]], jitter: list[int]) -> Target:
    """Consecutive lives of one target, and its scrapes from well before the block to after it."""
    found, begins = [], 0
    for length, gap, answers in parts:
        own = tuple(sorted((begins + at % length, bad) for at, bad in answers))
        found.append(Life(begins, begins + length, own))
        begins += length + gap
    return tuple(found), tuple(i * SCRAPE + shift for i, shift in enumerate(jitter, start=5))


TARGET = st.builds(
    target, st.lists(A_LIFE, min_size=1, max_size=5), st.lists(st.integers(-300, 300), min_size=12, max_size=12)
)


def scraped(one: Target, instance: str) -> tuple[list[Series], list[int]]:
    """The series Prometheus would show for the block, and (all, bad) outputs by the scrape that saw them first."""
    found, scrapes = one
    samples: dict[str, list[tuple[int, float]]] = {"total": [], "bad": []}
    counted = [0, 0]
    known, previous = False, -1
    for at in scrapes:
        life = next((life for life in found if life.begins <= at < life.ends), None)
        if life is None or not WINDOW.start - 3 * SCRAPE <= at <= WINDOW.end:
            continue
        until_now = [bad for moment, bad in life.answers if moment <= at]
        fresh = [bad for moment, bad in life.answers if previous < moment <= at]
        samples["total"].append((at, len(until_now)))
        samples["bad"].append((at, sum(until_now)))
        if at > WINDOW.start and known:
            counted[0] += len(fresh)
            counted[1] += sum(fresh)
        known, previous = True, at
    return [series(name, *own, instance=instance) for name, own in samples.items() if own], counted


@given(st.lists(TARGET, min_size=1, max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_processes_add_up_to_what_their_scrapes_saw(targets: list[Target], order: random.Random) -> None:
    everything = [scraped(one, str(number)) for number, one in enumerate(targets)]
    # A restart that no counter shows by falling cannot be told from none.
    assume(all(shows_its_restarts(one) for one in targets))
    expected = [sum(counted[i] for _, counted in everything) for i in (0, 1)]
    shown = [one for own, _ in everything for one in own]
    order.shuffle(shown)
    parts = {name: [one for one in shown if one.label("__name__") == name] for name in ("total", "bad")}
    try:
        gains = gained(parts, WINDOW)
    except Inconsistent:
        assume(False)
    assert [whole(gains["total"]), whole(gains["bad"])] == expected


def shows_its_restarts(one: Target) -> bool:
    found, scrapes = one
    seen: tuple[Life, int] | None = None
    for at in scrapes:
        life = next((life for life in found if life.begins <= at < life.ends), None)
        if life is None:
            continue
        value = sum(moment <= at for moment, _ in life.answers)
        if seen is not None and seen[0] is not life and 0 < seen[1] <= value:
            return False
        seen = (life, value)
    return True


def gains_of(**parts: list[Series]) -> dict[str, int]:
    return {name: whole(own) for name, own in gained(parts, WINDOW).items()}


def test_a_restart_shown_by_one_counter_is_one_of_all_counters_of_the_process() -> None:
    total = series("total", (9_500, 100), (11_000, 50))
    bad = series("bad", (9_500, 2), (11_000, 3))
    assert gains_of(total=[total], bad=[bad]) == {"total": 50, "bad": 3}


def test_a_restart_of_one_process_is_none_of_another() -> None:
    total = [series("total", (9_500, 100), (11_000, 50)), series("total", (9_500, 100), (11_000, 130), instance="b")]
    assert gains_of(total=total) == {"total": 80}


def test_a_series_that_comes_back_after_a_restart_does_not_make_a_second_one() -> None:
    total = series("total", (9_500, 100), (11_000, 50), (12_000, 60), (13_000, 70))
    bad = series("bad", (9_500, 20), (13_000, 2))
    assert gains_of(total=[total], bad=[bad]) == {"total": 70, "bad": 2}


def test_a_counter_that_fell_while_another_stayed_is_no_restart() -> None:
    total = series("total", (9_500, 100), (11_000, 90))
    bad = series("bad", (9_500, 20), (11_000, 20))
    with pytest.raises(Inconsistent, match="fell"):
        gained({"total": [total], "bad": [bad]}, WINDOW)


def test_a_new_label_counts_from_zero_and_a_new_target_from_its_first_sample() -> None:
    known = series("total", (9_500, 100), (11_000, 110), code="200")
    label = series("total", (11_000, 3), (12_000, 4), code="500")
    target = series("total", (11_000, 5_000), (12_000, 5_007), instance="b", code="200")
    assert gains_of(total=[known, label, target]) == {"total": 10 + 4 + 7}


def test_without_a_target_each_series_is_a_process_of_its_own() -> None:
    total = series("total", (9_500, 100), (11_000, 50), instance=None)
    bad = series("bad", (9_500, 2), (11_000, 3), instance=None)
    assert gains_of(total=[total], bad=[bad]) == {"total": 50, "bad": 1}


def test_what_is_scraped_at_the_boundary_belongs_to_the_block_that_ends_there() -> None:
    samples = [(9_000, 1.0), (10_000, 3.0), (15_000, 7.0), (15_001, 100.0)]
    assert gains_of(total=[series("total", *samples)]) == {"total": 4}


@pytest.mark.parametrize(("ended", "reason"), [(0, None), (2, None), (3, "coverage"), (10, "stale")])
def test_coverage_compares_fresh_series_at_the_end_and_at_the_start(ended: int, reason: str | None) -> None:
    own = [
        series("total", (9_900, 1), (11_000 if number < ended else 14_900, 2), instance=str(number))
        for number in range(10)
    ]
    assert unusable({"total": own}, WINDOW, Decimal("0.8")) == reason


def test_replaced_replicas_keep_the_coverage() -> None:
    own = [series("total", (9_900, 1), (11_000, 2), instance=f"old-{n}") for n in range(5)]
    own += [series("total", (13_000, 1), (14_900, 2), instance=f"new-{n}") for n in range(5)]
    assert unusable({"total": own}, WINDOW, Decimal("0.8")) is None


@given(st.lists(st.floats(0.5, 2), min_size=1, max_size=200), st.floats(0, 1e6))
def test_sums_of_any_scores_make_a_block_that_is_accepted(scores: list[float], before: float) -> None:
    def counter(name: str, values: list[float]) -> Series:
        total = before
        for value in values:
            total += value
        return series(name, (9_500, before), (14_900, total))

    parts = {
        "sum": [counter("sum", scores)],
        "sumsq": [counter("sumsq", [score**2 for score in scores])],
        "count": [series("count", (9_500, 0), (14_900, len(scores)))],
    }
    spec = utility({"sum": "s", "sumsq": "q", "count": "n"}, range=(0.5, 2))
    sums = sums_of(spec, parts, None, WINDOW)
    steps = [(score - 0.5) / 1.5 * 10_000 for score in scores]
    assert sums["scored"] == len(scores)
    assert sums["sum"] == pytest.approx(sum(steps), abs=1 + len(scores) / 1000)
    assert sums["sumsq"] == pytest.approx(sum(step**2 for step in steps), abs=10_000 * (1 + len(scores) / 1000))
    n, total, squares = sums["scored"], sums["sum"], sums["sumsq"]
    assert total**2 <= n * squares
    assert squares <= 10_000 * total


def test_labels_are_filled_in_from_the_release_and_escaped() -> None:
    release = cases.release().model_copy(update={"release_id": 'a"b\\c\nd'})
    labels = {"version": "$release_id", "index": "$candidate.index", "model": "$baseline.model", "track": "x"}
    assert arm_matchers(labels, release) == (
        'index="sha256:index-2",model="sha256:model-1",track="x",version="a\\"b\\\\c\\nd"'
    )


def test_selectors_with_other_matchers_are_asked_for_one_by_one() -> None:
    selectors = {"bad": 'requests{code=~"5.."}', "total": "requests"}
    assert counter_queries(selectors, 'track="x"', 8 * cases.playbook().detection.block) == {
        'requests{code=~"5..",track="x"}[8000ms]': {"bad": "requests"},
        'requests{track="x"}[8000ms]': {"total": "requests"},
    }


def test_the_evidence_depends_on_everything_that_was_asked_and_answered() -> None:
    query = SignalQuery.model_validate(COUNTERS)
    guess = SignalQuery(value="max(x{$arm})", total="answers_total")
    asked = Asked({"total": [series("total", (9_500, 1))]}, None, ["q"], ["sha256:1"])
    digests = [
        asked.evidence(query, START, 0),
        asked.evidence(guess, START, 0),
        asked.evidence(query, START.replace(year=2027), 0),
        asked.evidence(query, START, 7.5),
        Asked(asked.parts, None, ["q2"], ["sha256:1"]).evidence(query, START, 0),
        Asked(asked.parts, None, ["q"], ["sha256:2"]).evidence(query, START, 0),
        Asked({}, None, ["q"], ["sha256:1"]).evidence(query, START, 0),
    ]
    assert len(set(digests)) == len(digests)
    assert digests[0] == asked.evidence(query, START, 0)


def test_no_outputs_and_no_labels_are_told_apart() -> None:
    def parts(scored: int, served: int) -> dict[str, list[Series]]:
        gains = {"bad": 0, "total": scored, "served": served}
        return {name: [series(name, (9_500, 1), (14_900, 1 + gain))] for name, gain in gains.items()}

    for served, reason in ((0, "no_traffic"), (7, "empty")):
        with pytest.raises(Unknown, match=reason):
            sums_of(signal(COUNTERS), parts(0, served), None, WINDOW)
