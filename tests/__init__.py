"""Tests, by kind: rules, activities, workflows, replay, adapters, console, end to end."""
