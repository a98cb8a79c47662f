"""One module per kind of signal: how it reads a row, bets on it and learns from it (detection.md §4)."""
