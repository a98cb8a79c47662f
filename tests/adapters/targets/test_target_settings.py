"""The targets file: one shape per kind, refused with the place, the value and what is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.ports import TargetRejected
from adapters.embedded_target import EmbeddedTarget
from adapters.envoy_target import EnvoyTarget
from adapters.flagd_target import FlagdTarget
from adapters.haproxy_target import HaproxyTarget
from adapters.kubernetes_target import HttpRouteTarget
from adapters.mlflow_target import MlflowTarget
from adapters.settings import SettingsInvalid
from adapters.target_settings import target_settings
from adapters.targets import ConfiguredTargets
from adapters.unleash_target import UnleashTarget
from tests.adapters.targets.kubernetes import certificates

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/targets.md"

FILE = """
targets:
  demo:
    url: http://127.0.0.1:8890
    read_token_file: {folder}/token
    write_token_file: {folder}/token
  balancer:
    kind: haproxy
    read_socket: /run/haproxy/read.sock
    write_socket: /run/haproxy/write.sock
    members:
      chat: {{backend: chat, candidate: canary, baseline: stable}}
  mesh:
    kind: envoy
    admin_url: http://127.0.0.1:9901
    runtime_file: /etc/envoy/runtime/countermand.json
    layer: countermand
    members:
      chat: {{prefix: routing.chat, candidate: canary, baseline: stable, routing: per_request}}
  flags:
    kind: flagd
    file: /etc/flagd/flags.json
    members:
      chat:
        flag: assistant
        candidate: canary
        baseline: stable
        candidate_health: http://127.0.0.1:8101/healthz
        baseline_health: http://127.0.0.1:8102/healthz
  toggles:
    kind: unleash
    url: http://127.0.0.1:4242
    read_token_file: {folder}/token
    write_token_file: {folder}/token
    members:
      chat:
        project: default
        environment: production
        flag: assistant
        candidate_health: http://127.0.0.1:8101/healthz
        baseline_health: http://127.0.0.1:8102/healthz
  cluster:
    kind: kubernetes_httproute
    url: https://127.0.0.1:6443
    ca_file: {folder}/ca.pem
    read_token_file: {folder}/token
    write_token_file: {folder}/token
    members:
      chat:
        namespace: default
        route: chat
        candidate: canary
        baseline: stable
        candidate_health: http://127.0.0.1:8101/healthz
        baseline_health: http://127.0.0.1:8102/healthz
  registry:
    kind: mlflow
    url: http://127.0.0.1:5001
    members:
      model:
        model: support assistant
        alias: live
        serving: {{url: http://127.0.0.1:8101/healthz, header: x-model-digest}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret")
    certificates(tmp_path)
    path = tmp_path / "targets.yaml"
    path.write_text(FILE.format(folder=tmp_path))
    return path


async def keep(raw: bytes, media_type: str) -> str:
    return "sha256:" + "0" * 64


async def test_every_kind_is_opened_once_on_first_use_and_embedded_needs_no_kind(file: Path) -> None:
    targets = ConfiguredTargets(target_settings(file), keep)
    kinds = {
        "demo": EmbeddedTarget,
        "balancer": HaproxyTarget,
        "mesh": EnvoyTarget,
        "flags": FlagdTarget,
        "toggles": UnleashTarget,
        "cluster": HttpRouteTarget,
        "registry": MlflowTarget,
    }
    for name, kind in kinds.items():
        assert isinstance(targets(name), kind)
        assert targets(name) is targets(name)
    with pytest.raises(TargetRejected, match="balancer, cluster, demo, flags, mesh, registry, toggles"):
        targets("nobody")
    await targets.close()


def test_a_missing_file_means_no_targets(tmp_path: Path) -> None:
    assert target_settings(tmp_path / "nothing.yaml") == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "kind: haproxy",
            "kind: nginx",
            r"targets\.balancer = .*'nginx'.*'embedded', 'haproxy'.*'kubernetes_httproute'",
        ),
        ("backend: chat", "backend: 'a b'", r"balancer\.haproxy\.members\.chat\.backend = 'a b'"),
        ("backend: chat", "backend: 'chat;quit'", r"backend = 'chat;quit'"),
        ("baseline: stable, routing", "baseline: canary, routing", "both 'canary'; two different names are needed"),
        (", routing: per_request", "", r"mesh\.envoy\.members\.chat\.routing = .*Field required"),
        ("routing: per_request", "routing: often", "'often': Input should be 'per_request' or 'sticky'"),
        ("http://127.0.0.1:9901", "http://me:secret@127.0.0.1", r"mesh\.envoy\.admin_url"),
        ("model: support assistant", "model: a' OR name = 'b", r"registry\.mlflow\.members\.model\.model"),
        ("header: x-model-digest", "header: 'a: b'", r"serving\.header = 'a: b'"),
        ("        flag: assistant\n", "", r"flags\.flagd\.members\.chat\.flag"),
        ("environment: production", "environment: 'a/b'", r"toggles\.unleash\.members\.chat\.environment = 'a/b'"),
        ("url: https://127.0.0.1:6443", "url: http://127.0.0.1:6443", r"cluster\.kubernetes_httproute\.url = 'http:"),
        (
            "    members:\n      chat: {{backend",
            "    more: {{backend",
            r"haproxy\.members = .*Field required",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_with_its_place(file: Path, old: str, new: str, said: str) -> None:
    text = FILE.replace(old, new, 1)
    assert text != FILE
    file.write_text(text.format(folder=file.parent))
    with pytest.raises(SettingsInvalid, match=said):
        target_settings(file)


def test_c19_a_secret_that_somebody_wrote_into_the_file_is_not_repeated(file: Path) -> None:
    file.write_text(file.read_text().replace("  demo:\n", "  demo:\n    write_token: sesame\n"))
    with pytest.raises(SettingsInvalid, match=r"targets\.demo\.embedded\.write_token is not known here") as refused:
        target_settings(file)
    assert "sesame" not in str(refused.value)


def test_the_documented_file_can_be_used(tmp_path: Path) -> None:
    example = DOCUMENT.read_text().split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "targets.yaml"
    path.write_text(example)
    assert {entry.kind for entry in target_settings(path).values()} == {
        "embedded",
        "haproxy",
        "envoy",
        "flagd",
        "unleash",
        "kubernetes_httproute",
        "mlflow",
    }


@pytest.mark.parametrize(
    ("member", "names"),
    [
        ("{model: m, alias: live, selector: {gender: f}}", "targets.registry.members.chat.selector.gender"),
        ("{model: m, alias: live, match: [age > 60]}", "targets.registry.members.chat.match"),
        ("{model: m, alias: 'language=de'}", "targets.registry.members.chat.alias"),
    ],
)
def test_gov_35_a_target_that_selects_people_by_a_protected_attribute_is_refused(
    tmp_path: Path, member: str, names: str
) -> None:
    file = tmp_path / "targets.yaml"
    said = "targets: {{registry: {{kind: mlflow, url: http://health:5001, members: {{chat: {}}}}}}}"
    file.write_text(said.format(member))
    with pytest.raises(SettingsInvalid, match="selects people by") as refused:
        target_settings(file)
    assert names in str(refused.value)
    file.write_text(said.format("{model: language, alias: live}"))
    assert set(target_settings(file)) == {"registry"}
