"""What somebody with every right on the database can do to the Ledger."""

from __future__ import annotations

import json

from countermand.canonical import canonical
from countermand.ledger.record import GENESIS_PREV, line_hash
from tests.adapters.storage.stores import Store

HEADS = ("ledger_anchor", "ledger_cosignature", "ledger_checkpoint")


def edited(store: Store, seq: int) -> None:
    """One word of one line is another one."""
    store.without_triggers(f"UPDATE ledger_record SET line = replace(line, 'worker', 'forger') WHERE seq = {seq}")


def deleted(store: Store, seq: int) -> None:
    store.without_triggers(f"DELETE FROM ledger_record WHERE seq = {seq}")


def reordered(store: Store, seq: int) -> None:
    """Two neighbours change places."""
    store.without_triggers(
        f"UPDATE ledger_record SET seq = 1000000 WHERE seq = {seq}",
        f"UPDATE ledger_record SET seq = {seq} WHERE seq = {seq + 1}",
        f"UPDATE ledger_record SET seq = {seq + 1} WHERE seq = 1000000",
    )


def rewritten(store: Store, seq: int) -> None:
    """From `seq` on every line says something else, and every link fits again."""
    with store.raw(store.owner_url) as connection:
        lines = [row[0] for row in connection.execute("SELECT line FROM ledger_record ORDER BY seq").fetchall()]
    prev, statements = GENESIS_PREV, []
    for number, line in enumerate(lines):
        fields = json.loads(line)
        fields["prev"] = prev
        if number == seq:
            fields["actor"] = "forger"
        made = canonical(fields).decode()
        prev = line_hash(made)
        quoted = made.replace("'", "''")
        statements.append(
            f"UPDATE ledger_record SET line = '{quoted}', prev = '{fields['prev']}', hash = '{prev}' "
            f"WHERE seq = {number}"
        )
    store.without_triggers(*statements)


def without_heads(store: Store, above: int = 0) -> None:
    """Every checkpoint above a size, its nodes, and what is known of it outside, are gone."""
    store.without_triggers(
        *(f"DELETE FROM {table} WHERE tree_size > {above}" for table in HEADS),
        f"DELETE FROM merkle_node WHERE (number + 1) * (1 << level) > {above}",
    )


def cut(store: Store, size: int) -> None:
    """Only the first `size` records are left."""
    store.without_triggers(f"DELETE FROM ledger_record WHERE seq >= {size}")


def trigger_changed(store: Store) -> None:
    """A trigger stands where it stood and lets everything through."""
    with store.raw(store.owner_url) as connection:
        if store.dialect == "sqlite":
            connection.execute("DROP TRIGGER ledger_record_no_update")
            connection.execute(
                "CREATE TRIGGER ledger_record_no_update BEFORE UPDATE ON ledger_record BEGIN SELECT 1; END"
            )
        else:
            connection.execute("ALTER TABLE ledger_record DISABLE TRIGGER ledger_record_append_only")
