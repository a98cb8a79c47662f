"""The MLflow model registry over REST: an alias of a registered model, and its versions (targets.md §6.2)."""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from activities.ports import TargetRejected
from adapters.target_file import MAX_KEY
from adapters.target_http import Raw, TargetHttp
from adapters.target_settings import MlflowMember
from countermand.canonical import canonical, digest_bytes
from countermand.plan.target import Value

_API = "/api/2.0/mlflow"
_PAGE = 200
#: Where a release pipeline says which digest a version of a model is; a prompt is its own text.
DIGEST_TAG = "countermand.digest"
STATUS_TAG = "countermand.status"
_TEXT_TAG = "mlflow.prompt.text"
_IS_PROMPT = "tags.`mlflow.prompt.is_prompt` = 'true'"
#: Versions count from 1: asking for this one is refused as unknown, or before that for want of the right to write.
_NO_VERSION = "0"


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Tag(_Body):
    key: str
    value: str = ""


class _Alias(_Body):
    alias: str
    version: str


class _Model(_Body):
    aliases: tuple[_Alias, ...] = ()
    tags: tuple[_Tag, ...] = ()


class _ModelAnswer(_Body):
    registered_model: _Model


class _VersionBody(_Body):
    version: str
    status: str
    tags: tuple[_Tag, ...] = ()


class _VersionAnswer(_Body):
    model_version: _VersionBody


class _Versions(_Body):
    model_versions: tuple[_VersionBody, ...] = ()
    next_page_token: str = ""


_Shape = TypeVar("_Shape", bound=_Body)
_MODEL, _VERSION, _PAGED = TypeAdapter(_ModelAnswer), TypeAdapter(_VersionAnswer), TypeAdapter(_Versions)


class AliasMark(Value):
    """What we keep in a tag of the registered model: which write of ours the alias comes from."""

    key: Annotated[str, Field(max_length=MAX_KEY)]
    fence: int
    version: str


class Version(NamedTuple):
    """One version. `digest` is None where nothing says which; `status` is MLflow's own."""

    number: str
    digest: str | None
    status: str


class Named(NamedTuple):
    """What an alias names now, and our mark beside it."""

    version: Version
    mark: AliasMark | None
    sha256: str

    @property
    def revision(self) -> str:
        """MLflow has none: a hash of what the alias says. The mark is not in it: it is written just before."""
        content = {"version": self.version.number, "digest": self.version.digest}
        return f"content:{digest_bytes(canonical(content))}"


class Registry:
    """Calls to one registry. Raises what TargetHttp raises."""

    def __init__(self, http: TargetHttp, read_token: str | None, write_token: str | None) -> None:
        self._http = http
        self._read_token = read_token
        self._write_token = write_token

    async def named(self, place: MlflowMember) -> Named:
        """What the alias names. Raises TargetUnavailable, TargetRejected."""
        raw, body = await self._get("registered-models/get", _MODEL, name=place.model)
        model = body.registered_model
        number = next((one.version for one in model.aliases if one.alias == place.alias), None)
        if number is None:
            known = ", ".join(sorted(one.alias for one in model.aliases)) or "none"
            raise TargetRejected(f"{place.model!r} has no alias {place.alias!r}; it has: {known}")
        _, answer = await self._get("model-versions/get", _VERSION, name=place.model, version=number)
        return Named(_version(place, answer.model_version), _mark(place, model.tags), raw.sha256)

    async def with_digest(self, place: MlflowMember, digest: str) -> Version | None:
        """The newest version with this digest. Raises TargetUnavailable, TargetRejected."""
        # Without this condition MLflow leaves prompts out of what it finds.
        which = f"name = '{place.model}'" + (f" AND {_IS_PROMPT}" if place.what == "prompt" else "")
        page = ""
        while True:
            asked = {"filter": which, "order_by": "version_number DESC", "max_results": str(_PAGE)}
            _, found = await self._get("model-versions/search", _PAGED, **asked, page_token=page)
            for body in found.model_versions:
                version = _version(place, body)
                if version.digest == digest:
                    return version
            page = found.next_page_token
            if not page:
                return None

    async def remember(self, place: MlflowMember, mark: AliasMark) -> None:
        """Write the mark. Raises Lost, TargetUnavailable, TargetRejected."""
        await self._post(
            "registered-models/set-tag", name=place.model, key=_mark_tag(place), value=mark.model_dump_json()
        )

    async def point(self, place: MlflowMember, version: str) -> None:
        """Let the alias name this version. Raises Lost, TargetUnavailable, TargetRejected."""
        await self._post("registered-models/alias", name=place.model, alias=place.alias, version=version)

    async def prove_write(self, place: MlflowMember) -> None:
        """Find out whether the alias may be written, by a write that names no version and cannot take effect.

        Raises Lost, TargetUnavailable; TargetRejected when it may not.
        """
        await self._post(
            "registered-models/alias", (400, 404), name=place.model, alias=place.alias, version=_NO_VERSION
        )

    async def say(self, place: MlflowMember, version: str, status: str) -> None:
        """Write the status tag of a version. Raises Lost, TargetUnavailable, TargetRejected."""
        await self._post("model-versions/set-tag", name=place.model, version=version, key=STATUS_TAG, value=status)

    async def _get(self, path: str, shape: TypeAdapter[_Shape], **asked: str) -> tuple[Raw, _Shape]:
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in asked.items() if value)
        return await self._http.get(f"{_API}/{path}?{query}", self._read_token, shape)

    async def _post(self, path: str, expected: tuple[int, ...] = (), **body: object) -> None:
        await self._http.send("POST", f"{_API}/{path}", self._write_token, json=body, expected=expected)


def _version(place: MlflowMember, body: _VersionBody) -> Version:
    tags = {tag.key: tag.value for tag in body.tags}
    if place.what == "model":
        digest = tags.get(DIGEST_TAG)
    else:
        digest = digest_bytes(tags[_TEXT_TAG].encode()) if _TEXT_TAG in tags else None
    return Version(body.version, digest, body.status)


def _mark_tag(place: MlflowMember) -> str:
    return f"countermand.alias.{place.alias}"


def _mark(place: MlflowMember, tags: tuple[_Tag, ...]) -> AliasMark | None:
    name = _mark_tag(place)
    kept = next((tag.value for tag in tags if tag.key == name), None)
    if kept is None:
        return None
    try:
        return AliasMark.model_validate_json(kept)
    except ValidationError:
        raise TargetRejected(f"the tag {name!r} of {place.model!r} is not as we wrote it; remove it") from None
