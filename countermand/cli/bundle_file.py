"""A manifest as people write it: YAML or JSON in which a part may name a local file instead of a digest."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject

_MEDIA_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def read(file: Path) -> tuple[str, JsonObject]:
    """(digest of the bundle, `{"manifest": …, "contents": {part: base64}}`) of a manifest file.

    Parts with a `file` get digest, size and media type from it, and their bytes are in `contents` when they are small
    enough to be kept. Raises Failure.
    """
    from pydantic import ValidationError

    from countermand.compare.manifest import MAX_CONTENT, Manifest, ManifestRefused, check_contents

    document = _loaded(file)
    raw: dict[str, bytes] = {}
    parts = document.get("parts")
    for name, part in parts.items() if isinstance(parts, dict) else ():
        if isinstance(part, dict) and "file" in part:
            raw[name] = _filled(file, part)
    try:
        manifest = Manifest.model_validate(document)
        kept = {name: content for name, content in raw.items() if len(content) <= MAX_CONTENT}
        check_contents(manifest, kept)  # type: ignore[arg-type]  # names of parts that parsed
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = "/".join(map(str, first["loc"])) or "the manifest"
        raise _unusable(file, f"{where}: {first['msg']}") from None
    except ManifestRefused as error:
        raise _unusable(file, str(error)) from None
    encoded = {name: base64.b64encode(content).decode() for name, content in kept.items()}
    return manifest.bundle.digest, {"manifest": manifest.document, "contents": encoded}


def _loaded(file: Path) -> JsonObject:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe").load(file.read_bytes())
    except OSError as error:
        raise _unusable(file, f"it cannot be read ({error.strerror})", Exit.usage) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise _unusable(file, f"it is no YAML: {' '.join(str(error).split())}") from None
    if document is None:
        raise _unusable(file, "it is empty")
    if not isinstance(document, dict):
        raise _unusable(file, f"it holds {type(document).__name__}, not keys and values")
    return document


def _filled(file: Path, part: dict[str, Any]) -> bytes:
    """The bytes of the file that a part names; the part gets what follows from them."""
    from countermand.canonical import digest_bytes

    place = file.parent / str(part.pop("file"))
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise _unusable(file, f"{str(place)!r} cannot be read ({error.strerror})", Exit.usage) from None
    part.setdefault("digest", digest_bytes(raw))
    part.setdefault("size", len(raw))
    part.setdefault("media_type", _MEDIA_TYPES.get(place.suffix.lower(), "application/octet-stream"))
    if part["digest"] != digest_bytes(raw):
        raise _unusable(file, f"{str(place)!r} has {digest_bytes(raw)}, the manifest says {part['digest']!r}")
    return raw


def _unusable(file: Path, why: str, code: Exit = Exit.failed) -> Failure:
    return Failure(
        code, f"{str(file)!r} cannot be used: {why}", accepted="a manifest, countermand.bundle/v1 (docs/compare.md)"
    )
