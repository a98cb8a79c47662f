"""`playbook check`, `explain` and `plan` work without a console."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "examples" / "demo" / "playbook.yaml"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "broken.yaml"
    file.write_text(DEMO.read_text().replace("distinct_people: 2", "distinct_people: 0", 1))
    return file


def test_a_playbook_that_can_be_used_passes(shell: Shell) -> None:
    ended = shell("playbook", "check", str(DEMO))
    assert ended.code == 0
    assert ended.out.endswith(f"✓ {DEMO} can be used\n")


def test_a_broken_one_is_exit_5_with_file_and_line(shell: Shell, broken: Path) -> None:
    number = next(
        number for number, line in enumerate(broken.read_text().splitlines(), 1) if "distinct_people: 0" in line
    )
    ended = shell("playbook", "check", str(DEMO), str(broken))
    assert ended.code == 5
    assert f"{broken}:{number}:" in ended.out
    assert f"✗ {broken} cannot be used" in ended.out


def test_json_tells_files_apart(shell: Shell, broken: Path) -> None:
    items = json.loads(shell("playbook", "check", str(DEMO), str(broken), "-o", "json").out)["items"]
    assert [item["ok"] for item in items] == [True, False]
    assert items[1]["problems"][0]["level"] == "error"


def test_explain_prints_plain_words_and_refuses_a_broken_playbook(shell: Shell, broken: Path) -> None:
    assert shell("playbook", "explain", str(DEMO)).out.startswith("support-assistant-demo, version 1")
    ended = shell("playbook", "explain", str(broken))
    assert (ended.code, ended.out) == (5, "")


def test_a_file_that_is_not_there_is_a_usage_error(shell: Shell, tmp_path: Path) -> None:
    ended = shell("playbook", "check", str(tmp_path / "none.yaml"))
    assert ended.code == 2
    assert "none.yaml" in ended.err


def test_send_keeps_the_exact_bytes(console: FakeConsole, shell: Shell) -> None:
    console.on("POST /api/v1/playbooks", (200, {"digest": "sha256:abc", "name": "demo", "version": 1}))
    assert "sha256:abc" in shell("playbook", "send", str(DEMO)).out
    assert console.sent[0].raw == DEMO.read_bytes()
    assert console.sent[0].headers["content-type"] == "application/yaml"


def test_plan_says_how_long_each_criterion_needs_and_splits_the_budget(shell: Shell) -> None:
    ended = shell("playbook", "plan", str(ROOT / "playbooks" / "conversational-agent.yaml"), "--per-minute", "1000")
    assert ended.code == 0
    assert "  0.27 % for harm\n" in ended.out
    assert "moderation failures\n    1.5 times  at deploy " in ended.out
    assert "twice the usual bad rate is found after about" in ended.out


def test_plan_in_json_holds_the_delays_in_blocks(shell: Shell) -> None:
    body = json.loads(shell("playbook", "plan", str(DEMO), "--per-minute", "600:5400", "-o", "json").out)
    first = body["items"][0]["criteria"][0]
    assert (first["signal"], first["traffic"]) == ("hallucinations", [20, 180])
    assert [delay["times"] for delay in first["delays"]] == [1.5, 2.0, 3.0, 5.0]


def test_plan_without_traffic_says_that_it_is_not_known(shell: Shell) -> None:
    assert "hallucinations: no forecast, because its traffic is not known." in shell("playbook", "plan", str(DEMO)).out


@pytest.mark.parametrize("traffic", ["0", "ten", "5:", "1:2:3", "-5"])
def test_plan_refuses_what_is_not_traffic(shell: Shell, traffic: str) -> None:
    ended = shell("playbook", "plan", str(DEMO), f"--per-minute={traffic}")
    assert ended.code == 2
    assert f"{traffic!r} is not traffic" in ended.err


def test_adopt_sends_the_bytes_and_prints_every_number_with_its_direction(console: FakeConsole, shell: Shell) -> None:
    digest = "sha256:" + "a" * 64
    console.on("POST /api/v1/playbooks", (200, {"digest": digest, "name": "demo", "version": 2}))
    change = {"path": "/detection/blind_after", "before": "5", "after": "9", "direction": "loosened"}
    asked = {"consent_id": "adopt-1", "change": "loosened", "changes": [change], "sentence": "Three people are asked."}
    console.on(f"POST /api/v1/playbooks/{digest}/adoption", (200, asked))
    said = shell("playbook", "adopt", str(DEMO), "--reason", "fewer false alarms").out
    assert "/detection/blind_after: 5 → 9 (loosened)" in said
    assert "countermand consent show adopt-1" in said
    assert console.sent[0].raw == DEMO.read_bytes()


def test_history_names_who_signed_and_says_so_when_nobody_did(console: FakeConsole, shell: Shell) -> None:
    one = {"version": 1, "change": "new", "signers": ["local|lena", "local|jonas"], "digest": "sha256:abc"}
    console.on("GET /api/v1/playbooks/demo/adoptions", (200, {"items": [one]}), (200, {"items": []}))
    assert "version 1 (new), signed by local|lena, local|jonas" in shell("playbook", "history", "demo").out
    assert "no version of 'demo' was adopted" in shell("playbook", "history", "demo").out
