"""Scenario files: what ships is whole, and what is wrong is said with file, line and what is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from countermand.playbook.terms import Context
from countermand.rehearsal.loading import ScenarioErrors, load_scenario, load_with_playbook, parse_scenario
from countermand.rehearsal.script import EVENTS, ActKind
from tests.rules.rehearsal.played import ROOT, scenario

FILES = sorted((ROOT / "rehearsals").glob("*.yaml"))


def test_eighteen_scenarios_ship_and_every_deployment_context_is_among_them() -> None:
    shipped = [load_scenario(path) for path in FILES]
    assert len(shipped) == 18
    assert {one.context for one in shipped} == set(Context)
    assert [one.id for one in shipped] == [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_lrn_22_a_shipped_scenario_resolves_and_forbids_and_asks_people_something(path: Path) -> None:
    found, raw = load_with_playbook(path)
    assert raw.startswith(b"#")
    assert found.expected_decisions or found.expected_events
    assert parse_scenario(path.read_bytes()).digest == found.digest


def broken(tmp_path: Path, old: str, new: str, name: str = "injection-campaign") -> str:
    text = (ROOT / "rehearsals" / f"{name}.yaml").read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new, 1).replace("../playbooks", str(ROOT / "playbooks"))
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioErrors) as refused:
        load_scenario(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("act: reject", "act: rejekt", "did you mean 'reject'?"),
        ("seed: 4", "seed: 4\ncolour: red", "unknown key 'colour'"),
        ("who: sam", "who: tom", "'tom' is nobody in it; write sam, ines, rae"),
        ("signal: moderation_failures", "signal: moderation", "'moderation' is no signal; write accuracy"),
        ("by: safety_lead", "by: wizard", "'wizard' is neither a role nor a person"),
        ("event: gate_automatic", "event: gate_magic", "'gate_magic' is no event; events like it: gate_a"),
        (
            "effect: any, why",
            "effect: any, event: breach, why",
            "event and effect is forbidden here; write exactly one",
        ),
        ("expected_outcome: rejected", "expected_outcome: great", "'great' is no outcome; write open"),
        (
            "expected_outcome: rejected",
            "expected_outcome: rejected\nobligations_expected: [gdpr-99]",
            "'gdpr-99' is no",
        ),
        ("time_scale: 20", "time_scale: 61", "61' is too large; write 60 or less"),
        ("conversational-agent.yaml", "missing.yaml", "missing.yaml' cannot be read"),
        ("right: [evidence]", "right: [proof]", "'proof' is not among the answers"),
        ("forbidden:", "forbidden: []\nx:", "is empty; at least 1 entry is needed"),
        ("on_event: ask_opened, after: 1m", "at: 1m, after: 1m", "`after` counts from an event"),
    ],
)
def test_lrn_22_what_is_wrong_is_said_with_its_value_and_what_is_accepted(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    message = broken(tmp_path, old, new)
    assert said in message
    assert message.startswith("mine.yaml:")


def test_a_refusal_that_does_not_exist_cannot_be_expected(tmp_path: Path) -> None:
    said = broken(tmp_path, "refused:four_eyes", "refused:because", "sycophancy-drift")
    assert "'because' is no code of a refusal; write expired" in said


def test_every_event_stands_in_the_sheet_that_a_refusal_names() -> None:
    sheet = (ROOT / "docs" / "rehearsals.md").read_text(encoding="utf-8")
    section = sheet.partition("### Events")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert set(re.findall(r"`([a-z_]+)`", "\n".join(rows))) == EVENTS


def test_the_digest_is_of_the_content_and_not_of_its_comments() -> None:
    raw = (ROOT / "rehearsals" / "injection-campaign.yaml").read_bytes()
    assert parse_scenario(b"# a comment\n" + raw).digest == scenario().digest
    assert parse_scenario(raw.replace(b"seed: 4", b"seed: 5")).digest != scenario().digest


def test_words_of_scripts_do_not_overlap_with_events() -> None:
    assert not EVENTS & {act.value for act in ActKind}


@pytest.mark.timeout(20)
def test_a_playbook_that_never_ends_is_no_playbook(tmp_path: Path) -> None:
    said = broken(tmp_path, "playbook: ../playbooks/conversational-agent.yaml", "playbook: /dev/zero")
    assert "'/dev/zero' cannot be read (not a regular file)" in said
