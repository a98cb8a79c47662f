"""GOV-23, 24: the declared default when nobody decides, and when it degrades to hold (T20)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from countermand.governance.standing import NONE_ISSUED, Validity
from countermand.governance.timeouts import Declared, TimeoutFacts, default_on_timeout
from tests.rules.governance.asking import BEGIN

HELD = Validity(ok=True)
FACTS = TimeoutFacts(
    delivered=("console", "email"),
    received=("email",),
    target_verified_at=BEGIN - timedelta(minutes=15),
    fairness_pause=False,
    rehearsed_at=BEGIN - timedelta(days=30),
    fresh_for=timedelta(days=30),
    stops=(),
)
NOTHING = TimeoutFacts(
    delivered=(),
    received=(),
    target_verified_at=None,
    fairness_pause=True,
    rehearsed_at=None,
    fresh_for=timedelta(1),
    stops=(),
)


@pytest.mark.parametrize("declared", ["hold", "abort"])
def test_gov_23_hold_and_abort_run_as_declared_whatever_happened(declared: Declared) -> None:
    found = default_on_timeout(declared, NONE_ISSUED, NOTHING, BEGIN)
    assert (found.action, found.degraded) == (declared, ())


def test_gov_24_proceed_runs_when_people_had_a_real_chance_to_say_no() -> None:
    assert default_on_timeout("proceed", HELD, FACTS, BEGIN).action == "proceed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"delivered": ("email",)}, "went out on 1 channels, 2 are needed"),
        ({"delivered": ("email", "email")}, "went out on 1 channels, 2 are needed"),
        ({"received": ()}, "no channel confirmed"),
        ({"received": ("slack",)}, "no channel confirmed"),
        ({"target_verified_at": None}, "not verified in the last 15 minutes"),
        ({"target_verified_at": BEGIN - timedelta(minutes=15, seconds=1)}, "not verified in the last 15 minutes"),
        ({"fairness_pause": True}, "fairness question"),
        ({"stops": ("2 moves there and back",)}, "2 moves there and back"),
        ({"rehearsed_at": None}, "not rehearsed lately"),
        ({"rehearsed_at": BEGIN - timedelta(days=30, seconds=1)}, "not rehearsed lately"),
        ({"rehearsed_at": BEGIN + timedelta(seconds=1)}, "not rehearsed lately"),
    ],
)
def test_gov_24_keeping_people_from_deciding_gains_nothing(changes: dict[str, Any], reason: str) -> None:
    found = default_on_timeout("proceed", HELD, FACTS.model_copy(update=changes), BEGIN)
    assert found.action == "hold"
    assert [words for words in found.degraded if reason in words] == list(found.degraded)


def test_gov_24_without_a_standing_authorisation_nothing_proceeds() -> None:
    found = default_on_timeout("proceed", NONE_ISSUED, FACTS, BEGIN)
    assert (found.action, found.degraded) == ("hold", NONE_ISSUED.reasons)
