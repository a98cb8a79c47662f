"""`python -m console.openapi` writes the description of the JSON API to docs/openapi.json (CON-25)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from console.app import create_app
from console.deps import Console

FILE = Path(__file__).parent.parent / "docs" / "openapi.json"


def main() -> None:
    """Only the routes are looked at, so the application needs none of its dependencies."""
    description = create_app(cast(Console, None)).openapi()
    FILE.write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
