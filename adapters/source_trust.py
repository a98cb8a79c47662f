"""How far a source can be trusted on its own, from its settings: who it is, and what it shares with others (GOV-56)."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from activities.signal_ports import PEOPLE
from adapters.source_settings import (
    AlertmanagerSettings,
    MlflowSettings,
    PrometheusSettings,
    SourceSettings,
    WebhookSettings,
)
from countermand.governance.gating import Trust


class ConfiguredTrust:
    """Implements SourceTrust over the sources file.

    A source that sends is known by its token or its signature, which intake demands. A source that is asked is known
    when its address is on this machine or its server proves its name (https).
    """

    def __init__(self, settings: Mapping[str, SourceSettings]) -> None:
        self._settings = settings

    def __call__(self, name: str) -> Trust:
        """A name without an entry is a source that sends with a token of its own. Opinions prove nothing by themselves:
        whatever rests on them is left to people."""
        if name == PEOPLE:
            return Trust(authenticated=False, shares=())
        match self._settings.get(name):
            case MlflowSettings() | PrometheusSettings() as asked:
                marks = [f"host {_host(asked.url)}"]
                if asked.token_file is not None:
                    marks.append(f"credential {asked.token_file}")
                return Trust(authenticated=_proves_its_name(asked.url), shares=tuple(marks))
            case AlertmanagerSettings(url=str(url)):
                return Trust(authenticated=True, shares=(f"host {_host(url)}",))
            case WebhookSettings(secret_files=files):
                return Trust(authenticated=True, shares=tuple(f"credential {file}" for file in files))
            case _:
                return Trust(authenticated=True, shares=())


def _host(url: str) -> str:
    return (urlsplit(url).hostname or url).lower()


def _proves_its_name(url: str) -> bool:
    if urlsplit(url).scheme == "https":
        return True
    host = _host(url)
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
