"""Benchmarks: each prints a ratio to a floor or a peer of the same run, because machines are noisy."""
