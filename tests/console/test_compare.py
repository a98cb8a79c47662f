"""Manifests, comparison and traces over the API and on pages (R70, R71, R72)."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import expect

from activities.signal_ports import Batch, LabelledOutput
from console.tracing import trace, trace_json
from countermand.canonical import canonical, digest
from countermand.compare.manifest import PARTS
from countermand.detection.blocks import Arm
from countermand.ledger.record import Kind
from countermand.plan.model import Bundle
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import BASE, BLOCK, INCIDENT, PASSWORD, RELEASE, Story, release

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]
Call = Callable[..., Awaitable[httpx.Response]]

BASELINE, CANDIDATE = release().baseline, release().candidate
TICKETS = {"name": "tickets-2026-09", "digest": "sha256:tickets", "location": "s3://data/tickets-2026-09"}


def described(bundle: Bundle, *kept: str, **changes: Any) -> dict[str, Any]:
    """A manifest of one of the two bundles of the story; kept parts are the texts whose digests they have."""
    version = "2" if bundle == CANDIDATE else "1"
    parts = {part: {"digest": getattr(bundle, part), "media_type": "text/plain"} for part in PARTS}
    manifest = {"schema": "countermand.bundle/v1", "name": bundle.name, "parts": parts, "datasets": [TICKETS]}
    return {
        "manifest": manifest | changes,
        "contents": {part: base64.b64encode(canonical(f"{part} {version}")).decode() for part in kept},
    }


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve(Story.reverted)


@pytest.fixture
async def call(served: Served) -> AsyncIterator[Call]:
    """`call(method, path, body)`: the answer to a request of Lena, or of `who`."""
    tokens: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60))

        async def request(method: str, path: str, body: Any = None, who: str = cases.LENA) -> httpx.Response:
            if who not in tokens:
                answer = await http.post("/api/v1/login", json={"subject": who, "password": PASSWORD})
                tokens[who] = answer.raise_for_status().json()["token"]
            headers = {"Authorization": f"Bearer {tokens[who]}"}
            return await http.request(method, f"/api/v1{path}", json=body, headers=headers)

        yield request


async def put(call: Call, bundle: Bundle, *kept: str, **changes: Any) -> httpx.Response:
    return await call("POST", f"/bundles/{bundle.digest}", described(bundle, *kept, **changes))


async def compared(call: Call, a: Any = f"{RELEASE}:baseline", b: Any = f"{RELEASE}:candidate") -> dict[str, Any]:
    answer = await call("POST", "/compare", {"a": a, "b": b})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- manifests ------------------------------------------------------------------------------------------------


async def test_a_bundle_that_nobody_described_has_its_parts_and_no_manifest(call: Call) -> None:
    found = (await call("GET", f"/bundles/{BASELINE.digest}")).json()
    assert found["parts"]["index"] == BASELINE.index
    assert (found["manifest"], found["stored"], found["described_by"]) == (None, [], None)
    unknown = await call("GET", f"/bundles/{digest('never seen')}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_bundle")


async def test_r71_a_manifest_is_kept_beside_its_bundle_with_who_said_so_in_the_ledger(
    served: Served, call: Call
) -> None:
    answer = await put(call, BASELINE, "index")
    assert answer.status_code == 200, answer.text
    found = (await call("GET", f"/bundles/{BASELINE.digest}")).json()
    assert found == answer.json()
    assert (found["digest"], found["stored"], found["manifest"]["datasets"]) == (BASELINE.digest, ["index"], [TICKETS])
    (record,) = await served.world.deps.ledger.records(kinds=[Kind.bundle_described])
    assert record.actor == cases.LENA
    assert record.body["manifest_digest"] == found["manifest_digest"]
    assert record.body["stored"] == {"index": BASELINE.index}


async def test_the_same_manifest_again_leaves_no_second_record_and_a_part_more_does(served: Served, call: Call) -> None:
    for kept in (("index",), ("index",), ("index", "decoding")):
        assert (await put(call, BASELINE, *kept)).status_code == 200
    assert len(await served.world.deps.ledger.records(kinds=[Kind.bundle_described])) == 2


async def test_a_manifest_of_other_parts_is_refused_by_the_name_of_the_part(served: Served, call: Call) -> None:
    answer = await call("POST", f"/bundles/{CANDIDATE.digest}", described(BASELINE, name=CANDIDATE.name))
    assert (answer.status_code, answer.json()["code"]) == (422, "manifest_disagrees")
    assert answer.json()["parts"] == ["decoding", "index"]
    wrong = described(BASELINE) | {"contents": {"index": base64.b64encode(b"something else").decode()}}
    answer = await call("POST", f"/bundles/{BASELINE.digest}", wrong)
    assert answer.json()["parts"] == ["index"]
    assert await served.world.deps.ledger.records(kinds=[Kind.bundle_described]) == []


async def test_a_location_with_a_secret_is_refused_and_not_repeated(call: Call) -> None:
    answer = await put(call, BASELINE, datasets=[TICKETS | {"location": "https://u:hunter2@data.example/t"}])
    assert answer.status_code == 422
    assert "manifest/datasets/0/location" in answer.json()["detail"]
    assert "hunter2" not in answer.text


async def test_who_holds_no_role_describes_nothing(served: Served, call: Call) -> None:
    document = cases.governance().model_dump(mode="json", by_alias=True)
    people = [one for one in document["people"] if one["subject"] != cases.LENA]
    served.world.deps.people.governance = cases.governance(people=people)
    answer = await put(call, BASELINE)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role")


async def test_r71_a_kept_part_comes_back_byte_for_byte_and_never_as_a_page(call: Call) -> None:
    await put(call, BASELINE, "index")
    answer = await call("GET", f"/bundles/{BASELINE.digest}/parts/index")
    assert answer.content == canonical("index 1")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    missing = await call("GET", f"/bundles/{BASELINE.digest}/parts/prompt")
    assert (missing.status_code, missing.json()["code"]) == (404, "part_not_kept")


async def test_bytes_that_were_never_given_as_a_part_cannot_be_had_by_naming_their_digest(
    served: Served, call: Call
) -> None:
    secret = await served.world.deps.ledger.put_blob(b"shown to one person only", "text/html")
    bundle = BASELINE.model_copy(update={"prompt": secret})
    assert (await put(call, bundle)).status_code == 200
    assert (await call("GET", f"/bundles/{bundle.digest}/parts/prompt")).status_code == 404
    found = await compared(call, BASELINE.digest, bundle.digest)
    assert {one["part"]: one["how"] for one in found["parts"] if one["word"] == "changed"} == {"prompt": "bytes"}


# --- comparison -----------------------------------------------------------------------------------------------


async def test_r72_the_arms_of_a_release_are_compared_member_by_member_and_signal_by_signal(call: Call) -> None:
    for bundle in (BASELINE, CANDIDATE):
        await put(call, bundle, "index")
    found = await compared(call)
    changed = {one["part"]: one for one in found["parts"] if one["word"] == "changed"}
    assert set(changed) == {"index", "decoding"}
    assert changed["index"]["lines"][-2:] == ['-"index 1"', '+"index 2"']
    assert changed["decoding"]["why"] == "the bytes of a and b are not kept here"
    assert found["datasets"]["word"] == "same"
    measured = found["measured"]
    assert measured["concurrent"] is True
    signals = {one["signal"]: one for one in measured["signals"]}
    worse = signals["hallucinations"]
    assert worse["word"] == "worse"
    assert 0 < worse["low"] < worse["difference"] < worse["high"]
    assert worse["a"]["n"] > 1_000
    assert worse["method"] == "Newcombe 1998, method 10"
    assert signals["accuracy"]["word"] == "not_measured"
    assert (signals["accuracy"]["difference"], signals["accuracy"]["a"]["value"]) == (None, None)


async def test_bundles_by_digest_find_the_release_that_served_both(call: Call) -> None:
    found = await compared(call, CANDIDATE.digest, BASELINE.digest)
    assert found["measured"]["served"] == [f"{RELEASE}:candidate", f"{RELEASE}:baseline"]
    by_name = {one["signal"]: one["word"] for one in found["measured"]["signals"]}
    assert by_name["hallucinations"] == "better"


async def test_versions_of_different_releases_are_said_to_be_not_concurrent(served: Served, call: Call) -> None:
    other = release().model_copy(
        update={"release_id": "support-assistant-v8", "candidate": cases.bundle("v8"), "baseline": cases.bundle("v8b")}
    )
    await served.world.deps.catalogue.put_release(other, BASE)
    found = await compared(call, f"{RELEASE}:candidate", "support-assistant-v8:candidate")
    assert found["measured"]["concurrent"] is False
    assert found["measured"]["sentence"].startswith("Not concurrent:")
    assert {one["word"] for one in found["measured"]["signals"]} == {"not_measured"}


async def test_a_manifest_in_the_request_is_compared_without_being_kept(served: Served, call: Call) -> None:
    await put(call, BASELINE, "index")
    found = await compared(call, BASELINE.digest, described(CANDIDATE, "index", datasets=[]))
    index = next(one for one in found["parts"] if one["part"] == "index")
    assert index["how"] == "text"
    assert [one["name"] for one in found["datasets"]["removed"]] == ["tickets-2026-09"]
    assert (await call("GET", f"/bundles/{CANDIDATE.digest}")).json()["manifest"] is None


async def test_what_names_no_version_is_refused_with_what_would(call: Call) -> None:
    for a in ("nothing", RELEASE, f"{RELEASE}:other", digest("never"), "<script>:candidate"):
        answer = await call("POST", "/compare", {"a": a, "b": f"{RELEASE}:baseline"})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")
        assert "RELEASE:candidate" in answer.json()["next"]
    for body in ({}, {"a": "x"}, {"a": 1, "b": 2}, [], {"a": "x", "b": "y", "c": "z"}):
        answer = await call("POST", "/compare", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "schema")


# --- traces ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def watching(serve: Serve) -> Served:
    """A console whose release is still watched, so that labels come in."""
    return await serve(Story.asked)


async def an_output(served: Served, at: datetime | None = None) -> str:
    """The id of an output of the candidate, of now: its block is not sealed yet."""
    output = "answer 8123/é<b>"
    items = tuple(
        LabelledOutput(
            observation_id=f"{output}/{signal}",
            release_id=RELEASE,
            arm=Arm.candidate,
            signal=signal,
            event_time=at or served.world.deps.clock(),
            outcome=outcome,
        )
        for signal, outcome in (("hallucinations", "bad"), ("refusals", None))
    )
    deps = served.world.deps
    batch = Batch(batch_id="traced", body_sha256="traced", items=items)
    answer = await deps.signals.add("judge", batch, deps.clock(), may=lambda _release, _environment: True)
    assert answer.accepted == 2
    return output


async def test_r70_an_output_leads_to_its_bundle_its_parts_and_its_data_sets(served: Served, call: Call) -> None:
    await put(call, CANDIDATE)
    answer = await call("GET", f"/outputs/{quote('96/candidate/3', safe='')}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (origin,) = found["origins"]
    assert (origin["release_id"], origin["arm"], origin["bundle"]["digest"]) == (RELEASE, "candidate", CANDIDATE.digest)
    assert origin["parts"]["index"] == CANDIDATE.index
    assert origin["datasets"] == [TICKETS]
    assert [one["signal"] for one in found["labels"]] == ["hallucinations", "moderation_failures", "refusals"]
    signals = served.world.deps.signals
    rows = {row.seq: row for row in await signals.rows(RELEASE)}
    judged = dict(await signals.evaluations(RELEASE))[96]
    for one in found["labels"]:
        assert (one["block"]["seq"], one["block"]["digest"]) == (96, rows[96].digest)
        assert one["block"]["verdict"] == judged["word"]
        assert one["label"] in ("ok", "bad")


async def test_without_a_manifest_the_data_sets_are_unknown_and_not_none(call: Call) -> None:
    (origin,) = (await call("GET", "/outputs/96/baseline/3")).json()["origins"]
    assert (origin["arm"], origin["datasets"], origin["manifest_digest"]) == ("baseline", "unknown", "unknown")


async def test_a_label_whose_block_is_not_sealed_says_so(watching: Served) -> None:
    output = await an_output(watching)
    found = trace_json(await trace(watching.world.deps, output))
    assert {one["label"] for one in found["labels"]} == {"bad", "not labelled"}
    assert {(one["block"], one["why_no_block"]) for one in found["labels"]} == {(None, "its block is not sealed yet")}


async def test_a_label_that_came_late_is_counted_in_a_row_of_its_own(watching: Served) -> None:
    status = await watching.world.deps.catalogue.release(RELEASE)
    assert status is not None
    output = await an_output(watching, status.watched_from + 120.5 * BLOCK)
    found = trace_json(await trace(watching.world.deps, output))
    assert {(one["late"], one["why_no_block"]) for one in found["labels"]} == {
        (True, "it came late: its row closes with block 180")
    }
    deps = watching.world.deps
    detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
    until = status.watched_from + 181 * BLOCK
    await deps.signals.seal(RELEASE, signals=detection.signals, start=status.watched_from, block=BLOCK, until=until)
    (late,) = [row for row in await deps.signals.rows(RELEASE) if row.late_of is not None]
    found = trace_json(await trace(deps, output))
    assert {(one["block"]["seq"], one["block"]["digest"]) for one in found["labels"]} == {(120, late.digest)}


async def test_an_id_that_is_none_or_unknown_is_refused(call: Call) -> None:
    for said, status in (("never-seen", 404), ("x" * 201, 422), ("a\x1bb", 422), ("%", 404)):
        assert (await call("GET", f"/outputs/{quote(said, safe='')}")).status_code == status


# --- pages ----------------------------------------------------------------------------------------------------


async def test_the_release_and_the_incident_lead_to_the_comparison_of_their_versions(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    for bundle in (BASELINE, CANDIDATE):
        await put(call, bundle, "index")
    maria = await sign_in(served, cases.MARIA)
    for path, link in ((f"/releases/{RELEASE}", "Compare part by part"), (f"/incidents/{INCIDENT}", "compare its")):
        await maria.open(path)
        await maria.page.get_by_role("link", name=link).click()
        heading = maria.page.get_by_role("heading", level=1)
        await expect(heading).to_have_text(re.compile("From support-assistant v6 to support-assistant v7: .* changed"))
    await expect(maria.page.locator("#part-index .come")).to_have_text(re.compile('"index 2"'))
    await expect(maria.page.locator("article.delta", has_text="hallucinations").locator("svg")).to_have_count(1)
    accuracy = maria.page.locator("article.delta", has_text="Not measured").first
    await expect(accuracy.locator("svg.whisker")).to_have_count(0)


async def test_the_comparison_and_the_trace_fit_a_narrow_telephone(served: Served, call: Call, sign_in: SignIn) -> None:
    for bundle in (BASELINE, CANDIDATE):
        await put(call, bundle, "index")
    maria = await sign_in(served, cases.MARIA, viewport={"width": 320, "height": 700})
    for path in ("/compare", f"/compare?a={RELEASE}:baseline&b={RELEASE}:candidate", "/outputs?id=96/candidate/3"):
        await maria.open(path)
        assert await maria.page.locator("html").evaluate("page => page.scrollWidth") <= 320, path
        assert await maria.page.locator("h1").count() == 1, path


async def test_ids_and_names_that_others_wrote_are_text_on_the_page(watching: Served, sign_in: SignIn) -> None:
    output = await an_output(watching)
    maria = await sign_in(watching, cases.MARIA)
    await maria.open(f"/outputs?id={quote(output)}")
    await expect(maria.page.locator("main code").first).to_have_text(output)
    for path in ("/outputs?id=", "/compare?b=x&a="):
        await maria.open(path + quote("<img src=x onerror=alert(1)>\u202e"))
        await expect(maria.page.get_by_role("alert")).to_contain_text("Not done")
        assert await maria.page.locator("main img").count() == 0
        assert "\u202e" not in await maria.page.locator("main").inner_text()


async def test_a_part_with_hidden_characters_shows_them(served: Served, call: Call, sign_in: SignIn) -> None:
    sneaky = canonical("be\u202enice")
    bundle = BASELINE.model_copy(update={"prompt": digest("be\u202enice")})
    for one, text in ((BASELINE, canonical("prompt 1")), (bundle, sneaky)):
        body = described(one) | {"contents": {"prompt": base64.b64encode(text).decode()}}
        assert (await call("POST", f"/bundles/{one.digest}", body)).status_code == 200
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/compare?a={BASELINE.digest}&b={bundle.digest}")
    await expect(maria.page.locator("#part-prompt .come")).to_contain_text("<U+202E>")
