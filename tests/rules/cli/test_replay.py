"""`replay`: labelled answers from a file, through the intake, with an honest account of what became of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from countermand.cli import replay
from countermand.cli.exits import Failure
from countermand.cli.labelled_file import Mapping, read, resampled
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

INTAKE = "POST /api/v1/signals"
TAKEN = {"batch_id": "b", "accepted": 0, "duplicates": 0, "late": 0, "rejected": []}


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Ten answers: three are hallucinated, one is not labelled."""
    labels = ["yes", "no", "no", None, "yes", "no", "no", "no", "yes", "no"]
    lines = [
        json.dumps({"id": f"a{n}", "judge": {"hallucination": label}, "arm": "candidate" if n % 2 else "baseline"})
        for n, label in enumerate(labels)
    ]
    file = tmp_path / "answers.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def mapping(**changes: Any) -> Mapping:
    given: dict[str, Any] = {
        "label": "/judge/hallucination",
        "bad": ["yes"],
        "arm": "candidate",
        "arm_field": None,
        "id_field": "id",
    }
    return Mapping(**(given | changes))


class TestReading:
    def test_maps_labels_to_bad_ok_and_missing(self, answers: Path) -> None:
        outcomes = [item.outcome for item in read(answers, mapping())]
        assert outcomes == ["bad", "ok", "ok", None, "bad", "ok", "ok", "ok", "bad", "ok"]

    def test_takes_arm_and_id_from_their_fields(self, answers: Path) -> None:
        items = list(read(answers, mapping(arm=None, arm_field="arm")))
        assert [(item.observation_id, item.arm.value) for item in items[:2]] == [
            ("a0", "baseline"),
            ("a1", "candidate"),
        ]

    def test_numbers_the_lines_when_no_field_names_an_answer(self, answers: Path) -> None:
        assert [item.observation_id for item in read(answers, mapping(id_field=None))][:2] == ["1", "2"]

    def test_compares_numbers_and_booleans_as_json_writes_them(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text('{"bad": true}\n\n{"bad": false}\n')
        items = read(file, mapping(label="bad", bad=["true"], id_field=None))
        assert [item.outcome for item in items] == ["bad", "ok"]

    def test_reads_list_positions_and_escapes_of_a_pointer(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text('{"a/b": [{"c~d": "yes"}]}\n')
        items = read(file, mapping(label="/a~1b/0/c~0d", id_field=None))
        assert [item.outcome for item in items] == ["bad"]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ('{"judge": {"hallucination": "no"}, "id": 1}\n{"judge": {}, "id": 2}\n', "line 2"),
            ("not json\n", "not newline-delimited JSON"),
        ],
    )
    def test_says_which_line_does_not_fit(self, tmp_path: Path, content: str, says: str) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text(content)
        with pytest.raises(Failure, match=says):
            list(read(file, mapping()))

    def test_a_label_that_is_not_there_is_missing_only_where_that_is_allowed(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text('{"id": 1, "judge": {"hallucination": "yes"}}\n{"id": 2, "judge": {}}\n{"id": 3}\n')
        assert [item.outcome for item in read(file, mapping(allow_missing=True))] == ["bad", None, None]
        with pytest.raises(Failure, match="line 2: there is no field"):
            list(read(file, mapping()))
        file.write_text('{"id": 1, "judge": "yes"}\n')
        with pytest.raises(Failure, match="line 1: there is no field"):
            list(read(file, mapping(allow_missing=True)))

    def test_refuses_an_arm_it_does_not_know(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text('{"label": "no", "which": "blue"}\n')
        with pytest.raises(Failure) as failure:
            list(read(file, mapping(label="label", arm=None, arm_field="which", id_field=None)))
        assert "'blue'" in failure.value.wrong
        assert failure.value.accepted == "baseline or candidate"


class TestResampling:
    def test_reaches_the_stated_share_with_ids_of_their_own(self, answers: Path) -> None:
        drawn = [item for item, _ in zip(resampled(list(read(answers, mapping())), 0.6, 7), range(2_000), strict=False)]
        share = sum(item.outcome == "bad" for item in drawn) / len(drawn)
        assert share == pytest.approx(0.6, abs=0.04)
        assert len({item.observation_id for item in drawn}) == 2_000
        assert None not in {item.outcome for item in drawn}

    def test_draws_the_same_answers_for_the_same_seed(self, answers: Path) -> None:
        items = list(read(answers, mapping()))

        def draw(seed: int) -> list[str]:
            return [item.observation_id for item, _ in zip(resampled(items, 0.5, seed), range(50), strict=False)]

        assert draw(1) == draw(1) != draw(2)

    def test_says_when_the_file_has_no_answer_of_the_kind_that_is_needed(self, tmp_path: Path) -> None:
        file = tmp_path / "a.jsonl"
        file.write_text('{"label": "no"}\n')
        items = list(read(file, mapping(label="label", id_field=None)))
        with pytest.raises(Failure, match="no answer of the file is bad"):
            next(resampled(items, 0.5, 1))


class TestSending:
    @pytest.fixture
    def intake(self, console: FakeConsole, monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
        monkeypatch.setenv("COUNTERMAND_SOURCE_TOKEN", "token-of-judge")
        monkeypatch.setattr(replay, "_PAUSES", (0.0, 0.0))
        return console

    def send(self, shell: Shell, file: Path, *more: str) -> Any:
        return shell(
            *("replay", str(file), "--release", "bot-v7", "--signal", "hallucinations", "--label"),
            *("/judge/hallucination", "--bad", "yes", "--arm", "candidate", "--rate", "1000", "-o", "json", *more),
        )

    def test_sends_every_answer_as_the_source_and_counts_what_became_of_it(
        self, intake: FakeConsole, shell: Shell, answers: Path
    ) -> None:
        intake.on(INTAKE, (202, TAKEN | {"accepted": 8, "duplicates": 2, "late": 1}))
        ended = self.send(shell, answers)
        assert ended.code == 0
        counts = json.loads(ended.out)
        assert {
            key: counts[key] for key in ("sent", "bad", "unlabelled", "accepted", "duplicates", "late", "rejected")
        } == {
            "sent": 10,
            "bad": 3,
            "unlabelled": 1,
            "accepted": 8,
            "duplicates": 2,
            "late": 1,
            "rejected": [],
        }
        assert intake.sent[0].headers["authorization"] == "Bearer token-of-judge"
        item = intake.sent[0].body["items"][0]
        assert (item["release_id"], item["signal"], item["arm"], item["outcome"]) == (
            *("bot-v7", "hallucinations", "candidate"),
            "bad",
        )

    def test_sends_a_batch_again_unchanged_until_it_is_answered(
        self, intake: FakeConsole, shell: Shell, answers: Path
    ) -> None:
        intake.on(INTAKE, (503, {"code": "store_unavailable", "detail": "later"}), (202, TAKEN | {"accepted": 10}))
        assert self.send(shell, answers).code == 0
        first, second = intake.of(INTAKE)
        assert first.raw == second.raw

    def test_gives_up_with_exit_6_and_says_how_much_was_taken(
        self, intake: FakeConsole, shell: Shell, answers: Path
    ) -> None:
        intake.on(INTAKE, (503, {"code": "store_unavailable", "detail": "later"}))
        ended = self.send(shell, answers)
        assert ended.code == 6
        assert "0 answers were taken before" in ended.err
        assert len(intake.of(INTAKE)) == 3

    def test_rejected_answers_are_exit_4_with_their_reasons(
        self, intake: FakeConsole, shell: Shell, answers: Path
    ) -> None:
        rejected = [{"index": n, "code": "unknown_signal", "detail": "signal 'x' is unknown"} for n in range(10)]
        intake.on(INTAKE, (422, TAKEN | {"code": "all_rejected", "detail": "none", "rejected": rejected}))
        ended = self.send(shell, answers)
        assert ended.code == 4
        assert json.loads(ended.out)["rejected"] == [
            {"code": "unknown_signal", "count": 10, "example": "signal 'x' is unknown"}
        ]

    def test_a_refused_token_ends_it(self, intake: FakeConsole, shell: Shell, answers: Path) -> None:
        intake.on(INTAKE, (401, {"code": "unauthenticated", "detail": "unknown token"}))
        assert self.send(shell, answers).code == 3

    def test_limit_and_resampling_bound_what_is_sent(self, intake: FakeConsole, shell: Shell, answers: Path) -> None:
        intake.on(INTAKE, (202, TAKEN))
        assert json.loads(self.send(shell, answers, "--limit", "4").out)["sent"] == 4
        assert json.loads(self.send(shell, answers, "--resample-bad", "0.9", "--limit", "40").out)["sent"] == 40
        assert json.loads(self.send(shell, answers, "--resample-bad", "0.9").out)["sent"] == 10

    def test_keeps_to_the_rate(self, intake: FakeConsole, shell: Shell, answers: Path, monkeypatch: Any) -> None:
        slept: list[float] = []
        monkeypatch.setattr("time.sleep", slept.append)
        intake.on(INTAKE, (202, TAKEN))
        self.send(shell, answers, "--rate", "4")
        assert [len(one.body["items"]) for one in intake.of(INTAKE)] == [2, 2, 2, 2, 2]
        assert slept[1:] == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=0.4)

    def test_without_a_source_token_it_says_how_to_make_one(
        self, console: FakeConsole, shell: Shell, answers: Path
    ) -> None:
        ended = self.send(shell, answers)
        assert ended.code == 3
        assert "source add" in ended.err

    @pytest.mark.parametrize("more", [("--arm-field", "arm"), ()])
    def test_exactly_one_of_arm_and_arm_field_is_needed(
        self, intake: FakeConsole, shell: Shell, answers: Path, more: tuple[str, ...]
    ) -> None:
        arm = ("--arm", "baseline") if more else ()
        command = ("replay", str(answers), "--release", "r", "--signal", "s", "--label", "id", "--bad", "x")
        assert shell(*command, *arm, *more).code == 2
