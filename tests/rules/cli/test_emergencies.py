"""Starting something out of order from the command line."""

from __future__ import annotations

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

HARM = "Customers are told to take twice the dose."
REASON = "Three transcripts of this morning, each of them wrong."
SAID = {"status": "opened", "sentence": "incident inc-1 is open.", "incident_id": "inc-1", "have": 0, "need": 0}


def test_an_emergency_is_sev1_and_says_which_incident_it_opened(console: FakeConsole, shell: Shell) -> None:
    console.on("POST /api/v1/releases/bot-v7/declarations", (200, SAID))
    ended = shell("release", "emergency", "bot-v7", "--harm", HARM, "--reason", REASON)
    assert ended.code == 0
    assert "incident inc-1" in ended.out
    (sent,) = console.of("POST /api/v1/releases/bot-v7/declarations")
    assert sent.body == {"mode": "emergency", "severity": "sev1", "harm": HARM, "reason": REASON}
    assert sent.headers["idempotency-key"]


def test_a_proposal_names_its_severity(console: FakeConsole, shell: Shell) -> None:
    console.on("POST /api/v1/releases/bot-v7/declarations", (200, SAID))
    shell("release", "propose", "bot-v7", "--harm", HARM, "--reason", REASON, "--severity", "sev3")
    (sent,) = console.of("POST /api/v1/releases/bot-v7/declarations")
    assert (sent.body["mode"], sent.body["severity"]) == ("propose", "sev3")


def test_a_concern_may_propose_a_rollback(console: FakeConsole, shell: Shell) -> None:
    recorded = SAID | {"status": "recorded", "sentence": "your concern stands in the record.", "incident_id": None}
    console.on("POST /api/v1/releases/bot-v7/concerns", (200, recorded))
    ended = shell("release", "concern", "bot-v7", "--reason", REASON)
    assert "your concern stands in the record." in ended.out
    shell("release", "concern", "bot-v7", "--reason", REASON, "--propose")
    sent = [one.body["propose"] for one in console.of("POST /api/v1/releases/bot-v7/concerns")]
    assert sent == [False, True]


def test_break_glass_without_a_second_factor_says_what_to_do(console: FakeConsole, shell: Shell) -> None:
    refused = {"code": "step_up_required", "detail": "this needs a second factor.", "next": "Open the incident."}
    console.on("POST /api/v1/incidents/inc-1/break-glass", (403, refused))
    ended = shell("incident", "break-glass", "inc-1", "--do", "stop", "--harm", HARM, "--reason", REASON)
    assert ended.code == 3
    assert "Open the incident." in ended.err
    (sent,) = console.of("POST /api/v1/incidents/inc-1/break-glass")
    assert sent.body == {"emergency": "stop", "harm": HARM, "reason": REASON, "step_up": None}


def test_a_release_shows_what_people_said_about_it_as_text(console: FakeConsole, shell: Shell) -> None:
    concern = {
        "at": "2026-03-01T12:00:00Z", "name": "Maria Keller", "roles": ["safety_lead"], "severity": "sev3",
        "reason": "bad\x1b[31m answers",
    }  # fmt: skip
    release = {
        "release_id": "bot-v7", "environment": "test", "service": "bot", "registered_by": "local|lena",
        "owner": "local|jonas", "playbook_digest": "sha256:1", "candidate": {"name": "v7"}, "baseline": {"name": "v6"},
    }  # fmt: skip
    body = {
        "release": release, "registered_at": "2026-03-01T11:00:00Z", "closed_at": None, "closed_why": None,
        "verdict": None, "incidents": [], "concerns": [concern],
        "way_back": {"word": "ready", "sentence": "The way back was looked at 5 minutes ago."},
    }  # fmt: skip
    console.on("GET /api/v1/releases/bot-v7", (200, body))
    out = shell("release", "show", "bot-v7").out
    assert "Maria Keller (safety lead), sev3: “bad␛[31m answers”" in out
