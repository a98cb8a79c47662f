"""Which release the labels of an alert name (SRC-20)."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.alert_values import Alert
from adapters.source_settings import Matching
from countermand.plan.model import Release


def versions(release: Release) -> frozenset[str]:
    """What only the candidate is called: its name, and its members that the baseline does not share."""
    changed = release.candidate.differs_from(release.baseline)
    found = {release.candidate.name, *(getattr(release.candidate, member) for member in changed)}
    return frozenset(found - {release.baseline.name})


def is_about(labels: Mapping[str, str], release: Release, matching: Matching) -> bool:
    """Do the labels of an alert name this release or its candidate, in its environment?"""
    if matching.environment_label and labels.get(matching.environment_label) != release.environment:
        return False
    accepted = {matching.release_label: {release.release_id}, matching.version_label: versions(release)}
    named = [labels[label] in values for label, values in accepted.items() if label and label in labels]
    return bool(named) and all(named)


def why_unmatched(alert: Alert, matching: Matching) -> str:
    """The sentence that people read about an alert that no watched release fits."""
    names = (matching.release_label, matching.version_label, matching.environment_label)
    said = [f"{name}={alert.labels[name][:100]!r}" for name in names if name in alert.labels]
    if said:
        return f"no watched release fits {', '.join(said)}"
    return f"it carries none of the labels {', '.join(name for name in names if name)}"
