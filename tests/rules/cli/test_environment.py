"""A local environment: files of its own, settings of its own, and never somebody else's directory."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from countermand.cli import environment, starter
from countermand.cli.demo_world import empty
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.governance.directory import Directory, Governance, unattainable
from countermand.playbook.load import parse
from tests.rules.cli.told import BEGIN

DEMO = Path(__file__).resolve().parents[3] / "examples" / "demo" / "playbook.yaml"


def test_the_first_governance_file_can_reach_every_quorum_of_the_demo() -> None:
    governance = Governance.model_validate(YAML(typ="safe", pure=True).load(starter.GOVERNANCE))
    directory = Directory(governance=governance, digest="sha256:x", source="file", as_of=BEGIN)
    assert unattainable(parse(DEMO.read_bytes()), directory) == []
    assert set(starter.PEOPLE.items()) <= {(person.subject, person.name) for person in governance.people}


def test_passwords_are_readable_and_never_the_same() -> None:
    made = {starter.password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(password.split("-")) == 5 and password.isascii() for password in made)


def test_processes_do_not_inherit_settings_of_another_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "of the cloud")
    monkeypatch.setenv("COUNTERMAND_DATABASE_URL", "postgresql://production")
    place = Place.choose(tmp_path, "unused")
    given = place.environment
    assert "TEMPORAL_API_KEY" not in given
    assert "COUNTERMAND_DATABASE_URL" not in given
    assert given["TEMPORAL_ADDRESS"] == f"127.0.0.1:{place.temporal_port}"
    assert given["COUNTERMAND_DATA"] == str(tmp_path)


def test_a_secret_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = Place.choose(tmp_path, "unused").secret("judge.token", "secret")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("secret", 0o600)


def test_a_data_directory_is_used_by_one_environment_at_a_time(tmp_path: Path) -> None:
    with environment.locked(tmp_path), pytest.raises(Failure) as failure, environment.locked(tmp_path):
        pass
    assert failure.value.code is Exit.refused
    with environment.locked(tmp_path):
        pass


async def test_a_first_start_that_did_not_finish_is_said(tmp_path: Path) -> None:
    (tmp_path / "countermand.db").touch()
    with pytest.raises(Failure, match="did not finish"):
        await environment.prepare(Place.choose(tmp_path, "unused"))


def test_the_demo_empties_its_own_directory_and_no_other(tmp_path: Path) -> None:
    demo, other = tmp_path / "demo", tmp_path / "other"
    for directory in (demo, other):
        directory.mkdir()
    empty(demo)
    (demo / "keys").mkdir()
    (demo / "keys" / "old.token").touch()
    (demo / "lock").touch()
    (other / "thesis.txt").touch()
    empty(demo)
    assert {file.name for file in demo.iterdir()} == {"lock", ".countermand-demo"}
    with pytest.raises(Failure, match="not a demo's"):
        empty(other)
    assert (other / "thesis.txt").exists()
