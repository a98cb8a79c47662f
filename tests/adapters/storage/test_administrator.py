"""The table of docs/ledger.md: what an administrator with every right can do, and who notices.

`inside` is what verification says from the database alone; `outside` is what a folder and a witness say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from adapters.anchors import AnchorFailed
from adapters.database import Database
from adapters.outside import missing_records
from adapters.selfcheck import selfcheck
from tests.adapters.storage import attacks
from tests.adapters.storage.heads import Desk
from tests.adapters.storage.stores import Store
from tests.adapters.storage.witness_server import Witness

Attack = Callable[[Desk, Store], Awaitable[None]]


@pytest.fixture
def witness() -> Iterator[Witness]:
    with Witness() as running:
        yield running


@pytest.fixture
async def held(desk: Desk, witness: Witness, tmp_path: Path) -> Desk:
    """A Ledger of a dozen records under two checkpoints that a folder and a witness hold; its key is pinned."""
    (tmp_path / "safe").mkdir()
    log_vkey = await desk.checkpoints.log_vkey()
    (tmp_path / "log.vkey").write_text(log_vkey)
    witness.knows(log_vkey)
    desk.configure(
        log_vkey=str(tmp_path / "log.vkey"),
        folders={"safe": {"path": str(tmp_path / "safe")}},
        witnesses={"w1": {"url": witness.url, "vkey": witness.vkey}},
    )
    await desk.anchored(4)
    await desk.anchored(4)
    return desk


async def edit(_: Desk, store: Store) -> None:
    attacks.edited(store, 4)


async def delete(_: Desk, store: Store) -> None:
    attacks.deleted(store, 4)


async def reorder(_: Desk, store: Store) -> None:
    attacks.reordered(store, 4)


async def rewrite(_: Desk, store: Store) -> None:
    attacks.rewritten(store, 4)


async def rewrite_with_stolen_key(desk: Desk, store: Store) -> None:
    attacks.rewritten(store, 4)
    attacks.without_heads(store)
    await desk.checkpoints.at_least(1)


async def cut_records_only(_: Desk, store: Store) -> None:
    attacks.cut(store, 8)


async def cut_with_heads(_: Desk, store: Store) -> None:
    attacks.without_heads(store, 6)
    attacks.cut(store, 8)


async def cut_what_no_head_covers(desk: Desk, store: Store) -> None:
    await desk.write(5)
    attacks.cut(store, await desk.ledger.head() - 2)


@pytest.mark.parametrize(
    ("attack", "inside", "outside"),
    [
        (edit, "rejected", "nothing"),
        (delete, "rejected", "nothing"),
        (reorder, "rejected", "nothing"),
        (rewrite, "rejected", "nothing"),
        (rewrite_with_stolen_key, "internally consistent", "another history"),
        (cut_records_only, "rejected", "records are missing"),
        (cut_with_heads, "internally consistent", "records are missing"),
        (cut_what_no_head_covers, "internally consistent", "nothing"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
async def test_what_an_administrator_does_is_noticed_where_the_table_says(
    attack: Attack, inside: str, outside: str, held: Desk, store: Store
) -> None:
    whole = await held.verified()
    assert whole.word == "witnessed", whole
    await attack(held, store)
    configured = held.anchors
    held.configure()
    assert (await held.verified()).word == inside
    held.configure(**configured.model_dump(mode="python"))
    missing = await missing_records(held.ledger, held.checkpoints, held.places)
    if outside == "records are missing":
        assert len(missing) == 2, "the folder and the witness both say so"
        return
    assert missing == []
    if outside == "another history":
        found = await held.verified()
        assert found.word == "internally consistent", "never above it when a place outside disagrees"
        assert any("is not one of these" in note for note in found.notes)
        await held.write(1)
        await held.checkpoints.now()
        for place in held.places:
            with pytest.raises(AnchorFailed, match=r"another history|history was changed"):
                await held.keeper.hand_over_once(place)
        assert await held.checkpoints.forked()
        await held.write(1)  # appending goes on: a place outside must not be able to block a rollback


async def test_a_restored_copy_of_yesterday_is_refused_because_of_what_is_held_outside(
    held: Desk, store: Store
) -> None:
    attacks.without_heads(store, 6)
    attacks.cut(store, 6)
    (folder, witness) = await missing_records(held.ledger, held.checkpoints, held.places)
    for sentence in (folder, witness):
        assert "this database has 6: records 6 to " in sentence


async def test_a_trigger_that_was_weakened_is_named_although_nothing_was_changed(
    held: Desk, db: Database, store: Store
) -> None:
    attacks.trigger_changed(store)
    wrong = {one.name for one in await selfcheck(db) if not one.ok}
    assert "triggers" in wrong
    assert (await held.verified()).word == "witnessed", "the records themselves are as they were"


async def test_the_word_stays_where_no_key_is_pinned_or_nobody_outside_knows(held: Desk) -> None:
    held.configure(**(held.anchors.model_dump(mode="python") | {"log_vkey": None}))
    found = await held.verified()
    assert (found.word, found.keys) == ("internally consistent", "from the ledger")
    assert any("no key is pinned" in note for note in found.notes)


async def test_another_pinned_key_rejects(held: Desk, tmp_path: Path) -> None:
    with Witness() as other:
        held.configure(log_vkey=str(tmp_path / "other.vkey"))
        (tmp_path / "other.vkey").write_text(other.vkey)
    assert (await held.verified()).word == "rejected"


async def test_a_folder_alone_gives_anchored_up_to_its_size_and_counts_what_came_after(held: Desk) -> None:
    held.configure(log_vkey=held.anchors.log_vkey, folders=held.anchors.folders)
    await held.write(3)
    found = await held.verified()
    newest = await held.checkpoints.newest()
    assert newest is not None
    assert (found.word, found.size) == ("anchored", newest.size)
    assert found.uncovered == found.count - newest.size == 5  # two say that the checkpoint was taken


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (f"UPDATE ledger_checkpoint SET root = '{'0' * 64}'", "does not hold"),
        ("UPDATE ledger_checkpoint SET note = replace(note, 'test', 'best')", "does not hold"),
        ("DELETE FROM merkle_node WHERE level = 1 AND number = 0", "stored tree"),
        ("DELETE FROM merkle_node WHERE level = 0 AND number = 3", "another record 3"),
    ],
)
async def test_a_changed_checkpoint_or_tree_is_rejected(statement: str, says: str, held: Desk, store: Store) -> None:
    store.without_triggers(statement)
    found = await held.verified()
    assert found.word == "rejected"
    assert says in found.sentence
