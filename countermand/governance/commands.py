"""Signed commands of people (hold, resume, abort, reverse, ask again): which one is open now, and who may give it."""

from __future__ import annotations

from collections.abc import Iterable

from countermand.governance.approval import MIN_REASON
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory


class CommandBox:
    """Holds at most one command that was accepted and not yet taken. Deterministic, no I/O."""

    def __init__(self, workflow_id: str, incident_id: str) -> None:
        self._workflow_id = workflow_id
        self._incident_id = incident_id
        self._used: set[str] = set()
        self._keys: GatewayKeys | None = None
        self._directory: Directory | None = None
        self._open: frozenset[DecisionKind] = frozenset()
        self._waiting: Decision | None = None

    def trust(self, keys: GatewayKeys, directory: Directory) -> None:
        """From now on accept commands signed by these keys from people of this directory."""
        self._keys, self._directory = keys, directory

    def open(self, kinds: Iterable[DecisionKind]) -> None:
        """Accept these kinds, and no others, until called again."""
        self._open = frozenset(kinds)

    @property
    def given(self) -> bool:
        return self._waiting is not None

    def check(self, decision: Decision) -> None:
        """Raise Refused unless this command counts now."""
        if self._keys is None or self._directory is None:
            raise Refused(Refusal.wrong_state, "the incident is just starting.", "Try again in a few seconds.")
        self._keys.verify(decision)
        if (decision.addressed_to, decision.incident_id) != (self._workflow_id, self._incident_id):
            raise Refused(
                Refusal.unknown_ask, f"this command is for {decision.addressed_to!r}.", "Reload the incident."
            )
        if decision.actor.principal != "person":
            raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in.")
        if decision.decision_id in self._used:
            raise Refused(Refusal.already_decided, "this command was given before.", "Give a new one.")
        if decision.kind not in self._open or self._waiting is not None:
            now = ", ".join(sorted(kind.value.replace("_", " ") for kind in self._open)) or "nothing"
            raise Refused(
                Refusal.wrong_state,
                f"{decision.kind.value.replace('_', ' ')} is not possible now.",
                f"Possible now: {now}.",
            )
        self._directory.permit(decision.kind, decision.actor.roles)
        if len(decision.reason.strip()) < MIN_REASON:
            raise Refused(
                Refusal.reason_too_short,
                f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
                "Say in a sentence why; it stands in the record.",
            )

    def give(self, decision: Decision) -> None:
        """Accept a checked command."""
        self.check(decision)
        self._used.add(decision.decision_id)
        self._waiting = decision

    def take(self) -> Decision | None:
        """The waiting command, once."""
        decision, self._waiting = self._waiting, None
        return decision
