"""The files that a newcomer would copy from the Envoy example fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from adapters.target_settings import EnvoySettings, target_settings
from countermand.cli import starter
from countermand.cli.environment import Place
from countermand.cli.exits import Failure
from countermand.governance.directory import Directory, Governance, unattainable
from countermand.playbook.load import parse
from examples.envoy.load import SIGNALS
from examples.envoy.router import Router, program
from tests.rules.cli.told import BEGIN

HERE = Path(__file__).parents[2] / "examples" / "envoy"
PLAYBOOK = parse((HERE / "playbook.yaml").read_bytes())


def written(data: Path) -> tuple[EnvoySettings, dict[str, object]]:
    Router(Place(HERE.parents[1], data, 1, 2, 3)).write_files()
    settings = target_settings(data / "targets.yaml")[PLAYBOOK.revert.target]
    assert isinstance(settings, EnvoySettings)
    return settings, YAML(typ="safe", pure=True).load((data / "envoy.yaml").read_text())


def test_the_target_names_the_clusters_keys_and_layer_of_envoys_own_configuration(tmp_path: Path) -> None:
    settings, envoy = written(tmp_path)
    member = settings.members[PLAYBOOK.revert.member]
    layers = {layer["name"]: layer for layer in envoy["layered_runtime"]["layers"]}
    source = layers[settings.layer]["rtds_layer"]["rtds_config"]["path_config_source"]
    assert Path(source["path"]) == settings.runtime_file
    assert settings.runtime_file.exists()
    assert list(layers)[-1] == "admin"
    keys = {f"{member.prefix}.{name}" for name in (member.candidate, member.baseline)}
    assert set(layers["static"]["static_layer"]) == keys
    clusters = {cluster["name"]: cluster for cluster in envoy["static_resources"]["clusters"]}
    assert set(clusters) == {member.candidate, member.baseline}
    assert all(cluster["health_checks"] for cluster in clusters.values())


def test_nothing_is_retried_so_that_a_failed_request_is_seen(tmp_path: Path) -> None:
    assert "retry" not in str(written(tmp_path)[1])


def test_everybody_listens_on_loopback_only(tmp_path: Path) -> None:
    text = str(written(tmp_path)[1])
    assert text.count("'address': '127.0.0.1'") == 4
    assert "0.0.0.0" not in text  # noqa: S104


def test_the_governance_file_reaches_every_quorum_of_the_playbook() -> None:
    governance = Governance.model_validate(YAML(typ="safe", pure=True).load((HERE / "governance.yaml").read_text()))
    directory = Directory(governance=governance, digest="sha256:x", source="file", as_of=BEGIN)
    assert unattainable(PLAYBOOK, directory) == []
    assert set(starter.PEOPLE) <= {person.subject for person in governance.people}


def test_the_judge_sends_what_the_playbook_asks_for() -> None:
    assert set(SIGNALS) == set(PLAYBOOK.detection.signals)


def test_without_envoy_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="make routers-env"):
        program(tmp_path)
