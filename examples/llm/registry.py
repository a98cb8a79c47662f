"""What a release pipeline and a service do with an MLflow registry, over REST: no library of MLflow is needed."""

from __future__ import annotations

from typing import Any

import httpx
from countermand.canonical import digest_bytes

_API, _ARTIFACTS = "/api/2.0/mlflow", "/api/2.0/mlflow-artifacts/artifacts"
_IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}
_TEXT = "mlflow.prompt.text"
_FILE = "model.json"


class Registry:
    """A registry as one holder of a token sees it. Raises httpx.HTTPError when it does not answer well."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=20
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def create(self, name: str, *, prompt: bool) -> None:
        await self._post("registered-models/create", name=name, tags=[_IS_PROMPT] if prompt else [])

    async def add_model(self, name: str, content: bytes) -> str:
        """Store the file and register it with its digest, as a release pipeline does; returns the version."""
        run = (await self._post("runs/create", experiment_id="0"))["run"]["info"]
        source = f"{run['artifact_uri']}/{_FILE}"
        await self._sent("PUT", f"{_ARTIFACTS}/{_path(source)}", content=content)
        tags = [{"key": "countermand.digest", "value": digest_bytes(content)}]
        made = await self._post("model-versions/create", name=name, source=source, run_id=run["run_id"], tags=tags)
        return str(made["model_version"]["version"])

    async def add_prompt(self, name: str, text: str) -> str:
        """Register a prompt; returns the version."""
        tags = [_IS_PROMPT, {"key": _TEXT, "value": text}]
        made = await self._post("model-versions/create", name=name, source="prompt-template", tags=tags)
        return str(made["model_version"]["version"])

    async def point(self, name: str, alias: str, version: str) -> None:
        """Let the alias name this version."""
        await self._post("registered-models/alias", name=name, alias=alias, version=version)

    async def version(self, name: str, alias: str) -> dict[str, Any]:
        """The version that the alias names, as MLflow describes it."""
        asked = {"name": name, "alias": alias}
        answer = await self._sent("GET", f"{_API}/registered-models/alias", params=asked)
        return dict(answer.json()["model_version"])

    async def model(self, version: dict[str, Any]) -> bytes:
        """The stored file of a version."""
        return (await self._sent("GET", f"{_ARTIFACTS}/{_path(version['source'])}")).content

    async def _post(self, path: str, **body: object) -> dict[str, Any]:
        return dict((await self._sent("POST", f"{_API}/{path}", json=body)).json())

    async def _sent(self, method: str, path: str, **call: Any) -> httpx.Response:
        return (await self._client.request(method, path, **call)).raise_for_status()


def prompt_text(version: dict[str, Any]) -> str:
    """The text of a version of a prompt."""
    return str(next(tag["value"] for tag in version["tags"] if tag["key"] == _TEXT))


def _path(source: str) -> str:
    return source.removeprefix("mlflow-artifacts:/")
