"""Every bad playbook is refused with the line, the value and what would be accepted, all problems at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.playbook.load import PlaybookErrors, parse, problems
from countermand.playbook.source import read

ROOT = Path(__file__).parents[3]
DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
FOREIGN = (
    "Input should",
    "Extra inputs",
    "Field required",
    "Value error",
    "valid integer",
    "pydantic",
    "Decimal(",
)


def changed(old: str, new: str) -> str:
    """The demo playbook with its first `old` replaced."""
    assert old in DEMO, old
    return DEMO.replace(old, new, 1)


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


# what is wrong, what is written instead of what, the text whose line is named, where, parts of the message
BAD: dict[str, tuple[str, str, str, str, tuple[str, ...]]] = {
    "an unknown key": (
        "    ladder:\n",
        "    laddr:\n",
        "    laddr:",
        "approvals.sev2.laddr",
        ("unknown key 'laddr'", "did you mean 'ladder'?", "accepted here: quorum, ladder, ask_again_every"),
    ),
    "a quorum of 0": (
        "{role: safety_lead, min: 1}",
        "{role: safety_lead, min: 0}",
        "min: 0",
        "approvals.sev2.quorum.roles[0].min",
        ("'0' is too small", "write 1 or more"),
    ),
    "a ladder without a default at its time limit": (
        "      - {after: 10m, do: default, action: hold}\n",
        "",
        "    ladder:",
        "approvals.sev2.ladder",
        ("exactly one default", "{after: <time limit>, do: default, action: hold | abort | proceed}"),
    ),
    "a share of 101 %": (
        "give_back: 50%",
        "give_back: 101%",
        "give_back: 101%",
        "revert.stages[1].give_back",
        ("'101%' is not a share of users", "0% to 100%"),
    ),
    "a missing time limit of a stage": (
        "  stage_time_limit: 90s\n",
        "",
        "revert:",
        "revert.stage_time_limit",
        ("'stage_time_limit' is missing", "by when a whole stage must be over"),
    ),
    "a default without an action": (
        "do: default, action: hold",
        "do: default",
        "do: default}",
        "approvals.sev2.ladder[3].do",
        ("`action: hold`, `action: abort` or `action: proceed`",),
    ),
    "an unknown signal in a trigger": (
        "{signal: hallucinations, tolerate",
        "{signal: halucinations, tolerate",
        "{signal: halucinations",
        "detection.triggers[0].any[0].signal",
        ("trigger 'bad-answers' uses unknown signal 'halucinations'", "defined are hallucinations, "),
    ),
    "an unknown signal in the verification": (
        "{signal: hallucinations, at_most",
        "{signal: nonsense, at_most",
        "{signal: nonsense",
        "verification.signals[0].signal",
        ("unknown signal 'nonsense'",),
    ),
    "an unknown check": (
        "between: [destination_healthy, error_rate]",
        "between: [destination_healthy, errors]",
        "between:",
        "data_integrity.between[1]",
        ("unknown check 'errors'", "destination_healthy, digest_served, error_rate"),
    ),
    "a severity that nobody approves": (
        "severity: sev2",
        "severity: sev1",
        "severity: sev1",
        "detection.triggers[0].severity",
        ("'sev1'", "covers only sev2"),
    ),
    "a severity that does not exist": (
        "severity: sev2",
        "severity: sev7",
        "severity: sev7",
        "detection.triggers[0].severity",
        ("'sev7'", "write sev1, sev2, sev3 or sev4"),
    ),
    "a duration without unit": (
        "watch: 30m",
        "watch: 30",
        "watch: 30",
        "detection.watch",
        ("30 is not a duration", "90s, 5m, 24h, 7d"),
    ),
    "no duration at all": (
        "block: 2s",
        "block: 0s",
        "block: 0s",
        "detection.block",
        ("'0s'", "more than 0s"),
    ),
    "a sustain of half blocks": (
        "sustain: 10s",
        "sustain: 9s",
        "sustain: 9s",
        "detection.sustain",
        ("'9s' is not a whole number of blocks of 2s",),
    ),
    "fewer people than role slots": (
        "distinct_people: 2",
        "distinct_people: 1",
        "distinct_people: 1",
        "approvals.sev2.quorum.distinct_people",
        ("1 is less than the 2 role slots", "at least 2"),
    ),
    "stages that go back and forth": (
        "give_back: 50%",
        "give_back: 5%",
        "give_back: 5%",
        "revert.stages[1].give_back",
        ("5 % after 10 %", "more than the one before"),
    ),
    "a last stage that leaves users behind": (
        "give_back: 100%",
        "give_back: 90%",
        "give_back: 90%",
        "revert.stages[2].give_back",
        ("gives back 90 %", "must give back 100%"),
    ),
    "an audience that is not told": (
        "{step: reverted, audiences: [operator, approver, exec, support, customer]}",
        "{step: reverted, audiences: [operator, approver, exec, support]}",
        "{step: reverted",
        "communications[8].audiences",
        ("step 'reverted' must also tell customer",),
    ),
    "a step that nobody hears of": (
        "  - {step: default_taken, audiences: [operator, approver, exec]}\n",
        "",
        "communications:",
        "communications",
        ("step 'default_taken' is missing", "approver, exec, operator"),
    ),
    "no reason for no legal duty": (
        DEMO[DEMO.index("  duties:") : DEMO.index("detection:")],
        "  duties: []\n\n",
        "  duties: []",
        "legal.duties",
        ("`none_because`",),
    ),
    "a yes instead of a number": (
        "{role: safety_lead, min: 1}",
        "{role: safety_lead, min: true}",
        "min: true",
        "approvals.sev2.quorum.roles[0].min",
        ("'true' is not accepted", "write a whole number"),
    ),
    "one word instead of a list": (
        "  page: [incident_commander, safety_lead]",
        "  page: safety_lead",
        "  page: safety_lead",
        "emergency.page",
        ("'safety_lead'", "a list is needed"),
    ),
    "a name with spaces": (
        "name: support-assistant-demo",
        "name: Support Assistant",
        "name: Support Assistant",
        "name",
        ("'Support Assistant' is not a name", "lower-case letters"),
    ),
    "a comma in an unquoted text": (
        "what: Customers act on what the assistant says",
        "what: Customers, wherever, act on what the assistant says",
        "what: Customers, wherever",
        "detection.triggers[0].protects.wherever",
        ("unknown key 'wherever'",),
    ),
    "a threshold window of half blocks": (
        "tolerate: {ratio: 1.5}",
        "rule: {bound: {above: 0.1, window: 3s, for: 4s}}",
        "rule: {bound",
        "detection.triggers[0].any[0].rule.bound.window",
        ("'3s' is not a whole number of blocks of 2s",),
    ),
    "a rate of errors without a limit": (
        "      max_error_rate: 5%\n",
        "",
        "id: error_rate",
        "data_integrity.checks[2].max_error_rate",
        ("'max_error_rate' is missing", "for example 2%"),
    ),
    "a number too small to be meant": (
        "expect: 0.03",
        "expect: '1e-999999999'",
        "expect: '1e-999999999'",
        "detection.signals.hallucinations.expect",
        ("too close to 0",),
    ),
    "a verification shorter than detection": (
        "  time_limit: 2m\n",
        "  time_limit: 10s\n",
        "  time_limit: 10s",
        "verification.time_limit",
        ("'10s' is shorter than sustain + lateness (11s)", "write 11s or more"),
    ),
    "a soak that does not fit into its stage": (
        "{give_back: 50%, soak: 4s}",
        "{give_back: 50%, soak: 2m}",
        "soak: 2m",
        "revert.stages[1].soak",
        ("do not fit into stage_time_limit 90s",),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_playbook_is_refused_at_the_line_with_what_would_be_accepted(name: str) -> None:
    old, new, at, where, said = BAD[name]
    text = changed(old, new)
    found = [p for p in problems(text.encode(), "p.yaml") if p.level == "error" and p.where == where]
    assert found, [str(p) for p in problems(text.encode())]
    assert found[0].line == line_of(text, at)
    for words in said:
        assert words in found[0].message
    with pytest.raises(PlaybookErrors, match=r"p\.yaml:\d+:\d+: error: "):
        parse(text.encode(), "p.yaml")


def test_all_problems_are_reported_at_once_and_in_file_order() -> None:
    text = changed("block: 2s", "block: two").replace("min: 1", "min: 0").replace("stage_time_limit", "stage_limit")
    found = problems(text.encode())
    assert [p.where for p in found] == [
        "detection.block",
        "approvals.sev2.quorum.roles[0].min",
        "approvals.sev2.quorum.roles[1].min",
        "revert.stage_time_limit",
        "revert.stage_limit",
        "review.sign_off.roles[0].min",
        "review.sign_off.roles[1].min",
    ]
    assert [p.line for p in found] == sorted(p.line for p in found)
    assert found[4].column == 3, "an unknown key is shown itself, not its value"


def test_cross_field_faults_are_reported_together() -> None:
    text = changed("{signal: hallucinations, tolerate", "{signal: a, tolerate").replace(
        "{signal: moderation_failures, tolerate", "{signal: b, tolerate"
    )
    assert [p.where for p in problems(text.encode())] == [
        "detection.triggers[0].any[0].signal",
        "detection.triggers[0].any[1].signal",
    ]


def test_a_problem_reads_like_a_compiler_message() -> None:
    text = changed("give_back: 50%", "give_back: 101%")
    (problem,) = problems(text.encode(), "demo.yaml")
    line = line_of(text, "give_back: 101%")
    assert str(problem).startswith(f"demo.yaml:{line}:19: error: revert.stages[1].give_back: '101%' is not")


def test_a_warning_does_not_refuse() -> None:
    text = changed("sustain: 10s", "sustain: 4s")
    assert parse(text.encode()).detection.sustain_blocks == 2
    assert [(p.level, p.line) for p in problems(text.encode())] == [("warning", line_of(text, "sustain: 4s"))]


# --- whatever people write, they get an answer in our words ------------------------------------------------


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in below for deeper in _paths(item, (*path, key)))]


VALUES = read(DEMO.encode())[0].value  # type: ignore[union-attr]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "101%", "-1%", "5m", "0s", "1e400", "no such thing", "sev1", "__class__"]),
    st.just([]),
    st.just({}),
    st.just([[["deep"]]]),
    st.dictionaries(st.sampled_from(["min", "role", "after", "other"]), st.integers(0, 3), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(_paths(VALUES)[1:]), odd=ODD)
def test_any_odd_value_is_refused_in_our_words_inside_the_file(path: tuple[str | int, ...], odd: Any) -> None:
    document = json.loads(json.dumps(VALUES))
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = odd
    text = json.dumps(document, indent=1)
    for problem in problems(text.encode()):
        assert 1 <= problem.line <= text.count("\n") + 1
        assert not any(words in problem.message for words in FOREIGN), problem
        assert not problem.message.endswith(" is not accepted here"), f"no words for this error: {problem}"


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_torn_file_gets_problems_and_never_a_traceback(data: st.DataObject) -> None:
    lines = DEMO.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    torn = data.draw(
        st.sampled_from(["", "\t", "  - ", ": :", "{", "'", '"\\', "&a [*a]", "key: [", "? x", "%YAML 1.1"])
    )
    lines[index] = torn if data.draw(st.booleans()) else lines[index] + torn
    for problem in problems("\n".join(lines).encode()):
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.message


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_get_problems_and_never_a_traceback(raw: bytes) -> None:
    assert problems(raw)
