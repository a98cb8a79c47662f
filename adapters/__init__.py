"""The vendors: one file per outside system, each behind a port of `activities/ports.py`."""
