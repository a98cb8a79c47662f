"""What `decide()` does with a window for unannounced rehearsals: the signed decision itself is the window."""

from __future__ import annotations

from dataclasses import dataclass

from countermand import ids
from countermand.governance.decision import Decision
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.messages.facts import utc
from countermand.playbook.terms import Severity
from countermand.rehearsal import windows
from workflows.decisions import Answer


@dataclass(frozen=True)
class WindowMatter:
    """It belongs to no incident and no release."""

    incident_id: str = ""
    release_id: str = ""

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment="", severity=min(Severity))

    @property
    def addressee(self) -> str:
        """What the decision is for: the windows."""
        return ids.REHEARSAL_WINDOWS

    def check(self, decision: Decision, directory: Directory) -> None:
        """Raises Refused unless this person may open this window; asked before anything is recorded."""
        windows.check(decision, directory)


def opened(decision: Decision, directory: Directory) -> Answer:
    """What a person reads about it."""
    window = windows.check(decision, directory)
    return Answer(
        status="opened",
        sentence=f"{window.scenario} may be rehearsed unannounced from {utc(window.begins)} to {utc(window.until)}. "
        f"Who knows: {window.known}. Outside of this window nobody is paged.",
    )
