"""The container of a pack: one ZIP for one set of files, byte for byte (EVD-17)."""

from __future__ import annotations

from countermand.evidence.verify import safe_paths, zip_bytes

#: The verifier rebuilds the container with the same function and compares; it is read in `verify.py`.
__all__ = ["safe_paths", "zip_bytes"]
