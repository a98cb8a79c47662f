"""Declarations of people that reach an incident which is open already: they join it."""

from __future__ import annotations

from countermand.governance import declaring
from countermand.governance.decision import Decision, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import RightsTable
from countermand.ledger.bodies import VerdictChanged
from countermand.playbook.terms import Severity


class StatementBox:
    """Says which declarations count. Deterministic, no I/O. `opened_by`: the decision that opened the incident; it is
    read from the Ledger, not here."""

    def __init__(self, workflow_id: str, incident_id: str, opened_by: str | None) -> None:
        self._workflow_id = workflow_id
        self._incident_id = incident_id
        self._opened_by = opened_by
        self._used: set[str] = set()
        self._worst: dict[tuple[str, declaring.Mode], Severity] = {}
        self._trusted: tuple[GatewayKeys, Directory, RightsTable] | None = None
        self._closed = False

    def trust(self, keys: GatewayKeys, directory: Directory, rights: RightsTable) -> None:
        """From now on accept declarations signed by these keys from people of this directory."""
        self._trusted = (keys, directory, rights)

    def close(self) -> None:
        """Accept none any more."""
        self._closed = True

    def opens(self, decision: Decision) -> bool:
        """Whether this is the declaration that the incident was opened with."""
        return decision.decision_id == self._opened_by

    def check(self, decision: Decision) -> None:
        """Raise Refused unless this declaration counts now."""
        if self.opens(decision):
            return
        if self._trusted is None:
            raise Refused(Refusal.wrong_state, "the incident is just starting.", "Try again in a few seconds.")
        keys, directory, rights = self._trusted
        keys.verify(decision)
        if (decision.addressed_to, decision.incident_id) != (self._workflow_id, self._incident_id):
            raise Refused(
                Refusal.stale,
                f"incident {self._incident_id!r} was opened a moment ago.",
                "Look at it; if you still have something to add, declare again.",
            )
        if decision.decision_id in self._used:
            raise Refused(Refusal.already_decided, "this was said before.", "Nothing is needed.")
        if self._closed:
            raise Refused(Refusal.wrong_state, "the incident is being closed.", "Declare again in a few seconds.")
        said = declaring.declared(decision)
        declaring.check(decision, directory, declaring.right_to(decision.kind, said.severity, rights, said.mode))
        # Each declaration makes people decide anew: repeating one must not keep them from it (T17).
        before = self._worst.get(self._voice(decision, said.mode, directory))
        if before is not None and before <= said.severity:
            raise Refused(
                Refusal.already_decided,
                f"you declared this before, as {before.value}.",
                "It stands in the incident; declare again if it is more severe.",
            )

    def give(self, decision: Decision) -> VerdictChanged:
        """Accept a declaration; returns it in words, as the verdict that joins the incident."""
        self.check(decision)
        self._used.add(decision.decision_id)
        if self._trusted is not None:
            said = declaring.declared(decision)
            self._worst[self._voice(decision, said.mode, self._trusted[1])] = said.severity
        return declaring.statement(decision)

    @staticmethod
    def _voice(decision: Decision, mode: declaring.Mode, directory: Directory) -> tuple[str, declaring.Mode]:
        """One person with one thing to say, whatever account they use."""
        return directory.principal_of(decision.actor.subject), mode
