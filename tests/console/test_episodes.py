"""Episodes over HTTP: which watches of the past are known, what people say they were, and files from elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from console import episodes
from countermand.learning.episode_file import IMPORTED, SUFFIX, EpisodeFault, read, written
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Served
from tests.console.world import Story
from tests.rules.learning import pasts

WATCH = "watch-support-assistant-v7"
LABEL = {"kind": "near_miss", "version": 1, "note": "Nobody was harmed."}


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    return await serve(Story.reverted)


async def call(served: Served, method: str, path: str, who: str = cases.MARIA, body: Any = None) -> httpx.Response:
    token = (await served.world.deps.accounts.issue_person_token(who)).token
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        return await http.request(
            method, f"/api/v1/episodes{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        )


async def test_an_incident_that_was_taken_back_is_an_episode_up_to_its_first_effect(served: Served) -> None:
    answer = await call(served, "GET", "?service=support-assistant")
    (one,) = answer.json()["items"]
    assert (answer.status_code, one["episode_id"], one["kind"]) == (200, WATCH, "incident")
    assert one["begins"] < one["asked_at"] < one["decided_at"] < one["first_effect_at"] <= one["ends"]
    assert (await call(served, "GET", "?service=another")).json()["items"] == []


async def test_who_is_not_signed_in_learns_nothing_of_the_past(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        assert (await http.get("/api/v1/episodes")).status_code == 401


async def test_a_label_is_recorded_and_the_next_one_must_follow_it(served: Served) -> None:
    labels = f"/{WATCH}/labels"
    said = await call(served, "POST", labels, body=LABEL)
    assert (said.status_code, said.json()["episode"]["kind"]) == (200, "near_miss")
    (record,) = await served.world.deps.ledger.records(kinds=[Kind.episode_labelled])
    assert (record.actor, record.body["word"]) == (cases.MARIA, "near_miss")
    unseen = await call(served, "POST", labels, cases.AMIRA, LABEL | {"kind": "incident"})
    assert (unseen.status_code, unseen.json()["code"]) == (409, "labelled_meanwhile")
    (one,) = (await call(served, "GET", "")).json()["items"]
    assert (one["kind"], one["label_version"], one["labelled_by"]) == ("near_miss", 1, cases.MARIA)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("watch-unknown", LABEL, 404, "unknown_episode"),
        (WATCH, LABEL | {"harm_start": "2027-01-01T00:00:00Z"}, 422, "label_does_not_fit"),
        (WATCH, LABEL | {"version": 3}, 409, "labelled_meanwhile"),
    ],
)
async def test_a_label_that_fits_no_episode_is_refused_and_not_recorded(
    served: Served, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await call(served, "POST", f"/{path}/labels", body=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await served.world.deps.ledger.records(kinds=[Kind.episode_labelled]) == []


async def test_an_imported_episode_is_known_labelled_and_written_with_its_own_rows(
    served: Served, tmp_path: Path
) -> None:
    deps = served.world.deps
    kept = deps.settings.data / IMPORTED
    kept.mkdir()
    # The release has the name of one that was watched here, whose rows are others.
    episode, rows = pasts.incident("elsewhere", count=30, harm_at=10, effect_at=20)
    episode = episode.model_copy(update={"release_id": "support-assistant-v7", "service": "support-assistant"})
    file = kept / f"{episode.episode_id}{SUFFIX}"
    file.write_bytes(written(episode, rows))
    (kept / f"{WATCH}{SUFFIX}").write_bytes(written(episode.model_copy(update={"episode_id": WATCH}), rows))
    found = {one["episode_id"]: one["source"] for one in (await call(served, "GET", "")).json()["items"]}
    assert found == {"elsewhere": "synthetic", WATCH: "watch"}  # of the same name, the watch of this place counts
    said = await call(served, "POST", "/elsewhere/labels", body=LABEL)
    assert said.json()["episode"]["kind"] == "near_miss"
    store = episodes.store(deps)
    out = tmp_path / "out"
    out.mkdir()
    known = [one for one in await store.known() if one.episode_id == "elsewhere"]
    await store.write(known, out)
    said_of, now = read(out / file.name)
    # Nothing after the first effect.
    assert (said_of, [row.digest for row in now]) == (known[0], [row.digest for row in rows[:20]])
    file.write_bytes(file.read_bytes().replace(b'"bad":', b'"bad":1', 1))
    with pytest.raises(EpisodeFault, match="not those that the header was written for"):
        await store.write(known, out)
