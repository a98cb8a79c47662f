"""Reading an Alertmanager's own API: the alerts that a message left out, and the silences that swallow others.

Only the address from the settings is asked, redirects are not followed, and an answer has a time limit and a size
limit (SRC-5, SRC-19).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.alert_labels import versions
from adapters.alert_values import Alert, Kept, Labels
from adapters.source_settings import AlertmanagerSettings
from countermand.plan.model import Release
from countermand.playbook.signals import SignalSpec

MAX_ANSWER = 8 * 1024 * 1024

_Body = TypeVar("_Body")

# Patterns of these characters alone are alternatives of fixed length: they match in linear time.
_ALTERNATIVES = re.compile(r"[A-Za-z0-9_.:/@ |-]*")


class Unreadable(Exception):
    """The Alertmanager did not answer as it should; the message says how, and quotes nothing that it sent."""


class _Read(BaseModel):
    """An answer of the API: what we use has its form, other fields are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Receiver(_Read):
    name: str


class _Status(_Read):
    state: str


class _ReadAlert(_Read):
    fingerprint: str
    starts_at: Annotated[AwareDatetime, Field(alias="startsAt")]
    labels: Labels
    annotations: Labels
    receivers: list[_Receiver]
    status: _Status


class Matcher(_Read):
    """One condition of a silence on one label."""

    name: Kept
    value: Kept
    is_regex: Annotated[bool, Field(alias="isRegex")]
    is_equal: Annotated[bool, Field(alias="isEqual")] = True

    def __str__(self) -> str:
        sign = ("=~" if self.is_regex else "=") if self.is_equal else ("!~" if self.is_regex else "!=")
        return f"{self.name}{sign}{self.value!r}"

    def may_match(self, value: str) -> bool:
        """A stranger's pattern could take for ever to try; in doubt it matches."""
        if not self.is_regex:
            return (self.value == value) is self.is_equal
        if not _ALTERNATIVES.fullmatch(self.value):
            return True
        return (re.fullmatch(self.value, value) is not None) is self.is_equal


class Silence(_Read):
    """A silence, active or not. Its texts are written by strangers."""

    id: Kept
    status: _Status
    matchers: tuple[Matcher, ...]
    ends_at: Annotated[AwareDatetime, Field(alias="endsAt")]
    created_by: Annotated[Kept, Field(alias="createdBy")] = ""
    comment: Kept = ""

    def swallows(self, labels: Mapping[str, frozenset[str]]) -> bool:
        """Could it swallow an alert whose labels have these values, as far as they are known?

        A label that is not known may match, so that too many silences are shown and never too few; but one of the
        matchers is about a known label.
        """
        known = [matcher for matcher in self.matchers if matcher.name in labels]
        return bool(known) and all(any(map(matcher.may_match, labels[matcher.name])) for matcher in known)


_ALERTS: TypeAdapter[list[_ReadAlert]] = TypeAdapter(list[_ReadAlert])
_SILENCES: TypeAdapter[list[Silence]] = TypeAdapter(list[Silence])


async def firing(settings: AlertmanagerSettings, receiver: str, group: Mapping[str, str]) -> tuple[Alert, ...]:
    """The alerts that fire now and are not silenced, of one receiver and group. Raises Unreadable.

    Receiver and group come from a message, so they choose among the answers and never become part of the question.
    """
    read = await _get(settings, "/api/v2/alerts", _ALERTS)
    return tuple(
        Alert(
            fingerprint=one.fingerprint,
            status="firing",
            starts_at=one.starts_at,
            labels=one.labels,
            annotations=one.annotations,
        )
        for one in read
        if one.status.state == "active"
        and any(_plain(known.name) == _plain(receiver) for known in one.receivers)
        and group.items() <= one.labels.items()
    )


async def active_silences(settings: AlertmanagerSettings) -> tuple[Silence, ...]:
    """Every silence that is active now. Raises Unreadable."""
    return tuple(one for one in await _get(settings, "/api/v2/silences", _SILENCES) if one.status.state == "active")


def labels_expected(
    settings: AlertmanagerSettings, release: Release, signals: Iterable[SignalSpec]
) -> list[dict[str, frozenset[str]]]:
    """What is known of the labels of alerts about a release: for each alert of `signals` the values a label may have.

    Without any signal: the labels that name the release.
    """
    named: dict[str | None, frozenset[str]] = {
        settings.release_label: frozenset({release.release_id}),
        settings.version_label: versions(release),
        settings.environment_label: frozenset({release.environment}),
    }
    known = {label: values for label, values in named.items() if label is not None}
    alerts = [{"alertname": spec.alert or "", **(spec.labels or {})} for spec in signals]
    return [known | {label: frozenset({value}) for label, value in own.items()} for own in alerts or [{}]]


async def _get(settings: AlertmanagerSettings, path: str, shape: TypeAdapter[_Body]) -> _Body:
    limit = settings.time_limit / timedelta(seconds=1)
    try:
        async with (
            asyncio.timeout(limit),
            httpx.AsyncClient(timeout=limit, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", f"{(settings.url or '').rstrip('/')}{path}") as response,
        ):
            if response.status_code != 200:
                raise Unreadable(f"GET {path} was answered {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise Unreadable(f"GET {path}: the answer is over {MAX_ANSWER} bytes")
    except (httpx.HTTPError, TimeoutError) as error:
        raise Unreadable(f"GET {path} had no answer: {type(error).__name__}") from error
    try:
        return shape.validate_json(bytes(body))
    except ValidationError as error:
        raise Unreadable(f"GET {path}: the answer has another form") from error


def _plain(receiver: str) -> str:
    """Messages name their receiver as a quoted regular expression, `web\\.hook`; the API names it as it is."""
    return receiver.replace("\\", "")
