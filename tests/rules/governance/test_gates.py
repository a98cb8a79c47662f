"""GOV-27, 30, 31, 56: what a verdict may lead to, clause by clause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from countermand.detection.models import CORE, CriterionRecord, Gap, Guarantee, Verdict, VerdictWord
from countermand.governance.gates import (
    Gate,
    GateFacts,
    GateTable,
    SourceFact,
    clearness,
    gate,
    independent,
    may_promote,
)
from countermand.governance.shipped import shipped_gates
from countermand.governance.standing import NONE_ISSUED, Validity
from countermand.playbook.terms import Severity
from tests.rules.governance.asking import BEGIN, DIGEST

HELD = Validity(ok=True)
JUDGE = SourceFact(name="judge", authenticated=True, healthy=True, agrees=True, shares=("host a",))
THUMBS = SourceFact(name="thumbs", authenticated=True, healthy=True, agrees=True, shares=("host b",))
FACTS = GateFacts(
    sources=(JUDGE, THUMBS),
    fairness=False,
    target_eligible=True,
    target_verified_at=BEGIN - timedelta(minutes=15),
    still_served=True,
    flags=(),
    stops=(),
)


def a_criterion(unknown: Gap | None = None) -> CriterionRecord:
    return CriterionRecord(
        signal="hallucinations", form="tolerance", tolerance={"ratio": "1.5"}, this_block={}, coverage={}, so_far={},
        since=0, times=None, micronats=None, odds=None, breached=None, unknown=unknown, unknown_rows=0,
        dispersion=None, sentence="answers are worse",
    )  # fmt: skip


def a_verdict(word: str = "trigger", severity: str = "sev1", **changes: Any) -> Verdict:
    verdict = Verdict(
        core=CORE, rule=DIGEST, trigger="truth", severity=Severity(severity), seq=7, word=VerdictWord(word), hold=False,
        blind=False, latched_at=7, guarantee=Guarantee(word="bounded"), micronats=None, limit_micronats=None, odds=None,
        limit_odds=None, alpha=None, criteria=(a_criterion(),), row=DIGEST, sentence="answers are worse",
    )  # fmt: skip
    return verdict.model_copy(update=changes)


def facts(**changes: Any) -> GateFacts:
    return FACTS.model_copy(update=changes)


def at_gate(verdict: Verdict, given: GateFacts = FACTS, standing: Validity = HELD, **more: Any) -> Gate:
    return gate(shipped_gates(), verdict, given, standing, BEGIN, **more)


def test_gov_27_a_trigger_is_clear_when_every_clause_holds() -> None:
    found = clearness(a_verdict(), FACTS, BEGIN)
    assert (found.clear, found.failing, found.agreeing) == (True, (), 2)


@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"sources": ()}, "no source is known to report this"),
        ({"sources": (JUDGE,)}, "1 of 2 needed independent sources agree"),
        ({"sources": (JUDGE, THUMBS.model_copy(update={"agrees": False}))}, "1 of 2 needed independent sources agree"),
        ({"sources": (JUDGE, THUMBS.model_copy(update={"shares": ("host a",)}))}, "1 of 2 needed independent sources"),
        ({"sources": (JUDGE, THUMBS.model_copy(update={"healthy": False}))}, "not healthy: thumbs"),
        ({"sources": (JUDGE, THUMBS.model_copy(update={"authenticated": False}))}, "not authenticated or not healthy"),
        ({"fairness": True}, "fairness is concerned"),
        ({"target_eligible": False}, "the rollback target is not eligible"),
        ({"target_eligible": None}, "whether the rollback target is eligible is not known"),
        ({"target_verified_at": None}, "not verified in the last 15 minutes"),
        ({"target_verified_at": BEGIN - timedelta(minutes=15, seconds=1)}, "not verified in the last 15 minutes"),
        ({"target_verified_at": BEGIN + timedelta(seconds=1)}, "not verified in the last 15 minutes"),
        ({"still_served": False}, "the candidate is no longer served"),
        ({"still_served": None}, "whether the candidate is still served is not known"),
        ({"flags": ("the last revert was just now",)}, "the last revert was just now"),
        ({"flags": None}, "earlier reverts are not known"),
    ],
)
def test_gov_27_each_clause_that_fails_makes_it_doubtful_and_is_named(changes: dict[str, Any], clause: str) -> None:
    found = clearness(a_verdict(), facts(**changes), BEGIN)
    assert not found.clear
    assert any(clause in said for said in found.failing)


@pytest.mark.parametrize(
    "verdict",
    [
        a_verdict(criteria=(a_criterion(Gap(arm="candidate", reason="coverage", sentence="too few")),)),
        a_verdict(blind=True),
        a_verdict("unknown"),
    ],
)
def test_gov_27_too_little_data_is_doubtful(verdict: Verdict) -> None:
    assert not clearness(verdict, FACTS, BEGIN).clear


def test_gov_56_sources_that_share_a_credential_exporter_or_host_count_as_one() -> None:
    def source(name: str, *shares: str) -> SourceFact:
        return SourceFact(name=name, authenticated=True, healthy=True, agrees=True, shares=shares)

    assert independent((source("a"), source("b"))) == 2
    assert independent((source("a"), source("a"))) == 1
    assert independent((source("a", "host 1"), source("b", "host 2"), source("c", "host 1", "host 2"))) == 1
    assert independent((source("a", "x"), source("a", "y"), source("b", "x"), source("c", "y"))) == 1
    for unfit in ({"authenticated": False}, {"healthy": False}, {"agrees": False}):
        assert independent((source("a"), source("b").model_copy(update=unfit))) == 1
    chained = (source("a", "x"), source("b", "x", "y"), source("c", "y", "z"), source("d", "z"), source("e"))
    assert independent(chained) == independent(chained[::-1]) == 2


#: Verdict × severity → act, people, minutes, hold, as the table of §7 says; None minutes: the next working window.
ROWS = [
    ("trigger", "sev1", "automatic", 2, 30, True),
    ("trigger", "sev2", "ask", 2, 60, True),
    ("trigger", "sev3", "ask", 1, 240, False),
    ("trigger", "sev4", "ask", 1, 240, False),
    ("doubtful", "sev1", "ask", 2, 15, True),
    ("doubtful", "sev2", "ask", 2, 60, True),
    ("doubtful", "sev3", "ask", 1, None, False),
    ("doubtful", "sev4", "ask", 1, None, False),
    ("watch", "sev1", "notify", None, None, True),
    ("watch", "sev2", "notify", None, None, True),
    ("watch", "sev3", "notify", None, None, False),
    ("watch", "sev4", "notify", None, None, False),
    ("unknown", "sev1", "ask_if_blind", None, None, True),
    ("unknown", "sev2", "ask_if_blind", None, None, True),
    ("unknown", "sev3", "notify", None, None, False),
    ("unknown", "sev4", "notify", None, None, False),
    ("ok", "sev1", "none", None, None, False),
    ("ok", "sev4", "none", None, None, False),
]


@pytest.mark.parametrize(("word", "severity", "act", "people", "minutes", "hold"), ROWS)
def test_gov_27_the_shipped_gates_are_those_of_the_table(
    word: str, severity: str, act: str, people: int | None, minutes: int | None, hold: bool
) -> None:
    given = facts(target_eligible=None) if word == "doubtful" else FACTS
    found = at_gate(a_verdict("trigger" if word == "doubtful" else word, severity), given)
    assert (found.act, found.people, found.hold_ramp) == (act, people, hold)
    assert found.window == (timedelta(minutes=minutes) if minutes else None)
    assert found.next_working_window == (act == "ask" and minutes is None)


@pytest.mark.parametrize(
    ("given", "standing", "more", "because"),
    [
        (FACTS, NONE_ISSUED, {}, "there is no standing authorisation"),
        (facts(stops=("2 automatic rollbacks today",)), HELD, {}, "2 automatic rollbacks today"),
        (facts(stops=None), HELD, {}, "earlier automatic rollbacks are not known"),
        (facts(sources=(JUDGE,)), HELD, {"sources": 1}, "1 independent source is not enough"),
    ],
)
def test_gov_28_without_all_that_automation_needs_people_are_asked_never_silence(
    given: GateFacts, standing: Validity, more: dict[str, Any], because: str
) -> None:
    found = at_gate(a_verdict(), given, standing, **more)
    assert (found.act, found.people, found.window) == ("ask", 2, timedelta(minutes=30))
    assert because in " ".join(found.because)


def test_gov_27_a_long_blindness_asks_at_every_severity() -> None:
    assert at_gate(a_verdict("unknown", "sev3"), unknown_in_a_row=5).act == "notify"
    assert at_gate(a_verdict("unknown", "sev3"), unknown_in_a_row=6).act == "ask_if_blind"


def test_gov_30_a_verdict_that_holds_the_ramp_holds_it_whatever_the_row_says() -> None:
    assert at_gate(a_verdict("unknown", "sev4", hold=True)).hold_ramp
    assert at_gate(a_verdict("trigger", "sev4", hold=True)).hold_ramp


def test_gov_32_a_trigger_tagged_fairness_is_investigated_before_anything_is_changed() -> None:
    for severity in Severity:
        found = at_gate(a_verdict(severity=severity.value), facts(fairness=True))
        assert (found.act, found.hold_ramp) == ("investigate", True)
    assert at_gate(a_verdict("ok"), facts(fairness=True)).act == "none"


def test_gov_36_another_trigger_at_the_same_time_keeps_its_own_gate() -> None:
    assert at_gate(a_verdict(trigger="gap", severity="sev3"), facts(fairness=True)).act == "investigate"
    assert at_gate(a_verdict()).act == "automatic"


def test_a_shadow_never_acts() -> None:
    assert at_gate(a_verdict(shadow=True)).act == "none"


@pytest.mark.parametrize("word", VerdictWord)
@pytest.mark.parametrize("evidence", [True, False, None])
def test_gov_31_only_ok_with_positive_evidence_promotes(word: VerdictWord, evidence: bool | None) -> None:
    assert may_promote(word, evidence) == (word is VerdictWord.ok and evidence is True)


def table(**rows: dict[str, Any]) -> GateTable:
    """The shipped table with `clear_sev1={...}` replaced."""
    document = shipped_gates().model_dump(mode="json", by_alias=True)
    for place, row in rows.items():
        name, severity = place.split("_")
        document[name][severity] |= row
    return GateTable.model_validate(document)


def test_a_playbook_may_tighten_the_gates() -> None:
    own = table(clear_sev1={"act": "ask"}, clear_sev2={"people": 3, "window": "30m"}, watch_sev3={"hold_ramp": True})
    assert shipped_gates().tightened(own) == own


@pytest.mark.parametrize(
    ("place", "row", "said"),
    [
        ("clear_sev2", {"act": "automatic"}, "leaves less to people than 'ask'"),
        ("clear_sev2", {"people": 1}, "1 people are fewer than 2"),
        ("clear_sev2", {"window": "61m"}, "the time limit is longer than 60m|longer than 1h"),
        ("doubtful_sev1", {"window": None, "next_working_window": True}, "the time limit is longer"),
        ("watch_sev1", {"hold_ramp": False}, "the rollout would go on"),
        ("unknown_sev1", {"act": "notify"}, "leaves less to people"),
    ],
)
def test_a_playbook_may_not_loosen_the_gates(place: str, row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        shipped_gates().tightened(table(**{place: row}))


@pytest.mark.parametrize(
    ("place", "row", "said"),
    [
        ("doubtful_sev1", {"act": "automatic"}, "only a clear trigger can be automatic"),
        ("clear_sev4", {"act": "none"}, "never passed over in silence"),
        ("clear_sev2", {"window": None}, "nobody would know who decides until when"),
        ("clear_sev2", {"people": None}, "nobody would know who decides until when"),
        ("clear_sev2", {"people": 0}, "greater than or equal to 1"),
    ],
)
def test_a_table_that_decides_something_in_silence_does_not_parse(place: str, row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        table(**{place: row})


def test_a_table_has_a_row_for_every_severity() -> None:
    document = shipped_gates().model_dump(mode="json", by_alias=True)
    del document["watch"]["sev2"]
    with pytest.raises(ValidationError, match="no row for sev2"):
        GateTable.model_validate(document)
