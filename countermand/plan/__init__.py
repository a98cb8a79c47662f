"""The Plan: exact content of a proposed revert, its stages, and what counts as having happened."""
