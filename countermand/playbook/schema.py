"""The JSON Schema of playbooks, for completion and checks while people type.

`python -m countermand.playbook.schema` writes docs/playbook.schema.json. An editor checks shape only; what
belongs together across keys is checked by `load.problems`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from countermand.playbook.model import SCHEMA, Playbook

FILE = Path(__file__).parents[2] / "docs" / "playbook.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a playbook file, with a title and description for every key."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('.', ':').replace('/', ':')}",
        **Playbook.model_json_schema(by_alias=True, mode="validation"),
        "title": f"Countermand playbook ({SCHEMA})",
    }


def text() -> str:
    """The content of docs/playbook.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
