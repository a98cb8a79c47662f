"""May this be deleted? Every kind of deletion × every reason to keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countermand.obligations import dataset
from countermand.retention.classes import in_force, shipped_classes
from countermand.retention.holding import Claim, Hold, Item, Scope, may_delete

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TEXT = Item(class_id="decisions_and_plans", incident_id="inc-1", subject="local|maria", digest="ab")
SAMPLE = Item(class_id="evidence_samples", release_id="rel-1")


def hold(**scope: tuple[str, ...]) -> Hold:
    return Hold(
        hold_id="hold-1", scope=Scope(**scope), reason="r", matter="m", placed_by="Lena", placed_at=NOW
    )  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expired", "held", "claim", "word"),
    [
        (item, expired, held, claim, word)
        for item in (TEXT, SAMPLE)
        for expired, held, claim, word in (
            (True, False, "", "delete"),
            (False, False, "", "not_due"),
            (None, False, "", "delete"),
            (True, False, "clock gdpr-33 is open", "claimed"),
            (None, False, "clock gdpr-33 is open", "claimed"),
            (True, True, "", "held"),
            (False, True, "", "held"),
            (None, True, "", "held"),
            (True, True, "clock gdpr-33 is open", "held"),
        )
    ],
)
def test_obl_29_a_hold_beats_every_other_answer(
    item: Item, expired: bool | None, held: bool, claim: str, word: str
) -> None:
    until = None if expired is None else NOW - timedelta(days=1) if expired else NOW + timedelta(days=1)
    holds = [hold(incidents=("inc-1",), releases=("rel-1",))] if held else []
    verdict = may_delete(item.model_copy(update={"keep_until": until, "claim": claim}), holds, (), NOW)
    assert (verdict.word, verdict.may) == (word, word == "delete")
    assert verdict.sentence


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({"incidents": ("inc-1",)}, True),
        ({"incidents": ("inc-2",)}, False),
        ({"classes": ("decisions_and_plans",)}, True),
        ({"classes": ("evidence_samples",)}, False),
        ({"subjects": ("local|maria",)}, True),
        ({"subjects": ("local|jonas",)}, False),
        ({"digests": ("ab",)}, True),
        ({"digests": ("cd",)}, False),
        ({"incidents": ("inc-1",), "subjects": ("local|jonas",)}, False),
    ],
)
def test_each_field_of_a_scope_narrows_it(scope: dict[str, tuple[str, ...]], covered: bool) -> None:
    assert Scope(**scope).covers(TEXT) is covered


def test_what_an_item_does_not_tell_counts_as_covered() -> None:
    assert hold(subjects=("local|maria",)).scope.covers(SAMPLE)
    assert hold(incidents=("inc-1",)).scope.covers(Item(class_id="evidence_samples"))


def test_an_empty_scope_does_not_parse() -> None:
    with pytest.raises(ValueError, match="an empty scope"):
        Scope()


def _own(days: int, name: str = "evidence_samples") -> dataset.RetentionClass:
    row = {"id": name, "keep": {"days": days}, "purge": "with_certificate", "reason": "our policy"}
    return dataset.RetentionClass.model_validate(row)


def test_obl_28_an_organisation_may_keep_longer_and_what_it_leaves_out_stays_as_shipped() -> None:
    classes = in_force([_own(400)], NOW)
    assert classes["evidence_samples"].keep.days == 400
    assert classes["ledger"] == shipped_classes()["ledger"]


def test_obl_28_keeping_less_than_the_minimum_is_refused_with_its_reason() -> None:
    with pytest.raises(ValueError, match=r"would be kept for '30 days'; at least 90 days .*personal"):
        in_force([_own(30)], NOW)


def test_a_class_that_nobody_ships_is_refused() -> None:
    with pytest.raises(ValueError, match="'other' is not known"):
        in_force([_own(400, "other")], NOW)


def test_a_period_of_years_that_ends_on_no_day_ends_on_the_last_one_before() -> None:
    assert shipped_classes()["ledger"].keep.after(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(
        2031, 2, 28, tzinfo=UTC
    )


CLAIM = Claim(row_id="gdpr-33", incident_id="inc-1", release_id="rel-1", due=NOW)


@pytest.mark.parametrize(
    ("item", "word"),
    [
        (TEXT, "claimed"),
        (SAMPLE, "claimed"),
        (TEXT.model_copy(update={"incident_id": "inc-2"}), "delete"),
        (SAMPLE.model_copy(update={"release_id": "rel-2"}), "delete"),
        (Item(class_id="decisions_and_plans"), "delete"),
    ],
)
def test_obl_29_a_clock_keeps_what_is_of_its_incident_or_release(item: Item, word: str) -> None:
    verdict = may_delete(item, (), (CLAIM,), NOW)
    assert verdict.word == word
    assert ("gdpr-33" in verdict.sentence) is (word == "claimed")


def test_obl_29_a_hold_beats_a_clock() -> None:
    assert may_delete(TEXT, [hold(incidents=("inc-1",))], (CLAIM,), NOW).word == "held"
