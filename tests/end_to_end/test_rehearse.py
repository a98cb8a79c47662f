"""Rehearsals as `make rehearse` plays them: whole sandboxes in processes of their own, each held against its oracle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from countermand.rehearsal.run import Run
from rehearsal.together import clean_environment

pytestmark = pytest.mark.xdist_group("rehearse")

ROOT = Path(__file__).resolve().parents[2]


def test_rehearsals_run_unattended_and_hold_every_line_of_their_oracles(tmp_path: Path) -> None:
    names = ("fairness-gap", "injection-campaign")
    command = [sys.executable, "-m", "rehearsal", "all", "--out", str(tmp_path)]
    for name in names:
        command += ["--only", name]
    played = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=170, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    for name in names:
        assert (tmp_path / name / "report.md").read_text().startswith("# Rehearsal: ")
        assert "<html" in (tmp_path / name / "report.html").read_text()
        run = Run.model_validate_json((tmp_path / name / "run.json").read_bytes())
        assert all(record.rehearsal for record in run.records)
        assert run.pack_word == "internally consistent"
    assert "2 of 2 rehearsals held every line" in played.stdout


def test_a_scenario_that_cannot_be_played_is_said_with_its_place(tmp_path: Path) -> None:
    scenario = tmp_path / "broken.yaml"
    text = (ROOT / "rehearsals" / "fairness-gap.yaml").read_text()
    text = text.replace("../playbooks/", f"{ROOT}/playbooks/").replace("severity: sev2", "severity: sev9", 1)
    scenario.write_text(text)
    command = [sys.executable, "-m", "rehearsal", "play", str(scenario), "--out", str(tmp_path / "out")]
    played = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert played.returncode == 2
    assert "broken.yaml:6:11: severity: 'sev9'" in played.stderr


def test_a_rehearsal_refuses_to_start_beside_productions_credentials(tmp_path: Path) -> None:
    scenario = ROOT / "rehearsals" / "fairness-gap.yaml"
    command = [sys.executable, "-m", "rehearsal", "play", str(scenario), "--out", str(tmp_path / "out")]
    surroundings = clean_environment() | {"COUNTERMAND_TARGETS": "/etc/countermand/targets.yaml"}
    played = subprocess.run(
        command, cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )
    assert played.returncode == 4
    assert "production's settings are: COUNTERMAND_TARGETS" in played.stderr
