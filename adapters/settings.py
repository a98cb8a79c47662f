"""Settings, read once by a composition root from `COUNTERMAND_*` variables. Temporal's own come from its profile
file and `TEMPORAL_*` variables (`temporalio.envconfig`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

#: Where only this machine can reach a server.
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SettingsInvalid(ValueError):
    """A setting that cannot be used; the message names it and says what is accepted."""


class Settings(BaseModel):
    """Where things are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    database_url: str
    governance: Path
    targets: Path
    sources: Path
    data_sources: Path
    channels: Path
    oidc: Path
    templates: Path
    console_url: str
    console_host: str
    console_port: int
    tls_certificate: Path | None
    tls_key: Path | None
    temporal_ui_url: str

    @property
    def gateway_key(self) -> Path:
        return self.data / "keys" / "gateway.pem"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `COUNTERMAND_*`; everything has an embedded default below the data directory."""
        root = Path(__file__).resolve().parent.parent
        data = Path(environment.get("COUNTERMAND_DATA", root / ".countermand"))
        port = environment.get("COUNTERMAND_CONSOLE_PORT", "8800")
        if not port.isdigit():
            raise SettingsInvalid(f"COUNTERMAND_CONSOLE_PORT = {port!r} is not a port number (1 to 65535)")
        host = environment.get("COUNTERMAND_CONSOLE_HOST", "127.0.0.1")
        certificate, key = environment.get("COUNTERMAND_TLS_CERTIFICATE"), environment.get("COUNTERMAND_TLS_KEY")
        if (certificate is None) != (key is None):
            raise SettingsInvalid(
                "COUNTERMAND_TLS_CERTIFICATE and COUNTERMAND_TLS_KEY belong together; set both to PEM files, or none"
            )
        scheme = "http" if certificate is None else "https"
        return cls(
            data=data,
            database_url=environment.get("COUNTERMAND_DATABASE_URL", f"sqlite+aiosqlite:///{data / 'countermand.db'}"),
            governance=Path(environment.get("COUNTERMAND_GOVERNANCE", data / "governance.yaml")),
            targets=Path(environment.get("COUNTERMAND_TARGETS", data / "targets.yaml")),
            sources=Path(environment.get("COUNTERMAND_SOURCES", data / "sources.yaml")),
            data_sources=Path(environment.get("COUNTERMAND_DATA_SOURCES", data / "data_sources.yaml")),
            channels=Path(environment.get("COUNTERMAND_CHANNELS", data / "channels.yaml")),
            oidc=Path(environment.get("COUNTERMAND_OIDC", data / "oidc.yaml")),
            templates=Path(environment.get("COUNTERMAND_TEMPLATES", root / "templates")),
            console_url=environment.get("COUNTERMAND_CONSOLE_URL", f"{scheme}://{host}:{port}"),
            console_host=host,
            console_port=int(port),
            tls_certificate=None if certificate is None else Path(certificate),
            tls_key=None if key is None else Path(key),
            temporal_ui_url=environment.get("COUNTERMAND_TEMPORAL_UI_URL", "http://127.0.0.1:8233"),
        )
