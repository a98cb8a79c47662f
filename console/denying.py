"""What `decide()` does with the denial of a version: it is recorded at once, and no workflow is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from activities.ports import Ledger
from countermand import ids
from countermand.governance import denying
from countermand.governance.decision import Decision
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right
from countermand.governance.shipped import rights_in_force
from countermand.playbook.terms import Severity
from workflows.decisions import Answer


@dataclass(frozen=True)
class VersionMatter:
    """A version in an environment, as far as a decision about it asks: it belongs to no incident and no release."""

    digest: str
    environment: str
    incident_id: str = ""
    release_id: str = ""

    @classmethod
    def of(cls, terms: dict[str, str]) -> VersionMatter:
        return cls(terms.get("digest", ""), terms.get("environment", ""))

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment=self.environment, severity=min(Severity))

    @property
    def addressee(self) -> str:
        """What the decision is for: the lists of the environment."""
        return ids.version(self.environment, self.digest)


def right(directory: Directory) -> Right:
    """The row of the table in force."""
    return rights_in_force(directory.governance).row(Action.deny_version, min(Severity))


async def deny(ledger: Ledger, decision: Decision, directory: Directory) -> Answer:
    """Record it; the same decision again counts once. Raises Refused."""
    denying.check(decision, directory, right(directory))
    body = denying.denied(decision)
    await ledger.append(body.entry(ids.version_denied(decision.decision_id), decision.actor.subject))
    return Answer(status="denied", sentence=f"{body.digest} is on the deny list of {body.environment}.")
