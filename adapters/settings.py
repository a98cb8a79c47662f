"""Settings, read once by a composition root from `COUNTERMAND_*` variables. Temporal's own come from its profile
file and `TEMPORAL_*` variables (`temporalio.envconfig`)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

#: Where only this machine can reach a server.
LOOPBACK = ("127.0.0.1", "::1", "localhost")


#: What a data directory of rehearsals holds (I20).
REHEARSAL_MARKER = ".countermand-rehearsal"


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
    anchors: Path
    deployment: str
    oidc: Path
    obligations: Path | None
    profile: Path
    templates: Path
    console_url: str
    console_host: str
    console_port: int
    tls_certificate: Path | None
    tls_key: Path | None
    temporal_ui_url: str

    @property
    def episodes(self) -> Path:
        """Episodes that were brought from elsewhere, as files."""
        return self.data / "episodes"

    @property
    def is_rehearsal(self) -> bool:
        """Whether the data directory is one of rehearsals."""
        return (self.data / REHEARSAL_MARKER).exists()

    def refuse_rehearsals(self) -> None:
        """Raises SettingsInvalid when the data directory is one of rehearsals: nothing real is done in it."""
        if self.is_rehearsal:
            raise SettingsInvalid(
                f"COUNTERMAND_DATA = {str(self.data)!r} is a directory of rehearsals; name one of a real environment"
            )

    @property
    def cadence(self) -> Path:
        """What the organisation does more or less often than shipped."""
        return self.data / "cadence.yaml"

    @property
    def gateway_key(self) -> Path:
        return self.data / "keys" / "gateway.pem"

    @property
    def vault_key(self) -> Path:
        return self.data / "keys" / "vault.key"

    @property
    def codec_keys(self) -> Path:
        return self.data / "keys" / "codec"

    @property
    def ledger_key(self) -> Path:
        return self.data / "keys" / "ledger.pem"

    @property
    def adoption_key(self) -> Path:
        return self.data / "keys" / "adoption.pem"

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
        deployment = environment.get("COUNTERMAND_DEPLOYMENT", "local")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", deployment):
            raise SettingsInvalid(
                f"COUNTERMAND_DEPLOYMENT = {deployment!r} is not accepted; write up to 63 of a-z, 0-9, . and -"
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
            anchors=Path(environment.get("COUNTERMAND_ANCHORS", data / "anchors.yaml")),
            deployment=deployment,
            oidc=Path(environment.get("COUNTERMAND_OIDC", data / "oidc.yaml")),
            obligations=Path(own) if (own := environment.get("COUNTERMAND_OBLIGATIONS")) else None,
            profile=Path(environment.get("COUNTERMAND_PROFILE", data / "profile.yaml")),
            templates=Path(environment.get("COUNTERMAND_TEMPLATES", root / "templates")),
            console_url=environment.get("COUNTERMAND_CONSOLE_URL", f"{scheme}://{host}:{port}"),
            console_host=host,
            console_port=int(port),
            tls_certificate=None if certificate is None else Path(certificate),
            tls_key=None if key is None else Path(key),
            temporal_ui_url=environment.get("COUNTERMAND_TEMPORAL_UI_URL", "http://127.0.0.1:8233"),
        )
