"""Who is at work in a rehearsal: the sandbox's governance file, and how it changes while the story goes on."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from adapters.database import utc_now
from countermand.canonical import instant
from countermand.governance.limits import Limits
from countermand.playbook.model import Playbook
from countermand.playbook.units import format_duration
from countermand.rehearsal.run import subject_of
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.world import DirectoryChange

#: Who may command what, as in the first governance file of a new installation.
_RIGHTS = {
    "withdraw": ["incident_commander", "safety_lead"],
    "hold": ["incident_commander", "operator", "safety_lead"],
    "resume": ["incident_commander", "safety_lead"],
    "abort": ["incident_commander", "executive"],
    "reverse": ["incident_commander"],
    "ask_again": ["incident_commander", "safety_lead"],
    "proceed_incomplete": ["incident_commander", "safety_lead"],
}
#: The least soak before an automatic way back goes on: machines wait for it, so it is divided like theirs.
_FIRST_SOAK = Limits().first_stage_soak
#: Makes and reads the evidence of a rehearsal; nobody of its story.
ARCHIVIST = subject_of("archivist")
#: Everybody who is named somewhere must hold some role; this one has no rights.
_NOBODY = "observer"


def _needed(playbook: Playbook) -> set[str]:
    """Roles without which nobody could ever approve, sign or command."""
    quorums = [policy.quorum for policy in playbook.approvals.values()] + [playbook.review.sign_off]
    commanding = {"release_owner", "incident_commander", "executive"}
    return {slot.role for quorum in quorums for slot in quorum.roles} | commanding


class Shifts:
    """`names`: printed name by subject. Everybody of the scenario, the account that releases, and somebody off duty for
    each role that the playbook needs and nobody on the shift holds."""

    def __init__(self, scenario: Scenario, playbook: Playbook, file: Path, time_scale: int) -> None:
        self._scale = time_scale
        self._file = file
        people = (*scenario.persons, scenario.requester)
        self.names = {subject_of(person): person.replace("_", " ").title() for person in dict.fromkeys(people)}
        self._roles = {subject_of(person): list(scenario.roles_of(person)) for person in dict.fromkeys(people)}
        lost = {change.role for change in scenario.world.directory if change.do in ("remove", "silent")}
        self._present = frozenset(self._roles)
        for role in sorted((_needed(playbook) - set(scenario.roles)) | lost):
            away = subject_of(f"off-duty-{role}")
            self.names[away], self._roles[away] = f"{role.replace('_', ' ').title()} (off duty)", [role]
        self.names[ARCHIVIST] = "Archivist"
        self._roles[ARCHIVIST] = ["compliance_officer"]
        self._delegations: list[dict[str, Any]] = []

    def roles_of(self, subject: str) -> tuple[str, ...]:
        """The roles that somebody holds now."""
        return tuple(self._roles.get(subject, ()))

    def on_duty(self, subject: str) -> bool:
        """Whether somebody takes part: neither off duty nor of the sandbox itself."""
        return subject in self._present

    def holder(self, role: str) -> str:
        """Somebody who holds the role; anybody at all when nobody does."""
        return next((who for who, roles in self._roles.items() if role in roles), next(iter(self._roles)))

    def document(self) -> str:
        """The governance file as it is now."""
        document: dict[str, Any] = {
            "schema": "countermand.governance/v1",
            "playbooks": {"adoption": "open"},
            "people": [
                {"subject": who, "name": self.names[who], "roles": roles or [_NOBODY]}
                for who, roles in self._roles.items()
            ],
            "rights": _RIGHTS,
            "limits": {"first_stage_soak": format_duration(_FIRST_SOAK / self._scale)},
        }
        if self._delegations:
            document["delegations"] = self._delegations
        out = io.StringIO()
        YAML(typ="safe", pure=True).dump(document, out)
        return out.getvalue()

    async def change(self, change: DirectoryChange) -> None:
        """Somebody gets or loses a role, lends it, or the file cannot be read any more."""
        who = subject_of(change.person) if change.person else ""
        match change.do:
            case "add":
                self._roles[who].append(change.role)
            case "remove":
                self._roles[who] = [role for role in self._roles[who] if role != change.role]
            case "delegate":
                self._delegations.append(self._lent(change, who))
            case "end_delegation":
                for one in self._delegations:
                    if one["delegator"] == who:
                        one["revoked_at"] = instant(utc_now())
            case "silent":
                self._file.write_text("# this file is being written by somebody else\n")
                return
        self._file.write_text(self.document())

    def _lent(self, change: DirectoryChange, who: str) -> dict[str, Any]:
        now = utc_now()
        return {
            "id": f"lent-{len(self._delegations) + 1}",
            "delegator": who,
            "delegate": subject_of(change.to or ""),
            "roles": [change.role],
            "releases": "any",
            "environments": "any",
            "severities": "any",
            "granted_at": instant(now),
            "not_before": instant(now),
            "not_after": instant(now + (change.for_ or timedelta(hours=1))),
            "reason": "Lent in a rehearsal.",
        }
