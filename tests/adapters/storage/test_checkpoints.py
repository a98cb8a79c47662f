"""Checkpoints: what they cover, what they prove, and what happens when two make one or none can be signed."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activities.evidence_ports import CheckpointFailed, checkpoint_soon
from adapters.checkpoints import SqlCheckpoints
from adapters.keys import known_keys, rotate
from adapters.signing import LedgerKey
from countermand.cli.ledger_proofs import tlog_proof
from countermand.ledger import tree
from countermand.ledger.bodies import CheckpointExternal
from countermand.ledger.record import Kind
from tests.adapters.storage.heads import Desk


async def test_a_checkpoint_covers_every_record_and_its_signature_holds(desk: Desk) -> None:
    await desk.write(5)
    made = await desk.checkpoints.now()
    lines = [record.line for record in await desk.ledger.records()]
    leaves = [tree.leaf_hash(line.encode()) for line in lines]
    nodes = tree.complete_nodes(0, leaves, lambda *_: b"")
    assert made.size == len(lines) == 7
    assert made.root == tree.root(7, lambda *name: nodes[name]).hex()
    genesis = (await desk.ledger.records(limit=1))[0]
    assert made.origin == f"countermand/test/{genesis.body['ledger_id']}"
    signature = base64.b64decode(made.note.rsplit(" ", 1)[1])[4:]
    Ed25519PublicKey.from_public_bytes(desk.key.public).verify(signature, made.text.encode())


async def test_the_tree_grows_in_steps_to_the_same_root_as_at_once_and_every_proof_leads_to_it(desk: Desk) -> None:
    sizes = []
    for count in (1, 2, 4, 9, 33):
        await desk.write(count)
        sizes.append((await desk.checkpoints.now()).size)
    newest = await desk.checkpoints.newest()
    assert newest is not None
    records = await desk.ledger.records()
    for record in records:
        path = await desk.checkpoints.inclusion(record.seq, newest.size)
        leaf = tree.leaf_hash(record.line.encode())
        assert tree.root_from_inclusion(leaf, record.seq, newest.size, path).hex() == newest.root
    assert await desk.checkpoints.leaves(newest.size) == b"".join(tree.leaf_hash(r.line.encode()) for r in records)
    for old, new in pairwise(sizes):
        assert await desk.checkpoints.consistency(old, new)


async def test_what_is_said_about_checkpoints_alone_calls_for_no_new_one(desk: Desk) -> None:
    first = await desk.checkpoints.now()
    said = CheckpointExternal(tree_size=first.size, kind="folder", place="safe", blob_sha256="sha256:" + "0" * 64)
    await desk.ledger.append(said.entry("external", "worker"))
    assert await desk.checkpoints.now() == first
    await desk.write(1)
    assert (await desk.checkpoints.now()).size == first.size + 2


async def test_the_smallest_checkpoint_that_covers_a_record_is_found_again(desk: Desk) -> None:
    await desk.write(1)
    first = await desk.checkpoints.now()
    await desk.write(3)
    second = await desk.checkpoints.now()
    assert await desk.checkpoints.at_least(first.size) == first
    assert await desk.checkpoints.at_least(first.size + 1) == second
    with pytest.raises(ValueError, match="the Ledger has"):
        await desk.checkpoints.at_least(1_000)


async def test_many_makers_at_once_end_with_one_tree(desk: Desk) -> None:
    async def work() -> None:
        for _ in range(5):
            await desk.write(1)
            await desk.checkpoints.now()

    others = SqlCheckpoints(desk.db, desk.key, "test")
    await asyncio.gather(work(), work(), *[others.now() for _ in range(10)])
    newest = await desk.checkpoints.now()
    assert (await desk.checkpoints.root(newest.size)).hex() == newest.root


async def test_without_the_recorded_key_nothing_is_signed_and_nobody_waits(desk: Desk) -> None:
    await desk.write(1)
    desk.key.path.rename(desk.key.path.with_suffix(".gone"))
    with pytest.raises(CheckpointFailed, match="cannot be read"):
        await desk.checkpoints.now()
    await checkpoint_soon(desk.checkpoints)
    LedgerKey(desk.key.path).create_if_missing()
    with pytest.raises(CheckpointFailed, match="put the recorded key back"):
        await desk.checkpoints.now()
    assert await desk.checkpoints.newest() is None


async def test_a_new_key_takes_over_with_a_record_that_both_signed(desk: Desk) -> None:
    before = desk.key.key_id
    await desk.checkpoints.now()
    after = await rotate(desk.ledger, desk.key)
    assert list(await known_keys(desk.ledger, "ledger")) == [before, after]
    (record,) = await desk.ledger.records(kinds=[Kind.key_rotated])
    keys = await known_keys(desk.ledger, "ledger")
    said = b'{"key_id":"%s","old_key_id":"%s","public":"%s","purpose":"ledger"}' % (
        after.encode(), before.encode(), record.body["public"].encode()
    )  # fmt: skip
    for key_id, field in ((before, "signed_by_old"), (after, "signed_by_new")):
        Ed25519PublicKey.from_public_bytes(keys[key_id]).verify(base64.b64decode(record.body[field]), said)
    assert desk.key.key_id == after
    assert set(desk.key.past()) == {before}
    assert (await desk.checkpoints.now()).size == 3


async def test_a_rotation_that_crashed_before_its_end_is_ended_by_the_next_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("adapters.keys.os.replace", crash)
        with pytest.raises(OSError, match="power"):
            await rotate(desk.ledger, desk.key)
    after = await rotate(desk.ledger, desk.key)
    assert desk.key.key_id == after == list(await known_keys(desk.ledger, "ledger"))[-1]
    assert len(await known_keys(desk.ledger, "ledger")) == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_commands_of_the_documentation_verify_a_proof_and_refuse_a_changed_record(
    desk: Desk, tmp_path: Path
) -> None:
    for count in (1, 2, 4):
        await desk.write(count)
    made = await desk.checkpoints.now()
    block = (Path(__file__).parents[3] / "docs/ledger.md").read_text().split("```sh\n")[1].partition("```")[0]
    (tmp_path / "log.vkey").write_text(f"{await desk.checkpoints.log_vkey()}\n")
    for record in await desk.ledger.records():
        path = await desk.checkpoints.inclusion(record.seq, made.size)
        proof = {
            "seq": record.seq,
            "path": [base64.b64encode(one).decode() for one in path],
            "checkpoint": made.note,
            "cosignatures": [],
        }
        name = f"record-{record.seq}.json"
        (tmp_path / f"{name}.tlog-proof").write_text(tlog_proof(proof))
        script = block.replace("SEQ=4", f"SEQ={record.seq}").replace("record-4.json", name)
        for line, equal in ((record.line, True), (record.line.replace("worker", "forger") + " ", False)):
            (tmp_path / name).write_text(line)
            said = await asyncio.to_thread(
                subprocess.run, ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert "Signature Verified Successfully" in said.stdout, said.stderr
            assert ("the roots are equal" in said.stdout) == equal
