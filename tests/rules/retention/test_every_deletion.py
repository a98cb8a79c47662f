"""Nothing deletes without asking whether it may, and nobody adds such a path unnoticed (OBL-29, STO-16)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]

#: Functions that delete what a hold can cover; each asks `may_delete` before.
GUARDED = {
    "adapters/retention.py:delete_texts": ("adapters/retention.py", "adapters/erasure.py"),
    "adapters/erasure.py:_destroy_again": ("adapters/erasure.py",),
    "adapters/erasure.py:_delete_views": ("adapters/erasure.py",),
    "adapters/sample_purge.py:_batch": ("adapters/sample_purge.py",),
}
#: Functions that delete what is no evidence, and why.
EXEMPT = {
    "adapters/accounts.py:start_session": "sessions that are over",
    "adapters/accounts.py:end_session": "the session that its owner ends",
    "adapters/webhook_deliveries.py:claim": "answers kept against replay",
    "adapters/slack_inbox.py:take_abandoned": "what Slack delivered and was answered",
    "adapters/step_ups.py:ask": "challenges that nobody answered",
    "adapters/selfcheck.py:_write": "the row that it wrote itself",
    "adapters/append_only.py:probe": "its own record, in a savepoint that is taken back",
}


def deleting() -> set[str]:
    """Every function of ours with a DELETE in it, as `file:function`."""
    found = set()
    for folder in ("adapters", "activities", "console", "workflows", "countermand"):
        for path in (ROOT / folder).rglob("*.py"):
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _deletes(function):
                    found.add(f"{path.relative_to(ROOT)}:{function.name}")
    return found


def _deletes(function: ast.AST) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "delete":
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value.upper()
            if said.startswith(("DELETE FROM", "TRUNCATE ", "DROP TABLE")):
                return True
    return False


def test_obl_29_every_function_that_deletes_is_known() -> None:
    assert deleting() == {*GUARDED, *EXEMPT}


def test_obl_29_every_guarded_deletion_asks_first() -> None:
    for places in GUARDED.values():
        for place in places:
            assert "may_delete(" in (ROOT / place).read_text(), place
    callers = {
        str(path.relative_to(ROOT)) for path in (ROOT / "adapters").glob("*.py") if "delete_texts(" in path.read_text()
    }
    assert callers == set(GUARDED["adapters/retention.py:delete_texts"])
