"""The channels file: the ways to reach people, and for each audience the order in which they are tried.

Addresses stand here and nowhere else: no playbook, template or fact can name one (COM-29, SRC-5). Secrets are
references to files, never values.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, FilePath, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML

from adapters.settings import SettingsInvalid
from adapters.source_settings import SettingsEntry
from countermand.playbook.model import Audience
from countermand.playbook.units import Positive

_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Address = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252})$")
]


class SmtpSettings(SettingsEntry):
    """A mail server.

    security: `starttls` and `tls` check the server's certificate, against `ca_file` if there is one; `none` is for a
    server on this machine. recipients: by audience; nobody sees the addresses of the others.
    """

    kind: Literal["smtp"]
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)]
    security: Literal["starttls", "tls", "none"]
    ca_file: FilePath | None = None
    sender: Address
    username: str | None = None
    password_file: Path | None = None
    recipients: Annotated[dict[Audience, Annotated[tuple[Address, ...], Field(min_length=1)]], Field(min_length=1)]
    time_limit: Positive = timedelta(seconds=20)

    @model_validator(mode="after")
    def _credentials_are_safe(self) -> Self:
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError(f"security `none` is for {', '.join(_LOOPBACK)}; write `starttls` or `tls`")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password_file` belong together")
        return self


class WebhookChannelSettings(SettingsEntry):
    """A status page, a pager or anything else that takes signed JSON. secret_file: holds a `whsec_…` secret."""

    kind: Literal["webhook"]
    url: Annotated[
        str,
        StringConstraints(
            pattern=r"^(https://[^\s/@?#\\]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?)(/[^\s#\\]*)?$"
        ),
    ]
    secret_file: Path
    time_limit: Positive = timedelta(seconds=10)


OneChannel = Annotated[SmtpSettings | WebhookChannelSettings, Field(discriminator="kind")]


class ChannelSettings(SettingsEntry):
    """The whole file. An audience without a route finds its messages in the outbox."""

    channels: dict[Name, OneChannel] = Field(default_factory=dict)
    routes: dict[Audience, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _mail_knows_its_recipients(self) -> Self:
        for audience, route in self.routes.items():
            for name in route:
                channel = self.channels.get(name)
                if isinstance(channel, SmtpSettings) and audience not in channel.recipients:
                    raise ValueError(f"routes.{audience}: channel {name!r} has no `recipients` for {audience.value!r}")
        return self


def channel_settings(path: Path) -> ChannelSettings:
    """A missing file means no channels. Raises SettingsInvalid with the place and what is accepted."""
    if not path.exists():
        return ChannelSettings()
    return channel_settings_of(YAML(typ="safe", pure=True).load(path.read_bytes()) or {}, path)


def channel_settings_of(loaded: object, path: Path) -> ChannelSettings:
    """What was read from `path`. Raises SettingsInvalid with the place and what is accepted."""
    try:
        return ChannelSettings.model_validate(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"{path}: {where or 'the file'} = {first['input']!r}: {first['msg']}") from error
