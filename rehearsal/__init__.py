"""Rehearsals: the same workflows and rules on fakes, behind a fence that types hold."""
