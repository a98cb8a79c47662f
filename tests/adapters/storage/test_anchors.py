"""Places outside: a witness, a timestamp authority and a folder; what they take, refuse and find out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.anchor_settings import anchor_settings
from adapters.anchors import AnchorFailed, AnchorMisconfigured
from adapters.outside import OlderThanOutside, refuse_older
from adapters.settings import SettingsInvalid
from countermand.ledger.note_reading import cosigned_at, read_vkey
from countermand.ledger.record import Kind
from tests.adapters.storage.heads import Desk
from tests.adapters.storage.stores import Store
from tests.adapters.storage.timestamp_server import TimestampAuthority
from tests.adapters.storage.witness_server import Witness
from tests.waiting import until

sqlite_only = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimestampAuthority]:
    with TimestampAuthority(tmp_path_factory.mktemp("tsa") / "authority") as running:
        yield running


@pytest.fixture
async def witnessed(desk: Desk, witness: Witness) -> Desk:
    """A desk whose witness knows the log."""
    witness.knows(await desk.checkpoints.log_vkey())
    desk.configure(witnesses={"w1": {"url": witness.url, "vkey": witness.vkey}})
    return desk


async def test_a_witness_sees_growth_and_its_cosignatures_are_kept(witnessed: Desk, witness: Witness) -> None:
    for count in (1, 4, 9, 2):
        made = await witnessed.anchored(count)
        (line,) = await witnessed.checkpoints.cosignatures(made.size)
        cosigned_at(made, line, read_vkey(witness.vkey))
    assert [record.body["tree_size"] for record in await witnessed.ledger.records(kinds=[Kind.checkpoint_external])]
    assert witness.asked[0] == 0
    assert 0 not in witness.asked[1:], "later requests start from the size that the witness has"


async def test_a_witness_that_is_ahead_of_what_we_know_is_asked_again_from_there(
    witnessed: Desk, witness: Witness
) -> None:
    made = await witnessed.anchored()
    (place,) = witnessed.places
    assert await place.seen(made) == made.size
    await witnessed.write(5)
    later = await witnessed.checkpoints.now()
    await place.take(later, witnessed.checkpoints)  # its answer is lost: we do not know that it took this one
    await witnessed.anchored(2)
    assert len(await witnessed.checkpoints.cosignatures((await witnessed.checkpoints.now()).size)) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(403, AnchorMisconfigured), (404, AnchorMisconfigured), (500, AnchorFailed)]
)
async def test_a_witness_that_refuses_is_named_and_stops_nothing(
    status: int, error: type[Exception], witnessed: Desk, witness: Witness
) -> None:
    witness.answers = [status]
    with pytest.raises(error, match=f"answered {status}"):
        await witnessed.anchored()
    assert await witnessed.checkpoints.forked() == ""
    await witnessed.anchored()


async def test_a_signature_that_the_key_line_does_not_verify_is_not_kept(witnessed: Desk, witness: Witness) -> None:
    with Witness() as other:
        witnessed.configure(witnesses={"w1": {"url": witness.url, "vkey": other.vkey}})
    with pytest.raises(AnchorMisconfigured, match="does not verify"):
        await witnessed.anchored()
    assert await witnessed.checkpoints.cosignatures((await witnessed.checkpoints.now()).size) == []


async def test_a_fork_is_recorded_once_stops_sealing_and_never_appending(
    witnessed: Desk, witness: Witness, store: Store
) -> None:
    made = await witnessed.anchored()
    witness.heads[made.origin] = (made.size, b"x" * 32)
    for _ in range(2):
        with pytest.raises(AnchorFailed, match="history was changed"):
            await witnessed.anchored()
    assert "history was changed" in await witnessed.checkpoints.forked()
    assert len(await witnessed.ledger.records(kinds=[Kind.checkpoint_forked])) == 1
    witness.heads[made.origin] = (made.size, bytes.fromhex(made.root))
    await witnessed.anchored()
    assert await witnessed.checkpoints.forked() == "", "it took a checkpoint again"


async def cosigned(desk: Desk, size: int) -> bool:
    return bool(await desk.checkpoints.cosignatures(size))


async def test_a_witness_that_is_down_delays_nothing_and_gets_the_newest_later(desk: Desk, witness: Witness) -> None:
    witness.knows(await desk.checkpoints.log_vkey())
    desk.configure(witnesses={"w1": {"url": "http://127.0.0.1:9", "vkey": witness.vkey}})
    async with desk.keeper.running():
        await desk.write(3)
        newest = await until(desk.checkpoints.newest, "a checkpoint is signed")
    desk.configure(witnesses={"w1": {"url": witness.url, "vkey": witness.vkey}})
    async with desk.keeper.running():
        await until(lambda: cosigned(desk, newest.size), "the witness has cosigned it")
    assert await desk.checkpoints.uncovered(newest.size) == 0, "what was anchored calls for no new checkpoint"


async def test_a_token_of_the_configured_authority_is_kept_and_openssl_verifies_it(
    desk: Desk, authority: TimestampAuthority, tmp_path: Path
) -> None:
    desk.configure(timestamps={"tsa": {"url": authority.url, "ca": str(authority.ca)}})
    made = await desk.anchored()
    token = await desk.checkpoints.timestamp(made.size)
    assert token is not None
    (tmp_path / "c").write_text(made.note)
    (tmp_path / "c.tsr").write_bytes(token)
    assert authority.verifies(tmp_path / "c", tmp_path / "c.tsr")
    (tmp_path / "c").write_text(made.note.replace("countermand", "counterfeit"))
    assert not authority.verifies(tmp_path / "c", tmp_path / "c.tsr")


@sqlite_only
async def test_a_token_of_another_authority_is_refused(
    desk: Desk, authority: TimestampAuthority, tmp_path: Path
) -> None:
    with TimestampAuthority(tmp_path / "other") as other:
        desk.configure(timestamps={"tsa": {"url": authority.url, "ca": str(other.ca)}})
        with pytest.raises(AnchorMisconfigured, match="does not hold"):
            await desk.anchored()


async def test_a_folder_gets_one_file_per_checkpoint_and_finds_out_what_was_rewritten(
    desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "safe"
    folder.mkdir()
    desk.configure(folders={"safe": {"path": str(folder)}})
    first, second = await desk.anchored(), await desk.anchored()
    assert [file.read_text() for file in sorted(folder.iterdir())] == [first.note, second.note]
    (newest,) = [file for file in folder.iterdir() if file.read_text() == second.note]
    lines = second.note.split("\n")
    newest.chmod(0o644)
    newest.write_text("\n".join([*lines[:2], "A" * 43 + "=", *lines[3:]]))
    with pytest.raises(AnchorFailed, match="another history"):
        await desk.anchored()
    assert "another history" in await desk.checkpoints.forked()


@sqlite_only
async def test_a_folder_that_is_not_there_or_belongs_to_another_ledger_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.configure(folders={"safe": {"path": str(tmp_path / "missing")}})
    with pytest.raises(AnchorFailed, match="no such directory"):
        await desk.anchored()
    made = await desk.checkpoints.now()
    (tmp_path / "missing").mkdir()
    foreign = made.note.replace("countermand/test/", "countermand/other/")
    (tmp_path / "missing" / f"{made.size:016}.checkpoint").write_text(foreign)
    with pytest.raises(AnchorMisconfigured, match="belongs to 'countermand/other/"):
        await desk.anchored()


async def test_a_database_shorter_than_its_folder_or_witness_refuses_to_start(
    witnessed: Desk, witness: Witness, tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "safe"
    folder.mkdir()
    witnessed.configure(
        folders={"safe": {"path": str(folder)}}, witnesses={"w1": {"url": witness.url, "vkey": witness.vkey}}
    )
    old = await witnessed.anchored()
    head = await witnessed.ledger.head()
    made = await witnessed.anchored(5)
    await refuse_older(witnessed.ledger, witnessed.checkpoints, witnessed.places)
    cut = [f"DELETE FROM {table} WHERE tree_size > {old.size}" for table in ("ledger_anchor", "ledger_cosignature")]
    cut += [
        f"DELETE FROM ledger_checkpoint WHERE tree_size > {old.size}",
        f"DELETE FROM ledger_record WHERE seq > {head}",
    ]
    store.without_triggers(*cut)
    with pytest.raises(OlderThanOutside) as refused:
        await refuse_older(witnessed.ledger, witnessed.checkpoints, witnessed.places)
    for kind in ("folder safe", "witness w1"):
        assert f"The {kind} has seen {made.size} records, this database has {head + 1}" in str(refused.value)
    assert f"records {head + 1} to {made.size - 1} are missing" in str(refused.value)


def test_the_anchors_file_is_read_with_paths_beside_it_and_its_mistakes_are_named(tmp_path: Path) -> None:
    file = tmp_path / "anchors.yaml"
    assert not anchor_settings(file).any
    file.write_text("folders:\n  safe: {path: there}\n")
    assert anchor_settings(file).folders["safe"].path == tmp_path / "there"
    for text, wrong in {
        "folders: {safe: {}}": "folders.safe.path",
        "witnesses: {w: {url: 'ftp://x', vkey: a}}": "witnesses.w.url",
        "witnesses: {w: {url: 'http://127.0.0.1:1', vkey: a}}": "is no key line",
        "folder: {}": "folder = ",
    }.items():
        file.write_text(text)
        with pytest.raises(SettingsInvalid, match=wrong):
            anchor_settings(file)
