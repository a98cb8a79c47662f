"""The LLM example: its versions are what their digests say, its files can be used, its door lets in whom it should."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from string import Template

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.target_settings import MlflowRegistrySettings, target_settings
from countermand.canonical import digest_bytes
from countermand.playbook.load import parse
from examples.demo.judge import judge
from examples.demo.questions import draw
from examples.llm.door import create_app
from examples.llm.versions import (
    BASELINE,
    CANDIDATE,
    LIVE,
    MODEL,
    MODEL_HEADER,
    PROMPT,
    PROMPT_HEADER,
    Version,
    assistant,
)

FOLDER = Path("examples/llm")
ALIAS = "/api/2.0/mlflow/registered-models/alias"


def test_the_versions_differ_in_model_and_prompt_and_are_named_by_their_bytes() -> None:
    assert {"model", "prompt"} <= set(CANDIDATE.bundle.differs_from(BASELINE.bundle))
    for version in (BASELINE, CANDIDATE):
        assert version.bundle.model == digest_bytes(version.model)
        assert version.bundle.prompt == digest_bytes(version.prompt.encode())


def bad(version: Version, rare: float) -> float:
    """Share of answers that the judge calls made up."""
    made, dice = assistant(version.model, version.prompt), Random(3)  # noqa: S311, the same questions every time
    questions = [draw(dice, rare=rare) for _ in range(2_000)]
    labels = [
        judge(question, made.answer(f"user-{n}", question))["hallucinations"] for n, question in enumerate(questions)
    ]
    return labels.count("bad") / len(labels)


def test_the_candidate_is_as_good_until_users_ask_what_it_lost() -> None:
    assert bad(CANDIDATE, 0.0) < 0.05
    assert bad(CANDIDATE, 0.15) > 3 * bad(BASELINE, 0.15)
    assert bad(BASELINE, 0.15) < 0.05


def test_a_model_of_another_engine_is_refused() -> None:
    other = json.dumps({"engine": "other/2"}).encode()
    with pytest.raises(ValueError, match="'other/2'"):
        assistant(other, BASELINE.prompt)


def test_the_playbook_moves_the_model_and_then_the_prompt_and_the_targets_file_has_both(tmp_path: Path) -> None:
    playbook = parse((FOLDER / "playbook.yaml").read_bytes(), "playbook.yaml")
    filled = Template((FOLDER / "targets.yaml").read_text()).substitute(
        REGISTRY_PORT="5001", SERVICE_PORT="8101", READ_TOKEN_FILE="read", WRITE_TOKEN_FILE="write"
    )
    (tmp_path / "targets.yaml").write_text(filled)
    registry = target_settings(tmp_path / "targets.yaml")[playbook.revert.target]
    assert isinstance(registry, MlflowRegistrySettings)
    moved = [(playbook.revert.member, playbook.revert.part)]
    moved += [(other.member, other.part) for other in playbook.revert.together]
    assert moved == [("model", "model"), ("prompt", "prompt")]
    places = {
        name: (place.model, place.alias, place.serving and place.serving.header)
        for name, place in registry.members.items()
    }
    assert places == {"model": (MODEL, LIVE, MODEL_HEADER), "prompt": (PROMPT, LIVE, PROMPT_HEADER)}


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A door with an echo behind it; the file of frozen models is `frozen`."""

    async def echo(request: Request) -> JSONResponse:
        return JSONResponse({"method": request.method, "path": str(request.url.path), "query": str(request.url.query)})

    behind = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PUT"])])
    real = httpx.AsyncClient
    monkeypatch.setattr(
        "examples.llm.door.httpx.AsyncClient",
        lambda **call: real(base_url=call["base_url"], transport=httpx.ASGITransport(behind)),
    )
    app = create_app("http://registry", "read", "write", tmp_path / "frozen")
    async with real(base_url="http://door", transport=httpx.ASGITransport(app)) as client:
        yield client


async def asked(door: httpx.AsyncClient, method: str, token: str, name: str = PROMPT, version: str = "1") -> int:
    body = {"name": name, "alias": LIVE, "version": version} if method == "POST" else None
    answer = await door.request(method, ALIAS, json=body, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.mark.parametrize(
    ("method", "token", "status"),
    [("GET", "read", 200), ("POST", "write", 200), ("POST", "read", 403), ("GET", "other", 401), ("POST", "", 401)],
)
async def test_the_door_lets_each_token_do_what_it_is_for(
    door: httpx.AsyncClient, method: str, token: str, status: int
) -> None:
    assert await asked(door, method, token) == status


async def test_a_frozen_model_is_not_moved_but_the_right_to_move_it_can_be_shown(
    door: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "frozen").write_text(PROMPT)
    assert await asked(door, "POST", "write") == 423
    assert await asked(door, "POST", "write", version="0") == 200
    assert await asked(door, "POST", "write", name=MODEL) == 200
    assert await asked(door, "GET", "write") == 200
