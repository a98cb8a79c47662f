"""The messages and the review that are shipped: complete, calm, and safe for the audience they go to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, meta, nodes

from adapters.templates import CannotRender, JinjaRenderer
from countermand.playbook.load import parse
from countermand.playbook.model import ALWAYS, MANDATORY, Audience, Step
from countermand.playbook.terms import PROMISED
from countermand.review.parts import ASKED

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates"
RENDERER = JinjaRenderer(TEMPLATES)
MESSAGES = [
    (Step(path.parent.name), Audience(path.name.split(".")[0]))
    for path in sorted((TEMPLATES / "messages").glob("*/*.txt.j2"))
]
OUTSIDE = [(step, audience) for step, audience in MESSAGES if audience in (Audience.customer, Audience.support)]
HOSTILE = {
    "terminal": "\x1b[2J\x1b[31m",
    "reversed": "abc\u202edef\u2066",
    "template": "{{ 7 * 7 }}{% raw %}",
    "markup": "<script>alert(1)</script>[x](javascript:alert(1))",
    "long": "x" * 10_000,
    "lines": "a\n\nSubject: forged\n# forged",
}

FACTS: dict[str, Any] = {
    "incident_id": "inc-0117",
    "service": "support-assistant",
    "environment": "production",
    "release_id": "rel-2026-11-20",
    "severity": "sev2",
    "candidate_name": "assistant-24",
    "baseline_name": "assistant-23",
    "trigger": "truth",
    "verdict_sentence": "hallucinations 7.1 % against 2.9 %, odds 131 to 1",
    "opened_at": "2026-11-20 03:14:07 UTC",
    "console_url": "https://countermand.example/incidents/inc-0117",
    "ask": {
        "id": "ask-1",
        "digest12": "3f2a9c01bd77",
        "have": 1,
        "need": 2,
        "missing": ["safety lead"],
        "deadline": "2026-11-20 03:24:07 UTC",
        "deadline_relative": "in 10 minutes",
        "default_words": "nothing is changed, and approval is asked again",
    },
    "decision": {"outcome": "approved", "by": ["Ada Berg", "Jo Lind"], "reason": "the numbers are clear"},
    "stage": {
        "number": 2,
        "of": 3,
        "give_back": "50 %",
        "candidate_share": "25 %",
        "sentence": "251 of 1,003 users",
    },
    "stop": {"why": "somebody else changed the share", "next": "people are asked whether to go on"},
    "verification": {"sentence": "14 bad of 412 answers, at most 5.3 %"},
    "plan": {"digest12": "9a0be1f2c3d4", "stages": ["10 % go back", "50 % go back"], "expected_minutes": 4},
    "investigation": {
        "because": "trigger wording",
        "asked": ["Ruth Adeyemi"],
        "until": "2026-11-20 07:14:07 UTC",
        "slices": ["refusals, language de: candidate 5.2 % bad (4.1 to 6.6 %, 40 of 770 outputs)"],
        "news": "No finding yet",
        "beside": ["trigger outage is not held"],
        "ended": "Ruth Adeyemi found: users go back, once people have approved it.",
    },
    "automatic": {"authorisation": "sa-harm", "why": "the trigger is clear"},
    "rollout": {
        "kind": "rollout",
        "plan": ["1. 5 % of users, shown to be healthy within 2 hours"],
        "number": 1,
        "of": 2,
        "share": "5 %",
        "before": "0 %",
        "sentence": "Healthy: 3 bad of 412 answers",
        "by": "Ada Berg",
        "until": "2026-11-20 05:14:07 UTC",
        "outcome": "is done",
        "restored": "split and versions are as they have to be",
    },
    "unknowns": ["the cause", "who was affected"],
    "next_update": "04:00 UTC",
    "state": "people are being taken back to the earlier version: 1 of 3 stages are complete",
    "review": {"due": "2026-11-25", "owner": "release owner"},
    "statement": "Maria Keller (safety lead) declared an emergency, sev1.",
    "breach": "support-assistant v7 is back in front of 5 % of users of 'split' although it is in quarantine.",
    "glass": {
        "name": "Maria Keller",
        "does": "everything is held where it is",
        "sentence": "nobody is moved: the split stays as it is until people decide.",
        "harm": "wrong doses are given to patients",
        "reason": "every minute counts",
        "ratify_by": "2026-11-23 03:14:07 UTC",
    },
}
REVIEW: dict[str, Any] = {
    "incident_id": "inc-0117",
    "service": "support-assistant",
    "environment": "production",
    "severity": "sev2",
    "trigger": "truth",
    "verdict_sentence": "hallucinations 7.1 % against 2.9 %",
    "outcome": "reverted and shown to be healthy",
    "timeline": [{"at": "03:14:07", "seq": 17, "text": "incident opened"}],
    "durations": [{"name": "asked to decided", "text": "2 minutes"}],
    "decisions": [
        {
            "at": "03:16",
            "who": "Ada Berg",
            "roles": "safety lead",
            "what": "approve",
            "reason": "the numbers are clear",
            "channel": "web",
        }
    ],
    "stages": [{"number": 1, "planned": "45 % of users", "observed": "450 of 1,000", "result": "done"}],
    "signals": [{"name": "hallucinations", "text": "85 of 1,204"}],
    "protected_by": ["evidence was frozen first"],
    "promises": ["exec: 2 kept, 1 missed"],
    "refusals": ["approve by Jo refused: already voted"],
    "unknowns": ["the cause"],
    "known_later": ["the harm seems to begin 02:58"],
    "earlier": [{"what": "truth: limit 20 % tighter", "when": "03:02", "sooner": "12 minutes earlier", "cost": "2"}],
    "earlier_note": "Looked at: 300 recorded blocks.",
    "misread": ["late: it fired 16 minutes after the harm seems to begin"],
    "rungs": ["03:20: remind safety lead"],
    "deviations": ["stage 2 ended as stopped"],
    "data": ["data integrity: pass"],
    "reached": ["exec: 2 messages"],
    "clocks": ["gdpr-33-1 is due 2026-11-26"],
}


def used(step: Step, audience: Audience) -> set[str]:
    """The facts a message names, in its own file and in the shared lines it calls."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES))  # noqa: S701 - read only, never rendered
    source = (TEMPLATES / f"messages/{step.value}/{audience.value}.txt.j2").read_text(encoding="utf-8")
    tree = environment.parse(source)
    called = {call.node.attr for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Getattr)}
    shared = environment.parse((TEMPLATES / "messages/shared.j2").read_text(encoding="utf-8"))
    facts = meta.find_undeclared_variables(tree) - {"shared"}
    for macro in shared.find_all(nodes.Macro):
        if macro.name in called:
            body = nodes.Template([macro], lineno=1)
            body.set_environment(environment)
            facts |= meta.find_undeclared_variables(body)
    return facts


def everywhere(value: Any, hostile: str) -> Any:
    """The same facts with every text replaced."""
    if isinstance(value, dict):
        return {key: everywhere(item, hostile) for key, item in value.items()}
    if isinstance(value, list):
        return [everywhere(item, hostile) for item in value]
    return hostile if isinstance(value, str) else value


each_message = pytest.mark.parametrize(("step", "audience"), MESSAGES, ids=lambda part: part.value)


def test_every_mandatory_message_has_a_template() -> None:
    promised = {(step, audience) for step, audiences in MANDATORY.items() for audience in audiences}
    promised |= {(step, audience) for step, audiences in ALWAYS.items() for audience in audiences}
    updates = {(Step.periodic_update, audience) for audience in PROMISED}
    assert promised | updates | {(Step.ramp_held, Audience.operator)} <= set(MESSAGES)


@pytest.mark.parametrize(
    "path", [*ROOT.glob("playbooks/*.yaml"), ROOT / "examples/demo/playbook.yaml"], ids=lambda p: p.stem
)
def test_every_message_a_playbook_promises_has_a_template(path: Path) -> None:
    playbook = parse(path.read_bytes())
    assert RENDERER.lacks(playbook) == []
    short = JinjaRenderer(TEMPLATES / "messages")
    assert len(short.lacks(playbook)) == sum(len(rule.audiences) for rule in playbook.communications)


@each_message
def test_it_renders_with_all_facts_and_leaves_no_trace_of_the_template(step: Step, audience: Audience) -> None:
    subject, text = RENDERER.render(step, audience, FACTS)
    assert 10 < len(subject) <= 120
    assert not re.search(r"\{[{%#]|\}\}|None|undefined|\n\n\n", subject + text)
    assert text.endswith("\n")
    assert text[0] != "\n"


@each_message
def test_it_is_not_sent_when_a_fact_is_missing(step: Step, audience: Audience) -> None:
    facts = used(step, audience)
    assert len(facts) >= 4
    for missing in facts:
        some = {name: fact for name, fact in FACTS.items() if name != missing}
        with pytest.raises(CannotRender, match=f"'{missing}' is undefined"):
            RENDERER.render(step, audience, some)


@each_message
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_fact_stays_inert(step: Step, audience: Audience, name: str) -> None:
    facts = everywhere(FACTS, HOSTILE[name])
    subject, text = RENDERER.render(step, audience, facts)
    clean = RENDERER.render(step, audience, everywhere(FACTS, "fact"))
    assert (subject + text).count("\n") == "".join(clean).count("\n"), "no line is added by a fact"
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", subject + text)
    assert "49" not in text


@each_message
def test_it_says_since_when_and_when_the_next_update_comes(step: Step, audience: Audience) -> None:
    subject, text = RENDERER.render(step, audience, FACTS)
    assert FACTS["opened_at"] in subject + text
    assert "Next update: 04:00 UTC." in text
    assert (FACTS["release_id"] if "rollout" in used(step, audience) else FACTS["incident_id"]) in text


@each_message
def test_its_facts_come_in_the_order_people_need_them(step: Step, audience: Audience) -> None:
    _, text = RENDERER.render(step, audience, FACTS)
    order = [
        "Since",
        "Affected:",
        "Done:",
        "What to do:",
        "If nobody",
        "Not known:",
        "Next update:",
        "Open:",
        "Reference:",
    ]
    found = [text.index(f"\n{label}") for label in order if f"\n{label}" in text]
    assert found == sorted(found), text


@pytest.mark.parametrize("step", [Step.approval_asked, Step.approval_reminded])
def test_an_ask_says_what_happens_if_nobody_decides(step: Step) -> None:
    for audience in (Audience.approver, Audience.operator):
        _, text = RENDERER.render(step, audience, FACTS)
        assert "If nobody decides by 2026-11-20 03:24:07 UTC (in 10 minutes)" in text
        assert FACTS["ask"]["default_words"] in text
        assert "1 of 2, still missing: safety lead" in text


def test_a_rejected_request_does_not_announce_the_way_back() -> None:
    rejected = FACTS | {"decision": FACTS["decision"] | {"outcome": "rejected"}, "plan": None}
    for audience in (Audience.operator, Audience.approver):
        subject, text = RENDERER.render(Step.approval_decided, audience, rejected)
        assert "rejected" in subject
        assert "begins now" not in text
        assert "moves no user" in text


def test_a_way_back_that_stopped_before_its_first_stage_is_told_too() -> None:
    for audience in MANDATORY[Step.revert_stopped]:
        _, text = RENDERER.render(Step.revert_stopped, audience, FACTS | {"stage": None})
        assert "no stage of this plan was begun" in text


def test_an_ask_without_its_facts_is_not_sent() -> None:
    with pytest.raises(CannotRender, match="approval_asked"):
        RENDERER.render(Step.approval_asked, Audience.approver, FACTS | {"ask": None})


@each_message
def test_nothing_unknown_is_said_as_such(step: Step, audience: Audience) -> None:
    if "unknowns" in used(step, audience):
        _, text = RENDERER.render(step, audience, FACTS | {"unknowns": []})
        assert "Not known: no open question is on record." in text


# --- who may read what (R2 to R4, COM-8, COM-13, COM-14) ---------------------------------------------------


@pytest.mark.parametrize(("step", "audience"), OUTSIDE, ids=lambda part: part.value)
def test_outside_messages_name_the_service_the_time_and_the_reference_only(step: Step, audience: Audience) -> None:
    assert used(step, audience) <= {"service", "opened_at", "incident_id", "next_update", "state"}


@pytest.mark.parametrize(("step", "audience"), OUTSIDE, ids=lambda part: part.value)
def test_outside_messages_hold_no_speculation_and_no_inside_words(step: Step, audience: Audience) -> None:
    text = "\n".join(RENDERER.render(step, audience, FACTS)).lower()
    for word in ("probably", "should", "might", "may ", "perhaps", "possibly", "likely", "seems", "we think"):
        assert word not in text
    for word in (
        "sev",
        "candidate",
        "baseline",
        "rollback",
        "trigger",
        "hallucination",
        "approv",
        "model",
        "playbook",
    ):
        assert word not in text


@each_message
def test_executives_read_no_reasons_and_no_names_of_persons(step: Step, audience: Audience) -> None:
    if audience is Audience.exec:
        assert not {"decision", "stop"} & used(step, audience)


def test_a_customer_learns_everything_an_outside_message_must_say() -> None:
    for step in (Step.reverted, Step.all_clear):
        _, text = RENDERER.render(step, Audience.customer, FACTS)
        for part in (
            "Since when:",
            "What we did:",
            "What you can do:",
            "What we do not know yet:",
            "Next update:",
            "Questions:",
        ):
            assert part in text
        assert re.search("Who (is|was) affected:", text)


# --- the review --------------------------------------------------------------------------------------------


def test_lrn_2_the_draft_tells_what_is_on_record_and_nothing_that_people_have_to_write() -> None:
    draft = RENDERER.render_review(REVIEW)
    for fact in (
        "reverted and shown to be healthy",
        "03:14:07 (record 17)",
        "2 minutes",
        "Ada Berg",
        "450 of 1,000",
        "85 of 1,204",
        "| truth: limit 20 % tighter | 03:02 | 12 minutes earlier | 2 |",
        "16 minutes after the harm",
        "gdpr-33-1",
    ):
        assert fact in draft
    headings = re.findall(r"^## (.+)$", draft, re.MULTILINE)
    assert {"Known now, not then", "Could it have been seen earlier?", "Did automation misread it?"} <= set(headings)
    assert not {asked.title for asked in ASKED.values()} - {"Did automation misread it?"} & set(headings)
    assert "root cause" not in draft.lower()
    assert "Not legal advice." in draft


def test_the_same_facts_give_the_same_draft() -> None:
    assert RENDERER.render_review(REVIEW) == JinjaRenderer(TEMPLATES).render_review(REVIEW)


@pytest.mark.parametrize("missing", REVIEW)
def test_the_draft_is_not_written_when_a_fact_is_missing(missing: str) -> None:
    with pytest.raises(CannotRender, match=f"'{missing}' is undefined"):
        RENDERER.render_review({name: fact for name, fact in REVIEW.items() if name != missing})


@pytest.mark.parametrize("empty", [name for name, fact in REVIEW.items() if isinstance(fact, list)])
def test_an_empty_part_of_the_draft_says_so(empty: str) -> None:
    draft = RENDERER.render_review(REVIEW | {empty: []})
    assert re.search(r"(No|Nothing)[\w ]+(on record|given|begun|refused)\.", draft)
    assert "| stage | planned" in draft or empty == "stages"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_fact_is_no_markup_in_the_draft(name: str) -> None:
    draft = RENDERER.render_review(everywhere(REVIEW, HOSTILE[name]))
    plain = RENDERER.render_review(everywhere(REVIEW, "fact"))
    assert draft.count("\n") == plain.count("\n"), "no line is added by a fact"
    assert "<script" not in draft
    assert "](javascript" not in draft.replace("\\](javascript", "")
    assert draft.count("\n#") == plain.count("\n#")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2066]", draft)


def test_a_fact_cannot_break_the_table_of_stages() -> None:
    stage = {"number": 1, "planned": "a | b", "observed": "c", "result": "d"}
    line = next(
        line
        for line in RENDERER.render_review(REVIEW | {"stages": [stage]}).splitlines()
        if "a " in line and "| 1" in line
    )
    assert len(re.findall(r"(?<!\\)\|", line)) == 5
