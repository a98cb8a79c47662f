"""The signal taxonomy is complete, every ready-made signal works in a playbook, and nobody uses an unexplained one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from countermand.playbook.load import parse, problems
from countermand.playbook.signals import SignalFamily
from countermand.playbook.taxonomy import (
    FAMILIES,
    PAGE,
    Taxonomy,
    criterion,
    fragment,
    known,
    of_family,
    page,
    taxonomy,
)

ROOT = Path(__file__).parents[3]
DEMO = (ROOT / "examples/demo/playbook.yaml").read_text(encoding="utf-8")
AGENT = (ROOT / "playbooks/conversational-agent.yaml").read_text(encoding="utf-8")
SHIPPED = [*sorted((ROOT / "playbooks").glob("*.yaml")), ROOT / "examples/demo/playbook.yaml"]

#: What release managers ask for by name (R13, R21), and the family that answers.
ASKED_FOR = {
    "engagement": "user_experience",
    "implausible_engagement": "user_experience",
    "implausible_approval": "user_experience",
    "refusals": "user_experience",
    "errors": "operational_health",
    "latency": "operational_health",
    "missing_labels": "operational_health",
    "utility": "model_quality",
    "hallucinations": "model_quality",
    "accuracy": "model_quality",
    "moderation_failures": "safety",
    "refusal_gap": "fairness",
    "cost_per_answer": "cost",
}


def with_signal(lines: list[str], member: str) -> bytes:
    """A shipped playbook with this signal, which only a new trigger needs to fit."""
    name = re.match(r" {4}(\w+):", lines[0])
    assert name
    text = re.sub(rf"^    {name[1]}:\n(      .*\n)+", "", AGENT, flags=re.MULTILINE)
    shadow = "    - {id: new, severity: sev2, shadow: true, protects: {kind: business, what: All of it}, any: [%s]}\n"
    text = text.replace("  triggers:\n", "\n".join(lines) + "\n  triggers:\n" + shadow % member, 1)
    return text.encode()


def test_what_is_asked_for_by_name_is_there_in_its_family() -> None:
    assert {name: taxonomy()[name].family.value for name in ASKED_FOR} == ASKED_FOR


def test_every_family_has_signals_and_every_signal_says_everything() -> None:
    assert set(FAMILIES) == set(SignalFamily)
    assert all(of_family(family) for family in FAMILIES)
    assert sum(len(of_family(family)) for family in FAMILIES) == len(taxonomy())
    for one in taxonomy().values():
        assert not one.meaning.endswith("."), one.id
        assert one.weaknesses.endswith("."), one.id
        assert len(one.weaknesses) > 40, one.id
        assert one.playbook.meaning == one.meaning


def test_a_rise_that_is_too_good_is_a_second_definition_with_the_other_direction() -> None:
    for good, suspicious in (("approval", "implausible_approval"), ("engagement", "implausible_engagement")):
        two = taxonomy()[good], taxonomy()[suspicious]
        assert [one.direction for one in two] == ["lower is worse", "higher is worse"]
        assert {"moderation_failures", "hallucinations"} <= set(two[1].beside)


@pytest.mark.parametrize("name", taxonomy())
def test_the_lines_for_a_playbook_can_be_pasted(name: str) -> None:
    one = taxonomy()[name]
    raw = with_signal(fragment(one), criterion(one))
    assert [problem for problem in problems(raw) if problem.level == "error" or "taxonomy" in problem.message] == []
    spec = parse(raw).detection.signals[name]
    assert spec == one.playbook


def test_a_name_that_is_not_defined_is_refused() -> None:
    one = taxonomy()["latency"]
    beside = one.model_dump(mode="json", exclude_unset=True) | {"beside": ["nothing_of_this_name"]}
    with pytest.raises(ValueError, match="names 'nothing_of_this_name', which is not defined"):
        Taxonomy.model_validate({"schema": "countermand.taxonomy/v1", "signals": [beside]})


def test_the_committed_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make schema"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_signal_of_a_shipped_playbook_has_a_lag_and_weaknesses(path: Path) -> None:
    for name, spec in parse(path.read_bytes()).detection.signals.items():
        assert None not in known(name, spec), name
        defined = taxonomy().get(name)
        assert defined is None or (defined.playbook.kind, defined.playbook.bad) == (spec.kind, spec.bad)


class TestOwnSignals:
    own = DEMO.replace("refusals:", "shrugs:")

    def test_an_unexplained_one_is_warned_of_and_still_works(self) -> None:
        (found,) = problems(self.own.encode())
        assert (found.level, found.where) == ("warning", "detection.signals.shrugs")
        assert "'shrugs' is not in the signal taxonomy and says no lag and no weaknesses" in found.message
        assert parse(self.own.encode()).detection.signals["shrugs"].lag is None

    def test_an_explained_one_is_fine_and_its_words_win_over_the_taxonomy(self) -> None:
        said = "      lag: A day\n      weaknesses: Nobody shrugs in writing\n"
        text = self.own.replace("    shrugs:\n", f"    shrugs:\n{said}")
        assert problems(text.encode()) == []
        text = DEMO.replace("    refusals:\n", f"    refusals:\n{said}")
        assert known("refusals", parse(text.encode()).detection.signals["refusals"]).lag == "A day"

    def test_half_an_explanation_names_the_other_half(self) -> None:
        text = self.own.replace("    shrugs:\n", "    shrugs:\n      lag: A day\n")
        (found,) = problems(text.encode())
        assert "says no weaknesses" in found.message
