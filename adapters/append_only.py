"""Is append-only still enforced? Triggers, rights, and a probe that tries to break the rule (storage.md §4).

Each check returns the sentence that people read, or raises `Weakened` with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import stat
from datetime import datetime
from pathlib import Path

from sqlalchemy import bindparam, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.sql.elements import TextClause

from adapters.database import Database, run_sql
from adapters.ledger import lock_chain
from adapters.tables import APPEND_ONLY, LedgerTable
from countermand.ledger.record import GENESIS_PREV

#: sha256 of the text of every trigger on an append-only table. A migration that changes one changes this too.
TRIGGERS: dict[str, dict[str, str]] = {
    "sqlite": {
        "evidence_blob_guard": "96838435fcbc09da832f7b132dbe59440158a20ba9eac8b74e089e4a525247b6",
        "evidence_blob_no_delete": "e1357dbe5a3a06b1aa3ac58c0fc00e3a89ef8ea2a66407180ef954cf0ed2f22e",
        "evidence_blob_no_update": "ef4102baeabe5f303ef2c040b8f061450bc9ad21a22afadbf2a1af7c2fca9628",
        "ledger_anchor_guard": "fa86eaf97cecaebaa2ddd63ef87ff500f69a411c9493b02f453d39a9c0335c61",
        "ledger_anchor_no_delete": "e76d2a3928dcb24f6505f23c6f250bddf1489788d5e0479509e85a18c83f8e3a",
        "ledger_anchor_no_update": "78d820333959eabb8af729c8cc3dd7b012ed7fee87339ac2210ed671d4c9607d",
        "ledger_checkpoint_guard": "f2045f82d44e04656f836e15fcb61cbd9912f7b40cd6a30fedbee168eea1eda6",
        "ledger_checkpoint_no_delete": "536a19f22c0c1b5a5167935c6644ca4416b9dcca7eddc9592e0f743723844d23",
        "ledger_checkpoint_no_update": "10b87a9f2bbd78c27c9598ec6d6864e197ea6b8e3e3a7a8b23b62e92eda267ce",
        "ledger_cosignature_guard": "883644fd65c2ffb633102fcb20efa2ca97f220fc40b2cb718cf9533528a25a70",
        "ledger_cosignature_no_delete": "d628f3045d651699381a501eb89fabd5c2a9524d3574b18acde252ae4cbac763",
        "ledger_cosignature_no_update": "fad62905dde4531749c5704fa643904b2348177641ac8508d7d30ac3412f48b5",
        "ledger_record_guard": "bc3f1f27838399085c73e08a5fa7f4627861a82461a4503741d924a5767ae893",
        "ledger_record_no_delete": "bf299b5a9b7306dc575ca191124e6e0984d726cb6da764f8038dd4a1d3dc0375",
        "ledger_record_no_update": "f189be1846184642cc4d27f674f7c9bd3c334ac7bbaa107b43ae32db2d588522",
        "merkle_node_guard": "b00ae8358faaa9c889bb065d0a0da1ab8d5c39ada165dcae692c69dbde6500a8",
        "merkle_node_no_delete": "e5ce4cb70e8bb21995ad2ef0fbafc416726ceee3477a1727c44aab91480b9397",
        "merkle_node_no_update": "517a79393d87dc5a57cc76847e7a1fda4f4d3a6e7917d564d810cb8988098335",
        "playbook_version_guard": "9734dfe8f0da3b62f95c73ae79202a83ec3e763c30664d707a8da4e6954999c0",
        "playbook_version_no_delete": "03805ed7d11aa13f99bb4eb4f251b9aa8befd1826b65a22a1d471cfc2658503d",
        "playbook_version_no_update": "f21f42388261755926901e2a550ac508df2cbabc97d5136a32990594d8a3ec15",
        "signal_block_guard": "0959792d5cf48d88ab7e991e1b9bddd15615b5af4ee245b61acee647fc35e31b",
        "signal_block_late_guard": "d49d7129bfea60c2b432e49ec8722b224898b1b20b433fe04e0480e4b5653371",
        "signal_block_late_no_delete": "50b7a1b4adf6b3b2919ce8ff8f80a012fe9b6ec4587144ab424f3bb361c98538",
        "signal_block_late_no_update": "8d89d9026f2f7ef5188a1b2c801d410a1899da6d7d824592dd3eb5f901f43e1a",
        "signal_block_no_delete": "44088a97d7ee45ad3373f1a09cb7999d0e3ea1e27ba345629e62b1c0c6970a95",
        "signal_block_no_update": "8a89d6387317d6c8634b5f2b6e16a1d8fca4740f0d9dd6efaa908d6875f2c79b",
    },
    "postgresql": {
        "evidence_blob_append_only": "2745048df4a3962f9dafdca4a5bcbf18b2b98e09a51b58a8fff6a58a26dfde59",
        "ledger_anchor_append_only": "86bed29e88c826420517bf80663cfed7f7fc989348903c7a49e0546a87b75e91",
        "ledger_checkpoint_append_only": "37a6c6965cc498e4a00920e2929cb6d6c1bb5f186e53a7f7a5cc53d1be501916",
        "ledger_cosignature_append_only": "54a1f0bab9f4d4e46a54eca71561abf8c026fd755df7923ccfd56b3455efe4d6",
        "ledger_record_append_only": "533ca5dc98ba91f17ce402d0dd001032558d0c8405a4792b9be203f69766508e",
        "ledger_record_guard": "0deb40053874b045fa7cac8ff3ee1d298bdc2076d8d68a28b2e453d26a354420",
        "merkle_node_append_only": "ee06dc3f6f43d6894e7a81bde00ab347991b6d70900c80f8610a220ed2aec322",
        "playbook_version_append_only": "e1cb1fcb4d49f278c123b3301d234d4a1135835dbc42ad404ce744b497f99cd5",
        "signal_block_append_only": "28007d20aebbf2d91d7ff7cc9f9770adbf779acd71c0cd134fcd6e98a9e54714",
        "signal_block_late_append_only": "2cd91af8377a54646f9ce331563143b3e32534fb2ec2140ec9287fa5501b31f4",
    },
}


_NOT_ALWAYS = "does not always fire"


class Weakened(Exception):
    """A promise of the store that does not hold."""


def _about_tables(query: str) -> TextClause:
    return text(query).bindparams(bindparam("tables", APPEND_ONLY, expanding=True))


_TRIGGER_TEXTS = {
    "sqlite": _about_tables("SELECT name, 'A', sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables"),
    "postgresql": _about_tables(
        "SELECT t.tgname, t.tgenabled::text, pg_get_triggerdef(t.oid, true) || p.prosrc "
        "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND c.relname IN :tables"
    ),
}
_GRANTED = _about_tables(
    "SELECT relname, pg_has_role(relowner, 'USAGE'), has_any_column_privilege(oid, 'UPDATE'), "
    "has_table_privilege(oid, 'DELETE'), has_table_privilege(oid, 'TRUNCATE') FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace AND relname IN :tables ORDER BY relname"
)


async def triggers(db: Database, _now: datetime) -> str:
    """Every trigger is there, enabled and unchanged, and there is no other one."""
    wanted = TRIGGERS[db.dialect]
    found = await trigger_digests(db)
    wrong = [f"{name} is missing" for name in wanted if name not in found]
    wrong += [f"{name} is not ours" for name in found if name not in wanted]
    wrong += [
        f"{name} {_NOT_ALWAYS if found[name] == _NOT_ALWAYS else 'has another text'}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    if wrong:
        raise Weakened(f"Append-only is not enforced: {', '.join(sorted(wrong))}.")
    return f"All {len(wanted)} triggers are present, always fire and have their text."


async def trigger_digests(db: Database) -> dict[str, str]:
    """Of every trigger on an append-only table: sha256 of its text, or `does not always fire`."""
    async with db.reading() as session:
        found = await run_sql(session, _TRIGGER_TEXTS[db.dialect])
        # 'A' = ALWAYS: anything less is silent in a session that plays a replica.
        return {
            name: hashlib.sha256(sql.encode()).hexdigest() if enabled == "A" else _NOT_ALWAYS
            for name, enabled, sql in found
        }


async def rights(db: Database, _now: datetime) -> str:
    """SQLite: the file is its owner's alone. PostgreSQL: our role can neither change nor own the tables."""
    if db.dialect == "sqlite":
        status = await asyncio.to_thread(Path(db.url.database or "").stat)
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise Weakened(f"The database file {db.url.database} has mode {mode:04o}; others can reach it.")
        return f"The database file has mode {mode:04o}."
    async with db.reading() as session:
        role = (await run_sql(session, "SELECT current_user")).scalar_one()
        rows = (await run_sql(session, _GRANTED)).all()
    wrong = [
        f"{word} {table}"
        for table, *granted in rows
        for word, has in zip(("owns", "may UPDATE", "may DELETE", "may TRUNCATE"), granted, strict=True)
        if has
    ]
    if wrong:
        raise Weakened(f"The role {role!r} can change history: it {', '.join(wrong)}.")
    return f"The role {role!r} may read the append-only tables and add to them, nothing else."


async def probe(db: Database, _now: datetime) -> str:
    """An UPDATE and a DELETE of a record are really refused; whatever happened is taken back."""
    statements = {
        "UPDATE": "UPDATE ledger_record SET line = 'changed' WHERE seq = :seq",
        "DELETE": "DELETE FROM ledger_record WHERE seq = :seq",
    }
    done = []
    async with db.writing() as session:
        await lock_chain(session, db.dialect)
        found = await run_sql(session, "SELECT seq, hash FROM ledger_record ORDER BY seq DESC LIMIT 1")
        newest = found.first()
        seq, prev = (newest.seq + 1, newest.hash) if newest else (0, GENESIS_PREV)
        # The probe attacks a record of its own, so that nothing of value is lost when the attack succeeds.
        nothing_stays = await session.begin_nested()
        session.add(
            LedgerTable(
                seq=seq,
                at="",
                kind="probe",
                incident_id=None,
                release_id=None,
                idem_key=secrets.token_hex(32),
                line="",
                prev=prev,
                hash=secrets.token_hex(32),
            )
        )
        await session.flush()
        for word, statement in statements.items():
            try:
                async with session.begin_nested():
                    await run_sql(session, statement, seq=seq)
                done.append(word)
            except (IntegrityError, ProgrammingError):
                continue
        await nothing_stays.rollback()
    if done:
        raise Weakened(f"A probe {' and '.join(done)} of a record was not refused (and was taken back).")
    return "A probe UPDATE and DELETE of a record were refused."
