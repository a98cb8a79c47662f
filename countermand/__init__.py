"""The rules of Countermand and its command line: pure, installable, no Temporal, no database, no servers."""

__version__ = "0.1.0"
