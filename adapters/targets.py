"""Targets by the name that playbooks use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from activities.fence import PRODUCTION, Production
from activities.ports import Target, TargetRejected
from adapters.embedded_target import EmbeddedTarget
from adapters.envoy_target import EnvoyTarget
from adapters.flagd_target import FlagdTarget
from adapters.haproxy_target import HaproxyTarget
from adapters.kubernetes_target import HttpRouteTarget
from adapters.mlflow_target import MlflowTarget
from adapters.target_http import Keep
from adapters.target_settings import (
    EmbeddedSettings,
    EnvoySettings,
    FlagdSettings,
    HaproxySettings,
    HttpRouteSettings,
    MlflowRegistrySettings,
    TargetSettings,
    UnleashSettings,
)
from adapters.unleash_target import UnleashTarget

_Adapter = EmbeddedTarget | EnvoyTarget | FlagdTarget | HaproxyTarget | HttpRouteTarget | MlflowTarget | UnleashTarget


class ConfiguredTargets:
    """Implements Targets over the targets file. Clients are made on first use and closed together."""

    environment: Production = PRODUCTION

    def __init__(self, settings: Mapping[str, TargetSettings], keep: Keep) -> None:
        """`keep` stores raw answers of targets by content before they are interpreted."""
        self._settings = settings
        self._keep = keep
        self._open: dict[str, _Adapter] = {}

    def __call__(self, name: str) -> Target:
        if name not in self._settings:
            known = ", ".join(sorted(self._settings)) or "none"
            raise TargetRejected(f"no target {name!r} is configured; configured are: {known}")
        if name not in self._open:
            self._open[name] = self._made(self._settings[name])
        return self._open[name]

    def _made(self, entry: TargetSettings) -> _Adapter:
        match entry:
            case EmbeddedSettings():
                read, write = (path.read_text().strip() for path in (entry.read_token_file, entry.write_token_file))
                return EmbeddedTarget(entry.url, read, write, keep=self._keep)
            case HaproxySettings():
                return HaproxyTarget(entry.read_socket, entry.write_socket, entry.members, keep=self._keep)
            case EnvoySettings():
                return EnvoyTarget(entry.admin_url, entry.runtime_file, entry.layer, entry.members, keep=self._keep)
            case FlagdSettings():
                return FlagdTarget(entry.file, entry.members, keep=self._keep)
            case UnleashSettings():
                return UnleashTarget(
                    entry.url, entry.read_token_file, entry.write_token_file, entry.members, keep=self._keep
                )
            case HttpRouteSettings():
                return HttpRouteTarget(entry, keep=self._keep)
            case MlflowRegistrySettings():
                tokens = _token(entry.read_token_file), _token(entry.write_token_file)
                return MlflowTarget(entry.url, entry.members, *tokens, keep=self._keep)

    async def close(self) -> None:
        for target in self._open.values():
            await target.close()


def _token(path: Path | None) -> str | None:
    return path.read_text().strip() if path else None
