"""Consents and standing authorisations on the command line: read before signing, ask, list, revoke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from countermand.cli.exits import Exit
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

DIGEST = "ab" * 32
PATH = "/api/v1/consents/sa-1-consent"
SHOWN: dict[str, Any] = {
    "card": {
        "consent_id": "sa-1-consent",
        "approval_digest": f"sha256:{DIGEST}",
        "title": "May this run without asking?",
        "deadline": "tomorrow",
        "facts": [{"title": "How", "lines": ["stage 1: 10 % go back"]}],
        "if_nobody_decides": "the request lapses.",
        "people": "1 of 2 people signed",
    },
    "view_sha256": "sha256:view",
    "status": "pending",
    "votes": [{"vote": "approve", "name": "Maria Keller", "reason": "Agreed."}],
}


def test_a_document_is_signed_after_it_was_read_and_names_what_was_shown(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET {PATH}", (200, SHOWN))
    console.on(f"POST {PATH}", (200, {"sentence": "2 of 2 people signed"}))
    order = ("consent", "approve", "sa-1-consent", "--digest", DIGEST[:12], "--reason", "Read it, agreed.")
    before = shell(*order)
    assert (before.code, "you have not been shown this request here" in before.err) == (Exit.refused, True)
    shown = shell("consent", "show", "sa-1-consent")
    for words in ("stage 1: 10 % go back", "1 of 2 people signed", f"--digest {DIGEST[:12]}", "Maria Keller"):
        assert words in shown.out
    ran = shell(*order, "--resume", "d-1")
    assert (ran.code, "2 of 2 people signed" in ran.out) == (0, True)
    (sent,) = console.of(f"POST {PATH}")
    assert sent.body == {
        "kind": "approve", "approval_digest": f"sha256:{DIGEST}", "view_sha256": "sha256:view",
        "reason": "Read it, agreed.",
    }  # fmt: skip
    assert sent.headers["idempotency-key"] == "d-1"


def test_where_a_security_key_is_needed_the_page_to_sign_on_is_named(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET {PATH}", (200, {**SHOWN, "card": {**SHOWN["card"], "signature_class": "step_up"}}))
    page = f"{console.url}/consents/sa-1-consent"
    assert f"sign with your security key: {page}" in shell("consent", "show", "sa-1-consent").out
    ran = shell("consent", "approve", "sa-1-consent", "--digest", DIGEST[:12], "--reason", "Read it, agreed.")
    assert (ran.code, page in ran.err) == (Exit.not_authorised, True)
    assert console.of(f"POST {PATH}") == []


def test_another_digest_than_the_present_one_is_stale(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET {PATH}", (200, SHOWN))
    ran = shell("consent", "reject", "sa-1-consent", "--digest", "cd" * 6, "--reason", "It is too wide.")
    assert (ran.code, "stale" in ran.err) == (Exit.refused, True)
    assert console.of(f"POST {PATH}") == []


def test_the_file_is_sent_as_it_is_and_the_consent_is_named(console: FakeConsole, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "standing.yaml"
    file.write_bytes(b"schema: countermand.standing/v1\n")
    answer = {"authorisation_id": "sa-1", "consent_id": "sa-1-consent", "sentence": "Maria Keller is asked."}
    console.on("POST /api/v1/standing", (200, answer))
    ran = shell("standing", "ask", str(file))
    assert (ran.code, "countermand consent show sa-1-consent" in ran.out) == (0, True)
    assert console.of("POST /api/v1/standing")[0].raw == file.read_bytes()
    assert shell("standing", "ask", str(tmp_path / "none.yaml")).code == Exit.usage


def test_problems_of_the_file_are_printed(console: FakeConsole, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("a: 1")
    problem = {"code": "standing_invalid", "detail": "triggers: Field required; a: Extra inputs are not permitted"}
    console.on("POST /api/v1/standing", (422, problem))
    ran = shell("standing", "ask", str(tmp_path / "wrong.yaml"))
    assert (ran.code, "triggers: Field required; a: Extra" in ran.err) == (Exit.usage, True)


def test_standing_authorisations_are_listed_and_revoked_under_a_key(console: FakeConsole, shell: Shell) -> None:
    item = {"authorisation_id": "sa-1", "state": "in_force", "signers": ["Maria Keller", "Amira Haddad"], "why": ""}
    console.on("GET /api/v1/standing", (200, {"items": [item]}))
    assert json.loads(shell("standing", "list", "-o", "jsonl").out) == item
    assert "Maria Keller, Amira Haddad" in shell("standing", "list").out
    console.on("POST /api/v1/standing/sa-1/revoke", (200, {"status": "revoked", "sentence": "sa-1 is revoked."}))
    ran = shell("standing", "revoke", "sa-1", "--reason", "The model changed.", "--resume", "d-1")
    assert (ran.code, "sa-1 is revoked." in ran.out) == (0, True)
    (sent,) = console.of("POST /api/v1/standing/sa-1/revoke")
    assert (sent.body, sent.headers["idempotency-key"]) == ({"reason": "The model changed."}, "d-1")
