"""GOV-50 in use: how people are reached about a request, from what the Ledger says they were sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from countermand.governance.lanes import asks_sent, sent_to
from countermand.governance.limits import Limits
from countermand.ledger.bodies import AskSentTo, Body
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import BEGIN

NOW = BEGIN + timedelta(days=1)
MINUTE = timedelta(minutes=1)
MARIA, JONAS = (cases.MARIA, "Maria Keller"), (cases.JONAS, "Jonas Weber")


def written(body: Body, at: datetime, number: int) -> Record:
    return parse_line(build_line(body.entry(f"k-{number}", "worker"), seq=number, prev=GENESIS_PREV, at=at))


def asked(times: int, *, at: datetime = NOW - MINUTE, lane: str = "now", severity: str = "sev3") -> list[Record]:
    bodies = [
        AskSentTo(ask_id=f"ask-{n}", subject=cases.MARIA, name="Maria Keller", severity=severity, lane=lane)
        for n in range(times)
    ]
    return [written(body, at, number) for number, body in enumerate(bodies)]


def lanes(before: list[Record], severity: Severity = Severity.sev2) -> dict[str, str]:
    return {one.subject: one.lane for one in sent_to(before, "new", (MARIA, JONAS), severity, NOW, Limits())}


def test_gov_50_the_seventh_request_in_an_hour_is_only_listed_and_only_for_that_person() -> None:
    assert lanes(asked(5)) == {cases.MARIA: "now", cases.JONAS: "now"}
    assert lanes(asked(6)) == {cases.MARIA: "batch", cases.JONAS: "now"}
    assert lanes(asked(6, at=NOW - 60 * MINUTE)) == {cases.MARIA: "now", cases.JONAS: "now"}


def test_gov_50_sev1_is_never_batched_and_uses_up_nobodys_share() -> None:
    assert lanes(asked(100), Severity.sev1) == {cases.MARIA: "own", cases.JONAS: "own"}
    assert lanes(asked(100, lane="own", severity="sev1"))[cases.MARIA] == "now"


def test_gov_50_what_was_only_listed_uses_up_no_share() -> None:
    assert lanes([*asked(5), *asked(50, lane="batch")])[cases.MARIA] == "now"


def test_gov_50_records_of_other_kinds_say_nothing_about_requests_sent() -> None:
    mixed = asked(2)
    assert len(asks_sent([*mixed, mixed[0].model_copy(update={"kind": "ask.rung"})])) == 2
