"""Legal holds from the command line."""

from __future__ import annotations

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

WHY = "A court asked us to keep all of it."


def test_obl_30_a_hold_that_wants_a_security_key_names_the_page_that_places_exactly_it(
    console: FakeConsole, shell: Shell
) -> None:
    refused = {"code": "step_up_required", "detail": "this needs a second factor.", "next": "Use the console."}
    console.on("POST /api/v1/holds", (403, refused))
    ended = shell("hold", "place", "--incident", "inc-1", "--incident", "inc-2", "--class", "ledger", "--reason", WHY)
    assert ended.code == 3
    assert f"{console.url}/holds/new?incidents=inc-1%2Cinc-2&classes=ledger" in ended.err
    (sent,) = console.of("POST /api/v1/holds")
    assert (sent.body["incidents"], sent.body["subjects"]) == (["inc-1", "inc-2"], [])


def test_any_other_refusal_keeps_the_words_of_the_console(console: FakeConsole, shell: Shell) -> None:
    console.on("POST /api/v1/holds", (403, {"code": "not_your_role", "detail": "no.", "next": "Ask Lena."}))
    ended = shell("hold", "place", "--incident", "inc-1", "--reason", WHY)
    assert "Ask Lena." in ended.err
    assert "holds/new" not in ended.err
