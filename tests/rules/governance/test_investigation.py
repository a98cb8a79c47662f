"""Who may fill in and decide an investigation, what a finding needs, and whom a way back asks after it (GOV-33…35)."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

import pytest

from countermand.compare.slices import LEAST, slices
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.governance.decision import Decision, DecisionKind, Refused, SignatureClass
from countermand.governance.investigation import (
    MOST_FILLS,
    InvestigationRequest,
    InvestigationState,
    apply,
    check,
    lacking,
    ladder,
    with_reviewer,
)
from countermand.governance.investigation_form import FIELDS, missing
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.bodies import SlicesMeasured
from countermand.messages.investigation import slice_lines
from countermand.playbook.check import check as check_playbook
from countermand.playbook.model import Playbook, Severity
from countermand.playbook.protected import singles_out
from tests import cases
from tests.plans import a_plan
from tests.rules.governance.asking import BEGIN, KEYS, NOOR, RUTH, a_decision, an_actor, an_ask, directory, more_people

PEOPLE = directory(more_people())
WINDOW = timedelta(hours=4)
NUMBERS = itertools.count()
FORM = {field.name: field.choices[0] if field.choices else "what is known" for field in FIELDS} | {"protected": "no"}


def request(**changes: Any) -> InvestigationRequest:
    table = shipped_rights()
    return InvestigationRequest(
        investigation_id="inc-1-investigation", workflow_id="incident/x/investigation", incident_id="inc-1",
        opened_at=BEGIN, window=WINDOW, extends_once=True, ends_by=BEGIN + timedelta(days=1),
        right=table.row(Action.fairness_finding, Severity.sev2),
        reports=table.row(Action.report_unfairness, Severity.sev2),
        protected=(), excluded=("local|deployer",), directory=PEOPLE, keys=KEYS.gateway_keys(),
    ).model_copy(update=changes)  # fmt: skip


ASKED = request()
EMPTY = InvestigationState(until=BEGIN + WINDOW)
COMPLETE = EMPTY.model_copy(update={"form": FORM})


def act(kind: DecisionKind, who: str = RUTH, **changes: Any) -> Decision:
    meant: dict[str, Any] = {"addressed_to": ASKED.workflow_id, "incident_id": ASKED.incident_id, "ask_id": None}
    meant |= {"signature_class": SignatureClass.step_up, "reason": "looked at forty samples"}
    return a_decision(an_ask(), kind, an_actor(who), next(NUMBERS), **(meant | changes))


def finding(state: InvestigationState, outcome: str, who: str = RUTH, **changes: Any) -> Decision:
    terms = {"outcome": outcome, "adjustment": changes.pop("adjustment", "")}
    digest = state.digest(ASKED)
    return act(DecisionKind.decide_finding, who, **({"terms": terms, "approval_digest": digest} | changes))


@pytest.mark.parametrize("field", [field.name for field in FIELDS])
def test_gov_33_each_empty_field_blocks_the_finding_and_is_named(field: str) -> None:
    state = EMPTY.model_copy(update={"form": {name: text for name, text in FORM.items() if name != field}})
    assert missing(state.form) == (field,)
    with pytest.raises(Refused, match=f"empty: {field}"):
        check(ASKED, state, finding(state, "revert"))


def test_r87_whether_going_back_is_better_takes_one_of_three_words() -> None:
    with pytest.raises(Refused, match="Accepted: better, equal, worse"):
        check(ASKED, EMPTY, act(DecisionKind.fill_investigation, terms={"target_is": "fine"}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"who": cases.JONAS}, "needs the role"),
        ({"signature_class": SignatureClass.standard}, "step_up"),
        ({"approval_digest": "sha256:0"}, "changed since you read"),
        ({"reason": "short"}, "shorter than"),
        ({"addressed_to": "incident/y/investigation"}, "is for"),
        ({"outcome": "adjust"}, "adjustment"),
        ({"outcome": "fine"}, "not known"),
    ],
)
def test_gov_34_what_does_not_count_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    given = {"outcome": "continue", "who": RUTH} | changes
    with pytest.raises(Refused, match=words):
        check(ASKED, COMPLETE, finding(COMPLETE, given.pop("outcome"), given.pop("who"), **given))


def test_gov_34_a_protected_attribute_needs_legal_counsel_as_well() -> None:
    asked = request(protected=("language",))
    state = apply(asked, COMPLETE, finding(COMPLETE, "revert"))
    assert (state.found, lacking(asked, state)) == (False, ("legal_counsel",))
    counsel = next(person.subject for person in PEOPLE.holders("legal_counsel"))
    assert apply(asked, state, finding(state, "revert", counsel)).found
    other = apply(asked, state, finding(state, "continue", counsel))
    assert not other.found, "another finding takes the signatures of the first one away"


def test_a_change_of_the_form_takes_signatures_away() -> None:
    asked = request(protected=("language",))
    state = apply(asked, COMPLETE, finding(COMPLETE, "revert"))
    state = apply(asked, state, act(DecisionKind.fill_investigation, terms={"cause": "another cause"}))
    assert (state.signed, state.outcome) == ((), None)


def test_gov_34_too_little_evidence_extends_once_only() -> None:
    state = apply(ASKED, COMPLETE, finding(COMPLETE, "insufficient_evidence"))
    assert (state.until, state.found) == (BEGIN + 2 * WINDOW, False)
    again = apply(ASKED, state, finding(state, "insufficient_evidence"))
    assert again.until == state.until


def test_gov_34_a_reviewer_has_a_place_of_their_own_in_the_quorum_once() -> None:
    policy = cases.playbook().policy(Severity.sev2)
    asked = with_reviewer(policy)
    assert asked.quorum.distinct_people == 3
    assert "fairness_reviewer" in {slot.role for slot in asked.quorum.roles} & set(asked.ladder[0].to)
    assert with_reviewer(asked) == asked


def test_the_ladder_lies_within_the_window() -> None:
    assert [at - BEGIN for at, _ in ladder(BEGIN, BEGIN + WINDOW)] == [timedelta(hours=2), timedelta(hours=3)]


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("split/gender=f", "gender"),
        ("users where age > 60", "age"),
        ("assistant:language in [tr]", "language"),
        ("sexual orientation: any", "sexual_orientation"),
        ("language-router", ""),
        ("stage-3", ""),
        ("image=v7", ""),
    ],
)
def test_gov_35_a_selector_by_a_protected_attribute_is_found(name: str, attribute: str) -> None:
    assert singles_out(name) == attribute


def test_gov_35_a_plan_for_one_protected_group_does_not_validate() -> None:
    plan = a_plan()
    raw = plan.model_dump(mode="json")
    raw["member"]["name"] = "split/gender=f"
    with pytest.raises(ValueError, match="selects people by 'gender'"):
        type(plan).model_validate(raw)
    document = cases.playbook_document()
    document["revert"]["member"] = "split/gender=f"
    with pytest.raises(ValueError, match=r"revert\.member"):
        Playbook.model_validate(document)


def test_r84_slices_carry_intervals_and_say_what_is_too_little_and_what_is_missing() -> None:
    document = cases.playbook_document()
    document["detection"]["signals"]["gap"] = {
        "kind": "gap", "of": "hallucinations", "group_by": "language", "groups": ["de", "tr"], "family": "fairness",
        "meaning": "how much worse a language is served", "source": "judge",
    }  # fmt: skip
    detection = Playbook.model_validate(document).detection
    parts = [(Arm.candidate, "all", 400, 40), (Arm.candidate, "language=de", 50, 20), (Arm.baseline, "all", 400, 8)]
    blocks = tuple(
        Block(signal="hallucinations", arm=arm, segment=segment, state=BlockState.ok, served=n, scored=n, bad=bad)
        for arm, segment, n, bad in parts
    )
    found, lacking_ = slices(detection, [Row(seq=0, start=BEGIN, block=detection.block, blocks=blocks)])
    body = SlicesMeasured(slices=found, lacking=lacking_, least=LEAST, rows=1, target="test-bot v6", sha256="sha256:0")
    text = "\n".join(slice_lines(body))
    assert "everybody: candidate 10.0 % bad (7.4 to 13.3 %, 40 of 400 outputs); baseline 2.0 % bad" in text
    assert "20 of 50 outputs), fewer than 100: too few to say anything" in text
    assert "no data: gap of language=tr with the baseline" in text


def test_r84_a_gap_of_scores_has_means_by_group() -> None:
    document = cases.playbook_document()
    signals = document["detection"]["signals"]
    signals["helpfulness"] = {
        "kind": "score", "bad": "lower", "range": [1, 5], "family": "model_quality", "meaning": "how helpful",
        "source": "judge",
    }  # fmt: skip
    signals["gap"] = {
        "kind": "gap", "of": "helpfulness", "group_by": "language", "groups": ["de"], "family": "fairness",
        "meaning": "how much worse a language is served", "source": "judge",
    }  # fmt: skip
    detection = Playbook.model_validate(document).detection
    # Every output of the group lies at 2,500 or 7,500 of 10,000 steps from 1 to 5: 2 or 4, and 3 on average.
    parts = [(Arm.candidate, "language=de", 200, 5_000 * 200, (2_500**2 + 7_500**2) * 100)]
    parts += [(Arm.candidate, "all", 20, 10_000 * 20, 10_000**2 * 20)]
    blocks = tuple(
        Block(
            signal="helpfulness", arm=arm, segment=segment, state=BlockState.ok, served=n, scored=n, sum=total,
            sumsq=squares,
        )
        for arm, segment, n, total, squares in parts
    )  # fmt: skip
    found, lacking_ = slices(detection, [Row(seq=0, start=BEGIN, block=detection.block, blocks=blocks)])
    body = SlicesMeasured(slices=found, lacking=lacking_, least=LEAST, rows=1, target="test-bot v6", sha256="sha256:0")
    text = "\n".join(slice_lines(body))
    assert "gap, language de: candidate mean 3 (2.86 to 3.14, 200 outputs, scored from 1 to 5)" in text
    assert "gap, everybody: candidate mean 5 (1 to 5, 20 outputs, scored from 1 to 5), fewer than 100" in text
    assert "no data: gap of language=de with the baseline" in text


def test_r83_a_harm_without_a_trigger_and_without_a_name_is_said() -> None:
    document = cases.playbook_document()
    document["harms"] = [{"id": "lost", "harm": "people lose what they wrote"}]
    document["fairness"] = {"test_sets": [{"name": "dialects", "covers": "dialects", "includes": ["regional wording"]}]}
    said = " ".join(one.message for one in check_playbook(Playbook.model_validate(document)))
    assert "nothing finds harm 'lost' and nobody accepted it" in said
    assert "test set 'dialects' has no `limit`" in said
    document["harms"][0]["trigger"] = "nothing"
    with pytest.raises(ValueError, match="unknown trigger 'nothing'"):
        Playbook.model_validate(document)


def test_r83_an_accepted_risk_is_flagged_once_its_day_is_over() -> None:
    document = cases.playbook_document()
    accepted = {"by": "Maria Keller, safety lead", "until": "2026-11-20", "why": "nobody can measure it yet"}
    document["harms"] = [{"id": "lost", "harm": "people lose what they wrote", "accepted": accepted}]
    playbook = Playbook.model_validate(document)
    for day, expired in ((20, False), (21, True)):
        said = [
            one.message for one in check_playbook(playbook, today=date(2026, 11, day)) if "accepted by" in one.message
        ]
        assert bool(said) is expired
    assert "until 2026-11-20; that is over" in said[0]


def test_a_stranger_to_the_organisation_decides_nothing() -> None:
    with pytest.raises(Refused):
        check(ASKED, COMPLETE, finding(COMPLETE, "revert", NOOR))


def test_one_person_cannot_keep_others_from_a_finding_by_filling_in_the_form_for_ever() -> None:
    state = EMPTY
    for _ in range(MOST_FILLS):
        state = apply(ASKED, state, act(DecisionKind.fill_investigation, terms=FORM))
    with pytest.raises(Refused, match="you filled in this form 100 times"):
        apply(ASKED, state, act(DecisionKind.fill_investigation, terms=FORM))
    assert apply(ASKED, state, finding(state, "revert")).found
