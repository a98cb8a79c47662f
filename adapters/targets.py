"""Targets by the name that playbooks use."""

from __future__ import annotations

from activities.ports import Target, TargetRejected
from adapters.embedded_target import EmbeddedTarget
from adapters.settings import TargetSettings
from adapters.target_http import Keep


class ConfiguredTargets:
    """Implements Targets over the targets file. Clients are made on first use and closed together."""

    def __init__(self, settings: dict[str, TargetSettings], keep: Keep) -> None:
        """`keep` stores raw answers of targets by content before they are interpreted."""
        self._settings = settings
        self._keep = keep
        self._open: dict[str, EmbeddedTarget] = {}

    def __call__(self, name: str) -> Target:
        if name not in self._settings:
            known = ", ".join(sorted(self._settings)) or "none"
            raise TargetRejected(f"no target {name!r} is configured; configured are: {known}")
        if name not in self._open:
            entry = self._settings[name]
            self._open[name] = EmbeddedTarget(
                entry.url,
                entry.read_token_file.read_text().strip(),
                entry.write_token_file.read_text().strip(),
                keep=self._keep,
            )
        return self._open[name]

    async def close(self) -> None:
        for target in self._open.values():
            await target.close()
