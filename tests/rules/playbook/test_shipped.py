"""The playbooks that are shipped: they parse, cover what they promise, and can be read by people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from countermand.playbook.explain import WIDTH, explain
from countermand.playbook.load import parse, problems
from countermand.playbook.model import (
    MANDATORY,
    Audience,
    Context,
    Playbook,
    Severity,
    SignalFamily,
    Step,
)
from countermand.playbook.source import read

ROOT = Path(__file__).parents[3]
WORKED = sorted((ROOT / "playbooks").glob("*.yaml"))
DEMO = ROOT / "examples/demo/playbook.yaml"
SHIPPED = [*WORKED, DEMO]
ROLES = {
    "operator",
    "incident_commander",
    "release_owner",
    "product_owner",
    "safety_lead",
    "executive",
    "comms_lead",
}


def load(path: Path) -> Playbook:
    return parse(path.read_bytes(), str(path))


def shipped(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_there_is_one_worked_playbook_for_every_context() -> None:
    assert {load(path).context for path in WORKED} == set(Context)


@shipped(SHIPPED)
def test_it_parses_and_warns_of_its_plain_threshold_alone(path: Path) -> None:
    found = problems(path.read_bytes(), path.name)
    assert [problem for problem in found if problem.level == "error"] == []
    assert all("no bound on false alarms" in problem.message for problem in found)
    assert len(found) == (0 if path == DEMO else 1)


@shipped(SHIPPED)
def test_it_names_the_schema_for_editors(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named, first
    assert (path.parent / named[1]).resolve() == ROOT / "docs/playbook.schema.json"


@shipped(WORKED)
def test_a_worked_playbook_watches_families_combines_criteria_and_asks_two_people(path: Path) -> None:
    playbook = load(path)
    assert len({spec.family for spec in playbook.detection.signals.values()}) >= 3
    assert any(len(trigger.criteria) > 1 for trigger in playbook.detection.triggers)
    assert any(criterion.rule for trigger in playbook.detection.triggers for criterion in trigger.criteria)
    assert set(playbook.approvals) >= {Severity.sev1, Severity.sev2}
    for policy in playbook.approvals.values():
        assert policy.quorum.distinct_people >= 2
        assert [rung.do for rung in policy.ladder] == ["ask", "remind", "escalate", "default"]
        assert policy.default == "hold"
    assert [stage.give_back for stage in playbook.revert.stages] == [1_000, 5_000, 10_000]
    assert playbook.legal.duties


@shipped(SHIPPED)
def test_it_uses_the_roles_that_all_playbooks_share(path: Path) -> None:
    playbook = load(path)
    named = {playbook.owner, playbook.review.owner, *playbook.emergency.page}
    named |= {slot.role for slot in playbook.review.sign_off.roles}
    for policy in playbook.approvals.values():
        named |= {slot.role for slot in policy.quorum.roles}
        named |= {role for rung in policy.ladder for role in rung.to}
    assert named <= ROLES


def test_the_demo_says_that_its_times_are_short() -> None:
    assert "short for the demo" in load(DEMO).summary
    assert "SHORT ON PURPOSE" in DEMO.read_text(encoding="utf-8")


@shipped(SHIPPED)
def test_its_explanation_is_one_page(path: Path) -> None:
    lines = explain(load(path)).splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


@shipped(SHIPPED)
def test_its_explanation_has_no_word_of_the_schema(path: Path) -> None:
    text = explain(load(path))
    playbook = load(path)
    raw = {
        "at_least",
        "per_10000",
        "tolerate",
        "sev1",
        "sev2",
        "give_back",
        "default",
        "quorum",
        "min_scored",
        "None",
    }
    raw |= {word.value for kind in (Step, SignalFamily, Audience) for word in kind if "_" in word.value}
    raw |= {name for name in playbook.detection.signals if "_" in name}
    raw |= {check.kind for check in playbook.data_integrity.checks}
    words = set(re.findall(r"\w+", text))
    assert raw & words == set()


def test_the_explanation_of_the_demo_says_what_matters() -> None:
    text = " ".join(explain(load(DEMO)).split())
    for said in (
        "lasts 10 seconds",
        "2 of these 3 at the same time: more than 1.2 times the hallucinations of the current version, enough alone",
        "more than 2 times the moderation failures of the current version plus 0.5 percentage points",
        "at most 1 in 100 harmless releases",
        "2 different people (1 safety lead and 1 release owner) must agree",
        "asked: release owner and safety lead, again after 1 minute, executive after 3 minutes",
        "if nobody decides in 10 minutes: NO ROLLBACK, nothing changes, asked again every 10 minutes",
        "2. 50 % of the new version's users return, then 4 seconds of watching",
        "checked before and between: The current version answers",
        "hallucinations at most 700 per 10,000, judged on 400 outputs",
        "customers: all users back and all-clear",
        "a review by the release owner, signed within 5 days",
    ):
        assert said in text


@shipped(WORKED)
def test_its_explanation_says_for_which_trigger_there_is_no_promise(path: Path) -> None:
    playbook = load(path)
    (uncovered,) = [trigger.id for trigger in playbook.detection.triggers if not trigger.bounded]
    text = " ".join(explain(playbook).split())
    assert f"No promise for {uncovered.replace('_', ' ')}: plain thresholds." in text


def test_a_signal_of_good_outputs_is_explained_from_its_good_side() -> None:
    text = " ".join(explain(load(ROOT / "playbooks/conversational-agent.yaml")).split())
    assert "accuracy over 2 percentage points below the current version" in text
    assert "accuracy at least 88 %, judged on 1,000 tasks" in text


def test_long_names_and_texts_stay_inside_the_page() -> None:
    written, _ = read(DEMO.read_bytes())
    assert written is not None
    text = (
        DEMO.read_text(encoding="utf-8")
        .replace("hallucinations", "h" * 63)
        .replace("target: demo", "target: " + "t" * 60)
    )
    assert max(map(len, explain(parse(text.encode())).splitlines())) <= WIDTH


@shipped(SHIPPED)
def test_everybody_who_must_hear_of_a_step_hears_of_it(path: Path) -> None:
    playbook = load(path)
    for step, audiences in MANDATORY.items():
        assert audiences <= set(playbook.audiences(step))


@shipped(WORKED)
def test_gov_62_the_worst_severities_are_approved_with_a_security_key(path: Path) -> None:
    playbook = load(path)
    worst = {severity: policy.signature for severity, policy in playbook.approvals.items() if severity <= "sev2"}
    assert set(worst.values()) == {"step_up"}
    assert "must agree by security key" in " ".join(explain(playbook).split())


def test_the_demo_needs_no_security_key_so_that_everybody_can_run_it() -> None:
    assert {policy.signature for policy in load(DEMO).approvals.values()} == {"standard"}
    assert "security key" not in explain(load(DEMO))


def test_the_explanation_of_a_bundle_says_what_moves_with_what_and_what_happens_if_one_does_not() -> None:
    text = " ".join(explain(load(ROOT / "examples/llm/playbook.yaml")).split())
    assert "with the last step, one after the other: registry/model (model), then registry/prompt (prompt)" in text
    assert "if one of them cannot be moved, what moved is brought back and people are asked" in text
