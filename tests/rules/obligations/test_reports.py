"""What a report says that it rests on: a record that is there, in plain digits."""

from __future__ import annotations

import pytest

from countermand.governance.decision import Refused
from countermand.obligations.acts import _facts_root


def test_a_report_rests_on_the_newest_record_unless_somebody_says_which() -> None:
    assert _facts_root("", 41) == 41
    assert _facts_root("40", 41) == 40


@pytest.mark.parametrize("said", ["42", "²", "٤", "-1", "1e3", "9" * 400])
def test_a_report_cannot_rest_on_what_is_no_record_yet(said: str) -> None:
    with pytest.raises(Refused, match="up to 41"):
        _facts_root(said, 41)
