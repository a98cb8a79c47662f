"""Packs made by the console: complete, sealed, the same bytes again, and verified by `verify.py` alone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.checkpoints import SqlCheckpoints
from adapters.evidence_pdf import PdfUnavailable
from adapters.signing import LedgerKey
from console import packs as packs_module
from console.packs import NothingToShow, Packs, SealingStopped
from countermand.evidence.manifest import Profile
from countermand.evidence.verify import Anchors, Report, unzip, verify
from countermand.ledger.bodies import GuardState
from countermand.ledger.private import Opened
from countermand.ledger.record import Kind
from tests.console.packing import CANARY, LEDGER, VIEW, packs, reverted
from tests.console.world import BASE, INCIDENT, World
from tests.evidence_packs import MemoryCheckpoints
from tests.vaults import vault

Tell = Callable[..., Awaitable[World]]
NOW = BASE.timestamp() + 86_400
REDACTED_VIEW = "redacted: what was shown may hold samples and words of people"


@pytest.fixture
async def world(tell: Tell) -> World:
    return await tell(reverted)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs here go without their PDF, which takes seconds to draw."""

    def none(*_: object, **__: object) -> bytes:
        raise PdfUnavailable("not drawn in this test")

    monkeypatch.setattr(packs_module, "render_pdf", none)


@pytest.fixture
def maker(world: World, tmp_path: Path) -> Packs:
    return packs(world, tmp_path / "packs")


def report(content: bytes) -> Report:
    return verify(unzip(content), Anchors(), NOW)


async def test_a_full_and_a_redacted_pack_of_an_incident_verify_and_hold_the_same_lines(maker: Packs) -> None:
    scope = await maker.incident_scope(INCIDENT)
    full, closed = await maker.build(scope, "full"), await maker.build(scope, "redacted")
    for sealed in (full, closed):
        said = report(sealed.content)
        assert said.verdict == "internally consistent", said.first_bad
        assert said.findings == []
    files, others = unzip(full.content), unzip(closed.content)
    assert files["ledger/records.jsonl"] == others["ledger/records.jsonl"]
    assert CANARY.encode() in full.content
    assert VIEW in files.values()
    assert CANARY.encode() not in closed.content
    assert {json.loads(line)["omitted"] for line in others["reveals.jsonl"].splitlines()} == {"redacted"}


async def test_a_second_export_gives_the_same_bytes_and_adds_nothing_to_the_ledger(
    maker: Packs, world: World, tmp_path: Path
) -> None:
    scope = await maker.incident_scope(INCIDENT)
    first = await maker.build(scope, "full")
    head = await world.deps.ledger.head()
    elsewhere = packs(world, tmp_path / "elsewhere")
    elsewhere.checkpoints = maker.checkpoints
    assert (await maker.build(scope, "full")).content == first.content
    assert (await elsewhere.build(scope, "full")).content == first.content
    assert await world.deps.ledger.head() == head


async def test_a_crash_at_any_step_of_sealing_leaves_no_half_pack_and_the_next_try_makes_the_same(
    maker: Packs, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await maker.incident_scope(INCIDENT)

    async def crash(*_: object) -> None:
        raise RuntimeError("the process ends here")

    for step in ("leaves", "inclusion", "consistency", "cosignatures", "timestamp"):
        with monkeypatch.context() as patched:
            patched.setattr(maker.checkpoints, step, crash)
            with pytest.raises(RuntimeError):
                await maker.build(scope, "redacted")
        assert not list(maker.directory.glob("*")), step
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            await maker.build(scope, "redacted")
    assert not list(maker.directory.glob("[0-9a-f]*.zip"))
    again = await maker.build(scope, "redacted")
    assert report(again.content).verdict == "internally consistent"
    whole = packs(world, tmp_path / "whole")
    whole.checkpoints = maker.checkpoints
    assert (await whole.build(scope, "redacted")).content == again.content
    assert len(await world.deps.ledger.records(kinds=(Kind.evidence_sealed,))) == 1


async def test_an_export_while_others_write_shows_one_size(maker: Packs, world: World) -> None:
    scope = await maker.incident_scope(INCIDENT)
    writing = asyncio.create_task(keep_writing(world))
    try:
        sealed = await maker.build(scope, "redacted")
    finally:
        writing.cancel()
    said = report(sealed.content)
    assert said.verdict == "internally consistent", said.first_bad
    listing = json.loads(unzip(sealed.content)["manifest.json"])
    assert len(unzip(sealed.content)["ledger/leaf_hashes.bin"]) == 32 * listing["tree_size"]
    assert await world.deps.ledger.head() > sealed.record.seq


async def keep_writing(world: World) -> None:
    while True:
        await world.story.note(GuardState(state="watching", sentence="still there", until=BASE), incident_id=None)
        await asyncio.sleep(0)


async def test_a_period_lists_every_rollback_counts_the_records_and_names_what_it_rests_on(maker: Packs) -> None:
    since, until = BASE - timedelta(seconds=200), BASE + timedelta(days=1)
    scope = await maker.period_scope(since, until)
    files = unzip((await maker.build(scope, "redacted", since, until)).content)
    said = verify(files, Anchors(), NOW)
    assert said.verdict == "internally consistent", said.first_bad
    gaps = json.loads(files["population/gaps.json"])
    assert gaps["gaps"] == []
    assert gaps["records"] == scope.last_seq - scope.first_seq + 1
    assert gaps["outcomes"] == {"reverted": 1}
    assert b"inc-" in files["population/all_rollbacks.csv"]
    absent = {one["path"]: one["reason"] for one in json.loads(files["manifest.json"])["not_applicable"]}
    assert "not compared" in absent["population/target_reconciliation.json"]


async def test_nothing_is_sealed_while_a_witness_holds_another_history(maker: Packs, world: World) -> None:
    assert isinstance(maker.checkpoints, MemoryCheckpoints)
    maker.checkpoints.disputed = "The witness w1 holds another history at 40 records."
    with pytest.raises(SealingStopped, match="w1"):
        await maker.build(await maker.incident_scope(INCIDENT), "redacted")
    assert await world.deps.ledger.records(kinds=(Kind.evidence_sealed,)) == []


async def test_an_incident_that_nobody_knows_and_a_period_without_records_are_refused(maker: Packs) -> None:
    with pytest.raises(NothingToShow, match="inc-unknown"):
        await maker.incident_scope("inc-unknown")
    with pytest.raises(NothingToShow, match="2020"):
        await maker.period_scope(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))


async def test_what_was_erased_is_missing_from_the_next_full_pack_and_both_verify(maker: Packs, world: World) -> None:
    scope = await maker.incident_scope(INCIDENT)
    before = await maker.build(scope, "full")
    opened = [json.loads(line) for line in unzip(before.content)["reveals.jsonl"].splitlines()]
    gone = opened[0]["value"]

    class Forgetful:
        async def open(self, commitments: Sequence[str]) -> dict[str, Opened]:
            known = await vault(world.deps.database).open(commitments)
            return {commit: one for commit, one in known.items() if one.value != gone}

    maker.vault = Forgetful()
    assert await maker.again(before.record) is None
    after = await maker.build(scope, "full")
    assert report(after.content).verdict == report(before.content).verdict == "internally consistent"
    assert json.loads(unzip(after.content)["reveals.jsonl"].splitlines()[0])["omitted"] == "erased"


@pytest.mark.parametrize("profile", ["full", "redacted"])
async def test_every_question_of_a_reviewer_is_answered_from_the_pack_alone(
    maker: Packs, tmp_path: Path, profile: Profile
) -> None:
    sealed = await maker.build(await maker.incident_scope(INCIDENT), profile)
    file = tmp_path / "pack.zip"
    await asyncio.to_thread(file.write_bytes, sealed.content)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(Path(__file__).with_name("examiner.py")), str(file), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    said = json.loads(out)
    assert [one["name"] for one in said["who decided"]] == ["Maria Keller", "Jonas Weber"]
    for one in said["who decided"]:
        assert one["before_expiry"]
        assert one["four_eyes"]
        assert one["signature_bytes"] == 64
    assert {one["saw"] for one in said["who decided"]} == ({len(VIEW)} if profile == "full" else {REDACTED_VIEW})
    assert said["approved by"] == [["Maria Keller", "Jonas Weber"]]
    assert said["executed"] == ["applied"] * 3
    assert "3 of 3 planned stages" in said["deviation"]
    assert (said["before"], said["after"], said["share after"]) == ("support-assistant v7", "support-assistant v6", 0)
    assert said["blocks"] > 90
    assert said["read back"]
    assert said["told"] == ["approver", "customer", "exec", "operator", "support"]
    assert "not legal advice" in said["clocks"]
    assert "leaves other incidents closed" in said["which rollbacks"]
    assert said["how to check"] == ["VERIFY.md", "verify.py", "verify.sh"]


async def test_with_the_stored_tree_and_a_key_file_both_scopes_verify(
    maker: Packs, world: World, tmp_path: Path
) -> None:
    pem = LEDGER.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    await asyncio.to_thread(tmp_path.joinpath("ledger.pem").write_bytes, pem)
    key = LedgerKey(tmp_path / "ledger.pem")
    maker.checkpoints, maker.key = SqlCheckpoints(world.deps.database, key, "local"), key
    incident = await maker.build(await maker.incident_scope(INCIDENT), "full")
    since, until = BASE - timedelta(days=1), BASE + timedelta(days=1)
    period = await maker.build(await maker.period_scope(since, until), "redacted", since, until)
    for sealed in (incident, period):
        said = report(sealed.content)
        assert said.verdict == "internally consistent", said.first_bad
        assert said.findings == []
