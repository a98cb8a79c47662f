"""The Ledger: append-only records, chained by hash, that a stranger can check with `sha256sum`."""
