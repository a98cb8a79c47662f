"""`slack.yaml` in the data directory: which workspace, which channel, and where the secrets are. No file: Slack is off.

Secrets are references to files, never values. The addresses that may be called stand here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from adapters.settings import SettingsInvalid

#: Slack itself, its government cloud, and a stand-in on this machine for tests.
_API = r"^(https://slack\.com/api/|https://slack-gov\.com/api/|http://127\.0\.0\.1:\d+/api/)$"

Team = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{1,20}$")]
Channel = Annotated[str, Field(pattern=r"^[CG][A-Z0-9]{1,20}$")]


class SlackSettings(BaseModel):
    """One Slack app in one or more workspaces. An empty list of teams means that nobody may decide (SLK-7)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    teams: tuple[Team, ...] = ()
    channel: Channel
    fallback_channel: Channel | None = None
    #: Channels that several workspaces of one organisation share; Slack Connect channels are never used (SLK-29).
    allow_org_shared: bool = False
    #: A private channel for each incident, to which these roles are invited (SLK-24).
    incident_channels: bool = False
    incident_channel_roles: tuple[str, ...] = ("incident_commander", "release_owner", "safety_lead")
    bot_token_file: Path
    signing_secret_files: Annotated[tuple[Path, ...], Field(max_length=2)] = ()
    app_token_file: Path | None = None
    api_url: Annotated[str, Field(pattern=_API)] = "https://slack.com/api/"

    def bot_token(self) -> str:
        return _secret(self.bot_token_file)

    def app_token(self) -> str | None:
        """The token of Socket Mode; None when Slack calls us over HTTP."""
        return _secret(self.app_token_file) if self.app_token_file else None

    def signing_secrets(self) -> tuple[str, ...]:
        """The secrets that requests may be signed with: one, or two while they are changed."""
        return tuple(_secret(path) for path in self.signing_secret_files)


def slack_settings(path: Path) -> SlackSettings | None:
    """The settings, or None when there is no file. Relative paths are relative to it.

    Raises SettingsInvalid with the place and what is accepted, also for a secret that cannot be read.
    """
    if not path.exists():
        return None
    try:
        loaded = YAML(typ="safe", pure=True).load(path.read_bytes()) or {}
        found = SlackSettings.model_validate(loaded)
    except YAMLError as error:
        raise SettingsInvalid(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsInvalid(f"{path}: {where} = {first.get('input')!r}: {first['msg']}") from error
    if not found.signing_secret_files and found.app_token_file is None:
        raise SettingsInvalid(
            f"{path}: neither signing_secret_files nor app_token_file is set; "
            "name the first for requests over HTTP, the second for Socket Mode"
        )
    here = path.parent
    found = found.model_copy(
        update={
            "bot_token_file": here / found.bot_token_file,
            "signing_secret_files": tuple(here / one for one in found.signing_secret_files),
            "app_token_file": here / found.app_token_file if found.app_token_file else None,
        }
    )
    found.bot_token(), found.app_token(), found.signing_secrets()
    return found


def _secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"{path}: {error.strerror}; put the secret there, readable by this process") from error
    if not secret:
        raise SettingsInvalid(f"{path} is empty; put the secret there")
    return secret
