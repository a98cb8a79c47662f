"""The pages of the Ledger: what is signed, who outside holds it, the proof of one record; and the API beside them."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from playwright.async_api import expect

from adapters.head_keeping import HeadKeeper, configured_anchors
from adapters.keys import announce
from adapters.ledger import SqlLedger
from adapters.signing import LedgerKey
from console.api_ledger import anchors_of
from countermand.ledger import tree
from countermand.ledger.note import Checkpoint
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import Story

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


async def signed(served: Served, *, folder: bool = True) -> Checkpoint:
    """A checkpoint of everything, handed to a folder outside."""
    deps = served.world.deps
    key = LedgerKey(deps.settings.ledger_key)
    key.create_if_missing()
    await announce(SqlLedger(deps.database), key)
    made = await deps.checkpoints.now()
    if folder:
        (deps.settings.data / "safe").mkdir(exist_ok=True)
        deps.settings.anchors.write_text("log_vkey: log.vkey\nfolders:\n  safe: {path: safe}\n")
        (deps.settings.data / "log.vkey").write_text(await deps.checkpoints.log_vkey())
        places = configured_anchors(anchors_of(deps), deps.database)
        for place in places:
            await HeadKeeper(deps.database, deps.checkpoints, places).hand_over_once(place)
    return made


async def test_a_ledger_that_nobody_outside_holds_says_so(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/ledger")
    await expect(maria.page.locator("#ledger-head")).to_contain_text("No checkpoint is signed yet. Not anchored")
    await maria.open("/ledger/4")
    await expect(maria.page.locator("#proof")).to_contain_text("No checkpoint covers this record yet")
    await signed(served, folder=False)
    await maria.open("/ledger/4")
    await expect(maria.page.locator("#proof")).to_contain_text("No place outside of this database has seen it")


async def test_a_record_shows_its_proof_and_who_outside_knows_it(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    made = await signed(served)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/ledger")
    head = maria.page.locator("#ledger-head")
    await expect(head).to_contain_text(f"Signed up to record {made.size - 1}")
    await expect(head).to_contain_text(f"Held outside by folder safe ({made.size} records)")
    await maria.open("/ledger/4")
    proof = maria.page.locator("#proof")
    await expect(proof).to_contain_text(f"to the root over {made.size} records, which the ledger's key signed")
    await expect(proof).to_contain_text("Known outside to folder safe")
    await proof.locator("summary").first.click()
    hashes = await proof.locator("ol code").all_inner_texts()
    (record,) = await served.world.deps.ledger.records(after_seq=3, limit=1)
    leaf = tree.leaf_hash(record.line.encode())
    assert hashes[0] == leaf.hex()
    path = [bytes.fromhex(one) for one in hashes[1:-1]]
    assert tree.root_from_inclusion(leaf, 4, made.size, path).hex() == hashes[-1] == made.root
    await proof.get_by_role("link", name="Verify again").click()
    await expect(proof.locator(".chip").first).to_have_text("pass")


async def test_the_verdict_says_what_holds_and_what_it_does_not_show(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.reverted)
    made = await signed(served)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/ledger/verify")
    await expect(maria.page.get_by_role("heading", level=1)).to_have_text("Anchored")
    card = maria.page.locator("main .card")
    await expect(card).to_contain_text(f"record {made.size - 1}, signed")
    await expect(card).to_contain_text("1 newest record")
    await expect(card).to_contain_text("pinned: equal to your own copy")
    await expect(card).to_contain_text(f"anything after record {made.size - 1}")


async def test_the_api_gives_checkpoint_proof_and_growth_and_refuses_what_is_not_there(serve: Serve) -> None:
    served = await serve(Story.reverted)
    first = await signed(served)
    issued = await served.world.deps.accounts.issue_person_token(cases.MARIA)
    bearer = {"Authorization": f"Bearer {issued.token}"}
    async with httpx.AsyncClient(base_url=served.url, headers=bearer, trust_env=False, timeout=60) as http:

        async def get(path: str) -> tuple[int, dict[str, object]]:
            answer = await http.get(f"/api/v1/ledger/{path}")
            return answer.status_code, answer.json()

        status, head = await get("checkpoints")
        assert (status, head["head"], head["forked"]) == (200, first.size, "")
        assert isinstance(head["newest"], dict)
        assert head["newest"]["checkpoint"] == first.note
        status, proof = await get("proofs?seq=4")
        assert isinstance(proof["path"], list)
        path = [base64.b64decode(one) for one in proof["path"]]
        leaf = tree.leaf_hash(str(proof["line"]).encode())
        assert json.loads(str(proof["line"]))["seq"] == 4
        assert tree.root_from_inclusion(leaf, 4, first.size, path).hex() == proof["root"]
        later = await get(f"proofs?seq={first.size}")
        assert later[1]["size"] == first.size + 1, "a checkpoint is made when none covers the record"
        assert (await get(f"proofs?old={first.size}&new={first.size + 1}"))[0] == 200
        assert [(await get(f"proofs{query}"))[0] for query in ("?seq=9999", "?old=9&new=3", "", "?seq=-1")] == [
            404, 404, 422, 422
        ]  # fmt: skip


async def test_ready_names_what_is_wrong_with_the_head_and_stays_ready(serve: Serve) -> None:
    served = await serve(Story.reverted)
    await signed(served)

    async def said() -> tuple[int, dict[str, tuple[bool, str]]]:
        async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
            answer = await http.get("/readyz")
        return answer.status_code, {one["name"]: (one["ok"], one["sentence"]) for one in answer.json()["checks"]}

    status, checks = await said()
    assert status == 200
    assert [checks[name][0] for name in ("checkpoint", "outside", "head", "anchors", "intents")] == [True] * 5
    assert not checks["keys"][0], "gateway and adoption keys are not there"
    settings = served.world.deps.settings
    settings.anchors.write_text("folder: {}")
    status, checks = await said()
    assert (status, checks["anchors"][0]) == (200, False)
    settings.anchors.write_text("folders:\n  safe: {path: safe}\n")
    longer(settings.data / "safe")
    status, checks = await said()
    assert (status, checks["outside"][0]) == (503, False)
    assert "are missing" in checks["outside"][1]


def longer(folder: Path) -> None:
    """The folder has seen records that this database lost."""
    (newest,) = folder.iterdir()
    lines = newest.read_text().split("\n")
    (folder / f"{10_000:016}.checkpoint").write_text("\n".join([lines[0], "10000", *lines[2:]]))
