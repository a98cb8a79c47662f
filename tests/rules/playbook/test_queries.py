"""What a signal asks a source for: refused with the line when it cannot be asked, or does not fit the signal."""

from __future__ import annotations

from pathlib import Path

import pytest

from countermand.playbook.load import parse, problems
from countermand.playbook.model import Playbook
from countermand.playbook.queries import split_selector

DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
SOURCE = "      source: judge\n"
LATENCY = """      kind: latency
      query: {histogram: seconds_bucket}
"""
SCORE = """      kind: score
      bad: lower
      range: [0, 1]
      query: {sum: s, sumsq: q, count: n}
"""


def asking(query: str) -> bytes:
    """The demo playbook whose first signal asks for this."""
    assert SOURCE in DEMO
    return DEMO.replace(SOURCE, SOURCE + f"      query: {query}\n", 1).encode()


@pytest.mark.parametrize(
    "query",
    [
        "{bad: answers_bad_total, total: answers_total}",
        "{bad: 'answers_total{outcome=\"bad\", task=~\"chat|code\",}', total: 'answers_total{}', served: due_total}",
        "{value: 'avg by () (judge_bad_share{$arm})', total: 'answers_total{task=\"a\\\"}\"}'}",
        "{value: 'sum(rate(bad{job=\"x\",$arm}[5m])) / sum(rate(all{ $arm }[5m]))', total: answers_total}",
    ],
)
def test_selectors_and_expressions_with_the_arm_are_accepted(query: str) -> None:
    playbook = parse(asking(query))
    assert next(iter(playbook.detection.signals.values())).query is not None
    # What was stored is read again.
    assert Playbook.model_validate(playbook.model_dump(mode="json", by_alias=True)) == playbook


REFUSED = {
    "an expression without the arm": ("{value: avg(judge_bad_share), total: n}", ".value", "write $arm where"),
    "an arm that stands outside of braces": ("{value: 'avg(x)  # $arm', total: n}", ".value", "write $arm where"),
    "a function where a counter is needed": ("{bad: 'rate(x[5m])', total: n}", ".bad", "is not a selector"),
    "a range": ("{bad: 'x[5m]', total: n}", ".bad", "is not a selector"),
    "a selector without a name": ("{bad: '{job=\"x\"}', total: n}", ".bad", "is not a selector"),
    "matchers that never end": ("{bad: 'x{job=\"x}', total: n}", ".bad", "is not a selector"),
    "two selectors in one": ('{bad: \'x{a="b"} or y{a="c"}\', total: n}', ".bad", "is not a selector"),
    "bad outputs of nothing": ("{bad: x}", "", "bad does not fit a signal of kind rate"),
    "two forms at once": ("{bad: x, value: 'x{$arm}', total: n}", "", "it takes {bad, total} or {total, value}"),
    "nothing": ("{}", "", "nothing does not fit a signal of kind rate"),
    "scores for a rate": ("{sum: s, sumsq: q, count: n}", "", "count, sum, sumsq does not fit"),
    "a key that is not known": ("{bad: x, totals: n}", ".totals", "unknown key 'totals'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_asked_is_refused_with_its_line(what: str) -> None:
    query, where, said = REFUSED[what]
    raw = asking(query)
    found = problems(raw, "x.yaml")
    line = raw.decode()[: raw.decode().index("      query:")].count("\n") + 1
    assert [(problem.line, problem.level) for problem in found if said in problem.message] == [(line, "error")], found
    name = next(iter(parse(DEMO.encode()).detection.signals))
    assert {problem.where for problem in found} == {f"detection.signals.{name}.query{where}"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      kind: rate\n", LATENCY, "`edges` must list every `le` of it but +Inf"),
        ("      kind: rate\n", LATENCY.replace("seconds_bucket", "seconds"), "write seconds_bucket"),
        ("      kind: rate\n", SCORE.replace("[0, 1]", "[-1, 1]"), "scores below 0 (-1 is possible)"),
        ("      kind: rate\n", SCORE + "      clipped: true\n", "cannot be clipped here"),
        ("      kind: rate\n", SCORE.replace(", count: n", ""), "it takes {sum, sumsq, count}"),
        ("      kind: rate\n", "      kind: missing\n      of: x\n      query: {bad: x, total: n}\n", "leave it out"),
    ],
)
def test_a_query_that_does_not_fit_its_kind_of_signal_is_refused(old: str, new: str, said: str) -> None:
    head, rest = DEMO.split(old, 1)
    # The first signal's own keys that belong to rates alone are left out.
    rest = rest.replace("      bad: higher\n", "", 1).replace("      expect: 0.03\n", "", 1)
    found = problems((head + new + rest).encode())
    assert [problem for problem in found if said in problem.message], found


@pytest.mark.parametrize("text", ["x", " x ", "x{}", "x{ }", "a:b_c{}", 'x{a="}",}', 'x{a="\\"", b!~"c|d"}'])
def test_a_selector_is_split_into_name_and_matchers(text: str) -> None:
    name, matchers = split_selector(text)
    assert f"{name}{{{matchers}}}".replace(" ", "") == (
        (text if "{" in text else f"{text}{{}}").replace(" ", "").replace(",}", "}")
    )
