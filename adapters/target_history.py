"""The change logs that targets keep themselves, for those that keep one the console may read (EVD-14).

Only the reading credential of a target is used here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from activities.ports import History
from adapters.embedded_target import EmbeddedTarget
from adapters.target_http import Keep
from adapters.target_settings import EmbeddedSettings, TargetSettings

#: Why there is nothing to compare with, by kind of target.
_WHY = {
    "haproxy": "HAProxy keeps no log of changes of weights",
    "envoy": "the runtime layer of Envoy is a file without a history",
    "flagd": "the file of flagd has no history of its own; version control around it may have one",
    "unleash": "Unleash shows its log of events to administrators only, and no such token is held here",
    "kubernetes_httproute": "Kubernetes keeps the newest object only; its audit log is not read",
    "mlflow": "the MLflow registry keeps no log of changes of aliases",
}
_OTHER = "this kind of target keeps no change log that can be read"


class Histories:
    """Readers of change logs by target, made on first use and closed together."""

    def __init__(self, settings: Mapping[str, TargetSettings], keep: Keep) -> None:
        self._settings = settings
        self._keep = keep
        self._open: dict[str, EmbeddedTarget] = {}

    def of(self, target: str) -> tuple[History | None, str]:
        """The log of a target, or None and why there is none to read."""
        entry = self._settings.get(target)
        if entry is None:
            return None, f"no target {target!r} is configured any more"
        if not isinstance(entry, EmbeddedSettings):
            return None, _WHY.get(entry.kind, _OTHER)
        if target not in self._open:
            token = _token(entry.read_token_file)
            if token is None:
                return None, "the credential for reading it is missing here"
            self._open[target] = EmbeddedTarget(entry.url, token, "", keep=self._keep)
        return self._open[target], ""

    async def close(self) -> None:
        for target in self._open.values():
            await target.close()


def _token(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
