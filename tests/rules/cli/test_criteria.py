"""`criteria test` and `criteria replay`: what they print, what they refuse, and that exit 0 means all as promised."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from countermand.cli.criteria_rows import instant_of
from countermand.cli.exits import Failure
from countermand.detection.models import Row
from countermand.detection.planted import Harm, plant
from countermand.detection.synthetic import synthetic
from countermand.playbook.load import parse
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

ROOT = Path(__file__).resolve().parents[3]
PLAIN = ROOT / "tests" / "rules" / "playbook" / "plain.yaml"
SHIPPED = [*sorted((ROOT / "playbooks").glob("*.yaml")), ROOT / "examples" / "demo" / "playbook.yaml"]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROWS = "GET /api/v1/releases/bot-v7/rows"


def recorded(*, worse_from: int | None = None, rows: int = 240) -> list[Row]:
    """Rows of the plain playbook at 100 outputs per block and arm; from some row on the candidate makes things up."""
    detection = parse(PLAIN.read_bytes()).detection
    draw = iter(random.Random(1).random, None)  # noqa: S311
    found = synthetic(detection, dict.fromkeys(detection.signals, (100, 100)), rows, NOON, draw)
    harm = Harm(signal="hallucinations", part=0.2)
    return [
        row if worse_from is None or row.seq < worse_from else plant(detection.signals, harm, row, 1, draw)
        for row in found
    ]


def written(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    return str(path)


class TestTrying:
    @pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
    def test_every_criterion_of_a_shipped_playbook_keeps_its_promise(self, shell: Shell, path: Path) -> None:
        ended = shell("criteria", "test", str(path))
        assert ended.code == 0, ended.out
        assert "✗" not in ended.out

    def test_it_prints_a_line_per_criterion_and_a_sentence_per_trigger(self, shell: Shell) -> None:
        lines = shell("criteria", "test", str(PLAIN)).out.splitlines()
        assert lines[0].split("\t") == ["TRIGGER", "CRITERION", "PLANTED", "FOUND AFTER", "FORECAST", "RESULT"]
        assert lines[1].startswith("bad-answers\thallucinations, ratio 1.5\t3.00 % to 9.00 %\t")
        assert lines[1].endswith("\tfound")
        assert lines[3] == "On 900 synthetic blocks, seed 1."
        assert lines[4].startswith("✓ bad answers fires ")
        assert lines[4].endswith("A burst of 4 seconds and 30 minutes without harm do not fire.")

    def test_the_same_seed_finds_the_same(self, shell: Shell) -> None:
        one, again, other = (
            shell("criteria", "test", str(PLAIN), "--seed", seed, "-o", "json").out for seed in ("1", "1", "2")
        )
        assert one == again != other

    def test_harm_that_is_accepted_is_exit_5_and_says_why(self, shell: Shell) -> None:
        ended = shell("criteria", "test", str(PLAIN), "--points", "0.5%")
        assert ended.code == 5
        assert "✗ bad answers does not fire" in ended.out
        assert "what was planted is within what it accepts: plant more" in ended.out

    def test_too_little_traffic_is_exit_5(self, shell: Shell) -> None:
        body = json.loads(shell("criteria", "test", str(PLAIN), "--per-minute", "30", "-o", "json").out)
        assert body["items"][0]["as_promised"] is False
        assert {one["state"] for one in body["items"][0]["criteria"]} <= {"silent", "late"}

    def test_one_trigger_alone_keeps_its_part_of_the_budget(self, shell: Shell) -> None:
        path = str(SHIPPED[0])
        one = json.loads(shell("criteria", "test", path, "--trigger", "harm", "-o", "json").out)["items"]
        every = json.loads(shell("criteria", "test", path, "-o", "json").out)["items"]
        assert one == [item for item in every if item["trigger"] == "harm"]

    def test_recorded_rows_are_planted_and_said_to_differ(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded())
        ended = shell("criteria", "test", str(PLAIN), "--rows", file, "--at", "2m")
        assert ended.code == 0, ended.out
        assert "On 240 recorded rows, seed 1." in ended.out
        other = tmp_path / "other.yaml"
        other.write_text(PLAIN.read_text().replace("expect: 0.03", "expect: 0.01"))
        said = shell("criteria", "test", str(other), "--rows", file, "--at", "2m").out
        assert "unlike the playbook: hallucinations: the baseline shows 3." in said

    def test_rows_that_were_harmed_already_are_not_clean(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded(worse_from=20))
        ended = shell("criteria", "test", str(PLAIN), "--rows", file, "--at", "2m")
        assert ended.code == 5
        assert "into rows without planted harm" in ended.out

    def test_rows_of_a_release_come_from_the_console_page_by_page(self, shell: Shell, console: FakeConsole) -> None:
        rows = recorded()
        pages = [rows[:150], rows[150:], []]
        answers: list[tuple[int, Any]] = []
        answers = [
            (
                200,
                {"items": [{"row": row.model_dump(mode="json"), "judged": None} for row in page], "next_after": after},
            )
            for page, after in zip(pages, (149, 239, None), strict=True)
        ]
        console.on(ROWS, *answers)
        assert shell("criteria", "test", str(PLAIN), "--release", "bot-v7", "--at", "2m").code == 0
        assert [one.query["after"] for one in console.of(ROWS)] == [["-1"], ["149"], ["239"]]

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (("--spike", "ten times"), "'ten times' is not a burst"),
            (("--spike", "10x for 1m"), "lasting harm to this playbook"),
            (("--times", "2", "--points", "1%"), "one of --times and --points"),
            (("--trigger", "none"), "accepted: bad-answers"),
            (("--at", "31m"), "the rows last 30 minutes; harm begins after 31 minutes"),
            (("--at", "soon"), "'soon' is not a duration"),
            (("--rows", "none.jsonl"), "'none.jsonl' cannot be read"),
            (("--rows", "none.jsonl", "--release", "bot-v7"), "exactly one of --release ID and --rows FILE"),
        ],
    )
    def test_what_makes_no_sense_is_a_usage_error(self, shell: Shell, more: tuple[str, ...], says: str) -> None:
        ended = shell("criteria", "test", str(PLAIN), *more)
        assert ended.code == 2
        assert says in ended.err

    def test_a_line_that_is_no_row_is_named(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        file.write_text(f"{recorded(rows=1)[0].model_dump_json()}\n{{}}\n")
        assert "row 2 of" in shell("criteria", "test", str(PLAIN), "--rows", str(file)).err


class TestJudgingThePast:
    def test_it_tells_every_change_and_the_first_trigger(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded(worse_from=100))
        body = json.loads(shell("criteria", "replay", str(PLAIN), "--rows", file, "-o", "json").out)
        words = [change["word"] for change in body["items"]]
        assert (words[0], words[-1]) == ("ok", "trigger")
        first = datetime.fromisoformat(body["first_trigger"]["at"])
        assert NOON + timedelta(seconds=200) < first < NOON + timedelta(seconds=260)
        assert body["first_trigger"]["triggers"] == ["bad-answers"]

    def test_another_playbook_fires_elsewhere_or_not_at_all(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded(worse_from=100))
        patient = tmp_path / "patient.yaml"
        patient.write_text(PLAIN.read_text().replace("tolerate: {ratio: 1.5}", "tolerate: {absolute: 0.4}"))
        said = shell("criteria", "replay", str(patient), "--rows", file).out
        assert "Nothing would have fired. 240 rows, judged as if the watch had begun with the first." in said

    def test_a_stretch_of_time_begins_with_empty_evidence(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded(worse_from=100))
        command = ("criteria", "replay", str(PLAIN), "--rows", file, "-o", "json")
        calm = json.loads(shell(*command, "--to", "2026-11-20T12:03:20Z").out)
        assert (calm["rows"], calm["first_trigger"]) == (100, None)
        late = json.loads(shell(*command, "--from", "2026-11-20T12:05:00").out)
        assert (late["rows"], late["items"][0]["word"]) == (90, "ok")

    def test_it_says_when_the_live_watch_fired_then(self, shell: Shell, console: FakeConsole) -> None:
        def judged(row: Row) -> dict[str, Any]:
            word = "trigger" if row.seq >= 200 else "ok"
            start = row.start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            return {"start": start, "word": word, "triggers": {"bad-answers": {"word": word}}}

        items = [{"row": row.model_dump(mode="json"), "judged": judged(row)} for row in recorded(worse_from=100)]
        console.on(ROWS, (200, {"items": items, "next_after": 239}), (200, {"items": [], "next_after": None}))
        said = shell("criteria", "replay", str(PLAIN), "--release", "bot-v7", "--from", "2026-11-20T12:00Z").out
        assert "bad-answers would have fired at 2026-11-20T12:03:" in said
        assert "Then, bad-answers fired at 2026-11-20T12:06:42.000000Z." in said
        assert console.of(ROWS)[0].query["from"] == ["2026-11-20T12:00:00+00:00"]

    def test_no_rows_in_this_time_is_a_usage_error(self, shell: Shell, tmp_path: Path) -> None:
        file = written(tmp_path / "rows.jsonl", recorded(rows=5))
        ended = shell("criteria", "replay", str(PLAIN), "--rows", file, "--from", "2030-01-01")
        assert ended.code == 2
        assert "there are no sealed rows in this time" in ended.err

    def test_rows_with_a_hole_are_refused(self, shell: Shell, tmp_path: Path) -> None:
        rows = recorded(rows=5)
        ended = shell("criteria", "replay", str(PLAIN), "--rows", written(tmp_path / "r", [*rows[:2], *rows[3:]]))
        assert ended.code == 2
        assert "row 3 does not follow row 1" in ended.err


class TestRows:
    def test_they_are_written_as_they_were_sealed(self, shell: Shell, console: FakeConsole, tmp_path: Path) -> None:
        rows = recorded(rows=3)
        items = [{"row": row.model_dump(mode="json"), "judged": None} for row in rows]
        console.on(ROWS, (200, {"items": items, "next_after": 2}), (200, {"items": [], "next_after": None}))
        out = shell("release", "rows", "bot-v7").out
        assert [Row.model_validate_json(line).digest for line in out.splitlines()] == [row.digest for row in rows]


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("now", NOON),
            ("2h ago", NOON - timedelta(hours=2)),
            ("90m ago", NOON - timedelta(minutes=90)),
            ("2026-11-20T03:00Z", NOON - timedelta(hours=9)),
            ("2026-11-20T03:00", NOON - timedelta(hours=9)),
            ("2026-11-20T05:00+02:00", NOON - timedelta(hours=9)),
        ],
    )
    def test_a_time_is_iso_or_so_long_ago(self, text: str, at: datetime) -> None:
        assert instant_of(text, NOON) == at

    @pytest.mark.parametrize("text", ["yesterday", "2 hours ago", "ago", "", "99999999999d ago"])
    def test_anything_else_says_what_is_accepted(self, text: str) -> None:
        with pytest.raises(Failure) as failure:
            instant_of(text, NOON)
        assert "2h ago" in failure.value.accepted


class TestSignals:
    def test_the_taxonomy_is_listed_by_family(self, shell: Shell) -> None:
        items = json.loads(shell("signals", "-o", "json").out)["items"]
        families = list(dict.fromkeys(item["family"] for item in items))
        assert families == ["user_experience", "model_quality", "operational_health", "safety", "fairness", "cost"]

    def test_one_is_explained_with_lines_to_paste(self, shell: Shell) -> None:
        said = shell("signals", "hallucinations").out
        for line in ("answers in 10,000; higher is worse", "weaknesses  The judge errs", "      kind: rate"):
            assert line in said
        assert "    - {signal: hallucinations, tolerate: {ratio: 1.5}}" in said

    def test_an_unknown_one_suggests_others(self, shell: Shell) -> None:
        ended = shell("signals", "halucination")
        assert ended.code == 2
        assert "hallucinations" in ended.err
