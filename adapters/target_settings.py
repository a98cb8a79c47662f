"""The targets file: release-control systems by the name that playbooks use.

Addresses, sockets and files stand here and nowhere else; credentials are references to files, never values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator
from ruamel.yaml import YAML

from adapters.settings import SettingsInvalid
from countermand.detection.models import Arm
from countermand.playbook.protected import protected, singles_out

# Names that go into commands, runtime keys and paths as they are: nothing in them may end one and begin another.
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
_HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$")]


class SettingsEntry(BaseModel):
    """Base of every entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbeddedSettings(SettingsEntry):
    """A service with the control interface of the demo service."""

    kind: Literal["embedded"] = "embedded"
    url: _HttpUrl
    read_token_file: Path
    write_token_file: Path


class TwoArms(SettingsEntry):
    """The names of both arms within the system; they must differ."""

    candidate: _Name
    baseline: _Name

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.candidate == self.baseline:
            raise ValueError(f"candidate and baseline are both {self.candidate!r}; two different names are needed")
        return self

    def of(self, arm: Arm) -> str:
        return self.candidate if arm is Arm.candidate else self.baseline


class HaproxyMember(TwoArms):
    """A backend, and the server in it that each arm is."""

    backend: _Name


class HaproxySettings(SettingsEntry):
    """An HAProxy, by its runtime sockets.

    read_socket: level `operator`, the least that shows how a backend balances. write_socket: level `admin`.
    members: backends by the name that playbooks use.
    """

    kind: Literal["haproxy"]
    read_socket: Path
    write_socket: Path
    members: Annotated[dict[_Name, HaproxyMember], Field(min_length=1)]


class EnvoyMember(TwoArms):
    """A route that divides traffic between two clusters by runtime keys `<prefix>.<cluster>`.

    routing: `sticky` when one user always gets the same cluster; Envoy then cannot count users.
    """

    prefix: _Name
    routing: Literal["per_request", "sticky"]


class EnvoySettings(SettingsEntry):
    """An Envoy with a runtime layer that it reads from a file.

    admin_url: its admin interface, which has no sign-in: loopback, or behind a proxy that has one.
    runtime_file: the file of the layer, JSON. layer: the name of that layer.
    """

    kind: Literal["envoy"]
    admin_url: _HttpUrl
    runtime_file: Path
    layer: _Name
    members: Annotated[dict[_Name, EnvoyMember], Field(min_length=1)]


class HealthUrls(SettingsEntry):
    """Where each arm says that it is healthy (any 2xx answer)."""

    candidate_health: _HttpUrl
    baseline_health: _HttpUrl

    def health(self, arm: Arm) -> str:
        return self.candidate_health if arm is Arm.candidate else self.baseline_health


class FlagdMember(TwoArms, HealthUrls):
    """A flag, the variant that each arm is, and where each arm says that it is healthy."""

    flag: _Name


class FlagdSettings(SettingsEntry):
    """A file of flags that flagd or an OpenFeature provider reads, JSON."""

    kind: Literal["flagd"]
    file: Path
    members: Annotated[dict[_Name, FlagdMember], Field(min_length=1)]


class UnleashMember(HealthUrls):
    """A flag of one project and environment: users for whom it is on are the candidate's."""

    project: _Name
    environment: _Name
    flag: _Name


class UnleashSettings(SettingsEntry):
    """An Unleash server.

    read_token_file: a backend (client) token of the project and environment. write_token_file: a personal access token
    of a user who may change strategies, or an admin token.
    """

    kind: Literal["unleash"]
    url: _HttpUrl
    read_token_file: Path
    write_token_file: Path
    members: Annotated[dict[_Name, UnleashMember], Field(min_length=1)]


class HttpRouteMember(TwoArms, HealthUrls):
    """An HTTPRoute with one rule whose backends are both arms, by the names of their Services."""

    namespace: _Name
    route: _Name


class HttpRouteSettings(SettingsEntry):
    """A Kubernetes API server with the Gateway API.

    token files are read anew for every call, because tokens of service accounts change. ca_file: who signed the
    server's certificate. shared_with: field managers that also own the rules and are known to leave the weights alone.
    """

    kind: Literal["kubernetes_httproute"]
    url: Annotated[str, Field(pattern=r"^https://[^\s@?#]+$")]
    ca_file: Path
    read_token_file: Path
    write_token_file: Path
    shared_with: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = ()
    members: Annotated[dict[_Name, HttpRouteMember], Field(min_length=1)]


class Serving(SettingsEntry):
    """Where a serving process answers a GET without side effects, and the header in which it names its digest."""

    url: _HttpUrl
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]


class MlflowMember(SettingsEntry):
    """An alias of a registered model; a prompt is one too. Without `serving` nobody can be asked what users get."""

    model: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f/:'\"`\\]{1,200}$")]
    alias: _Name
    what: Literal["model", "prompt"] = "model"
    serving: Serving | None = None


class MlflowRegistrySettings(SettingsEntry):
    """An MLflow registry. The tokens are for a proxy that signs in; without them none is sent."""

    kind: Literal["mlflow"]
    url: _HttpUrl
    read_token_file: Path | None = None
    write_token_file: Path | None = None
    members: Annotated[dict[_Name, MlflowMember], Field(min_length=1)]


def _kind(entry: Any) -> Any:
    return entry.get("kind", "embedded") if isinstance(entry, dict) else getattr(entry, "kind", None)


TargetSettings = Annotated[
    Annotated[EmbeddedSettings, Tag("embedded")]
    | Annotated[HaproxySettings, Tag("haproxy")]
    | Annotated[EnvoySettings, Tag("envoy")]
    | Annotated[FlagdSettings, Tag("flagd")]
    | Annotated[UnleashSettings, Tag("unleash")]
    | Annotated[HttpRouteSettings, Tag("kubernetes_httproute")]
    | Annotated[MlflowRegistrySettings, Tag("mlflow")],
    Discriminator(_kind),
]

#: `targets`, the name of a target, `members`: what stands below is the name of a member.
_NAMES = 3
_FILE: TypeAdapter[dict[str, TargetSettings]] = TypeAdapter(dict[str, TargetSettings])


def target_settings(path: Path) -> dict[str, TargetSettings]:
    """Entries by name; a missing file means none. Raises SettingsInvalid with the place and what is accepted."""
    if not path.exists():
        return {}
    loaded = YAML(typ="safe", pure=True).load(path.read_bytes()) or {}
    _refuse_selectors(path, loaded.get("targets", {}), ("targets",))
    try:
        return _FILE.validate_python(loaded.get("targets", {}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["targets", *(str(part) for part in first["loc"])])
        if first["type"] == "extra_forbidden":
            # What stands there may be a secret that somebody wrote in by hand.
            raise SettingsInvalid(f"{path}: {where} is not known here; see docs/targets.md") from None
        raise SettingsInvalid(f"{path}: {where} = {first['input']!r}: {first['msg']}") from None


def _refuse_selectors(path: Path, value: Any, where: tuple[str, ...]) -> None:
    """A target changes exposure for all users alike (GOV-35): none may select people by a protected attribute.

    Names of targets and members are not selectors, and an address may have any host. Raises SettingsInvalid.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            named = len(where) > _NAMES and protected([str(key)])
            _refuse(path, (*where, str(key)), named[0] if named else singles_out(str(key)))
            _refuse_selectors(path, inner, (*where, str(key)))
    elif isinstance(value, list):
        for inner in value:
            _refuse_selectors(path, inner, where)
    elif isinstance(value, str) and "://" not in value:
        _refuse(path, where, singles_out(value))


def _refuse(path: Path, where: tuple[str, ...], attribute: str) -> None:
    if attribute:
        raise SettingsInvalid(
            f"{path}: {'.'.join(where)} selects people by {attribute!r}; exposure changes for everybody alike: "
            "name a member that all of them go through"
        )
