"""Reporting clocks: what may have to be told to whom by when, computed from records and data. Not legal advice."""
