"""Rehearsals as data: the scenario, what a run of it left behind, and what follows from both. Pure."""
