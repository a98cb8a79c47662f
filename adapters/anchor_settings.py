"""The anchors file: who outside of this database holds its checkpoints. Addresses stand here and nowhere else.

No file: the Ledger is not anchored, and the console says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from adapters.settings import SettingsInvalid
from countermand.ledger.note_reading import COSIGNATURE, VerifierKey, read_vkey


class SettingsEntry(BaseModel):
    """Base of every entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Place = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]


def _cosigns(line: str) -> str:
    if read_vkey(line).algorithm != COSIGNATURE:
        raise ValueError("this key does not cosign; the key line of a witness (algorithm 0x04) is needed")
    return line


class FolderSettings(SettingsEntry):
    """A directory on another disk, best of another owner, that gets one file per checkpoint."""

    path: Path


class WitnessSettings(SettingsEntry):
    """A witness (c2sp.org/tlog-witness). url: without `/add-checkpoint`. vkey: its key line."""

    url: Url
    vkey: Annotated[str, AfterValidator(_cosigns)]

    @property
    def key(self) -> VerifierKey:
        return read_vkey(self.vkey)


class TimestampSettings(SettingsEntry):
    """A timestamp authority (RFC 3161). ca: PEM file with the root certificates its tokens must lead to."""

    url: Url
    ca: Path


class AnchorSettings(SettingsEntry):
    """log_vkey: a file with your own copy of the ledger's key line; without it, keys are believed from the ledger."""

    log_vkey: Path | None = None
    folders: dict[Place, FolderSettings] = Field(default_factory=dict)
    witnesses: dict[Place, WitnessSettings] = Field(default_factory=dict)
    timestamps: dict[Place, TimestampSettings] = Field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything outside is to hold checkpoints."""
        return bool(self.folders or self.witnesses or self.timestamps)

    @property
    def places(self) -> list[tuple[Literal["folder", "witness", "rfc3161"], str]]:
        """(kind, name) of every place."""
        return [
            *(("folder", name) for name in self.folders),
            *(("witness", name) for name in self.witnesses),
            *(("rfc3161", name) for name in self.timestamps),
        ]

    def pinned(self) -> VerifierKey | None:
        """The reader's own copy of the ledger's key. Raises SettingsInvalid when the file holds none."""
        if self.log_vkey is None:
            return None
        try:
            return read_vkey(self.log_vkey.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"log_vkey = {str(self.log_vkey)!r}: {error}") from error


def anchor_settings(path: Path) -> AnchorSettings:
    """The settings; without a file, none. Relative paths are relative to it. Raises SettingsInvalid with the place."""
    if not path.exists():
        return AnchorSettings()
    try:
        loaded = YAML(typ="safe", pure=True).load(path.read_bytes()) or {}
        found = AnchorSettings.model_validate(loaded)
    except YAMLError as error:
        raise SettingsInvalid(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsInvalid(f"{path}: {where} = {first.get('input')!r}: {first['msg']}") from error
    here = path.parent
    return found.model_copy(
        update={
            "log_vkey": here / found.log_vkey if found.log_vkey else None,
            "folders": {name: FolderSettings(path=here / one.path) for name, one in found.folders.items()},
            "timestamps": {
                name: one.model_copy(update={"ca": here / one.ca}) for name, one in found.timestamps.items()
            },
        }
    )
