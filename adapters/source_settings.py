"""The sources file: which systems are asked or may call, by the name that playbooks use.

Base addresses stand here and nowhere else: no playbook, alert or payload can name one (SRC-5). Secrets are references
to files, never values.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML

from adapters.arms import ArmValue
from adapters.prometheus_queries import Arms
from adapters.settings import SettingsInvalid
from adapters.webhook_rules import MappingRule
from countermand.detection.blocks import Arm
from countermand.playbook.units import Duration, Positive


class SettingsEntry(BaseModel):
    """Base of every entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PushSettings(SettingsEntry):
    """A source that sends by itself, with its own token."""

    kind: Literal["push"]


class MlflowSettings(SettingsEntry):
    """An MLflow tracking server whose traces carry assessments.

    arm_tag, arms: the tag that says which arm answered, and its value for each.
    overlap: how far before a block labels that came late are looked for.
    """

    kind: Literal["mlflow"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]
    token_file: Path | None = None
    experiments: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9]{1,30}$")], ...], Field(min_length=1)]
    arm_tag: Annotated[str, Field(min_length=1, max_length=250)]
    arms: dict[Arm, ArmValue]
    overlap: Duration = timedelta(minutes=10)
    time_limit: Positive = timedelta(seconds=20)
    page_size: Annotated[int, Field(ge=1, le=500)] = 500

    @model_validator(mode="after")
    def _both_arms(self) -> Self:
        if set(self.arms) != set(Arm) or len(set(self.arms.values())) != len(Arm):
            raise ValueError("arms needs two different values: candidate and baseline")
        return self


class PrometheusSettings(SettingsEntry):
    """A Prometheus that is asked.

    scrape: how often it scrapes what is asked for. time_limit: for all answers about one block.
    arms: by arm, the labels that its series have; a value may be `$release_id`, or a member of one of the release's
    bundles: `$candidate.model`, `$baseline.prompt`.
    """

    kind: Literal["prometheus"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]
    token_file: Path | None = None
    scrape: Positive
    time_limit: Positive = timedelta(seconds=10)
    arms: Arms


class Matching(SettingsEntry):
    """Whom alerts are about, by their labels, and how often their source must be heard.

    release_label: its value is a release id. version_label: its value is the name of the candidate bundle, or a member
    that only the candidate has. environment_label: its value is the environment; alerts without it match nothing.
    expect_every: with nothing at all for so long, the absence of alerts says nothing. heartbeat: the alert that always
    fires so that the source is heard; it is about no release.
    """

    release_label: str | None = None
    version_label: str | None = None
    environment_label: str | None = None
    expect_every: Positive = timedelta(minutes=5)
    heartbeat: str = "Watchdog"


class AlertmanagerSettings(Matching):
    """An Alertmanager, or a cluster of them, that posts to `/api/v1/signals/alertmanager` with the source's token.

    url: where its API is read for alerts that a message left out and for silences; never taken from a message.
    """

    kind: Literal["alertmanager"]
    url: Annotated[str, Field(pattern=r"^https?://[^/?#@]+(/[^?#]*)?$")] | None = None
    time_limit: Positive = timedelta(seconds=3)

    @model_validator(mode="after")
    def _names_a_release(self) -> Self:
        if self.release_label is None and self.version_label is None:
            raise ValueError("`release_label` or `version_label` is needed; without them no alert finds its release")
        return self


class WebhookSettings(Matching):
    """A system that posts signed payloads of its own form to `/api/v1/signals/webhook/<name>`.

    secret_files: one file with a `whsec_…` secret, two while it is rotated. mapping: the first rule that fits is used.
    """

    kind: Literal["webhook"]
    secret_files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=2)]
    mapping: Annotated[tuple[MappingRule, ...], Field(min_length=1, max_length=50)]


SourceSettings = Annotated[
    PushSettings | MlflowSettings | PrometheusSettings | AlertmanagerSettings | WebhookSettings,
    Field(discriminator="kind"),
]

_FILE = TypeAdapter(dict[str, SourceSettings])


def source_settings(path: Path) -> dict[str, SourceSettings]:
    """Entries by name; a missing file means none. Raises SettingsInvalid with the place and what is accepted."""
    if not path.exists():
        return {}
    loaded = YAML(typ="safe", pure=True).load(path.read_bytes()) or {}
    try:
        return _FILE.validate_python(loaded.get("sources", {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsInvalid(f"{path}: sources.{where} = {first['input']!r}: {first['msg']}") from error
