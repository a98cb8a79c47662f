"""The data-sources file: databases and services that checks may ask, by the name that playbooks use.

Addresses stand here and nowhere else. The address of a database holds its password, so it is a reference to a file;
so are tokens.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML

from adapters.settings import SettingsInvalid
from countermand.playbook.units import Positive


class SettingsEntry(BaseModel):
    """Base of every entry. time_limit, max_bytes: for one answer; beyond them it is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_limit: Positive = timedelta(seconds=10)
    max_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_bytes: Annotated[int, Field(ge=1, le=64_000_000)] = 4_000_000


class SqlSettings(SettingsEntry):
    """A database. url_file: holds `sqlite+aiosqlite:////path/to/file` or `postgresql+psycopg://…`, of an account that
    may only read what checks ask for."""

    kind: Literal["sql"]
    url_file: Path


class HttpSettings(SettingsEntry):
    """A service that answers GET with JSON. token_file: a token that may read and do nothing else."""

    kind: Literal["http"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]
    token_file: Path | None = None


DataSourceSettings = Annotated[SqlSettings | HttpSettings, Field(discriminator="kind")]

_FILE: TypeAdapter[dict[str, DataSourceSettings]] = TypeAdapter(dict[str, DataSourceSettings])


def data_source_settings(path: Path) -> dict[str, DataSourceSettings]:
    """Entries by name; a missing file means none. Raises SettingsInvalid with the place and what is accepted."""
    if not path.exists():
        return {}
    loaded = YAML(typ="safe", pure=True).load(path.read_bytes()) or {}
    try:
        return _FILE.validate_python(loaded.get("data_sources", {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["data_sources", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            # What stands there may be a secret that somebody wrote in by hand.
            raise SettingsInvalid(f"{path}: {where} is not known here; see docs/data-integrity.md") from None
        raise SettingsInvalid(f"{path}: {where} = {first['input']!r}: {first['msg']}") from None
