"""Uses of break-glass that reach a running incident: may this person, and is there anything left to do?"""

from __future__ import annotations

from countermand.governance import break_glass
from countermand.governance.decision import Decision, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right


class GlassBox:
    """Holds at most one use that was accepted and not yet acted on. Deterministic, no I/O."""

    def __init__(self, workflow_id: str, incident_id: str) -> None:
        self._workflow_id = workflow_id
        self._incident_id = incident_id
        self._used: set[str] = set()
        self._trusted: tuple[GatewayKeys, Directory, Right] | None = None
        self._useless = ""
        self._waiting: Decision | None = None

    def trust(self, keys: GatewayKeys, directory: Directory, right: Right) -> None:
        """From now on accept uses signed by these keys from people of this directory. `right`: row `break_glass`."""
        self._trusted = (keys, directory, right)

    def close(self, why: str) -> None:
        """Accept none any more; `why` is what people hear."""
        self._useless = why

    def reopen(self) -> None:
        """Accept one again: there may be something to do."""
        self._useless = ""

    @property
    def broken(self) -> bool:
        return self._waiting is not None

    def check(self, decision: Decision, *, eligible: bool | None = True) -> None:
        """Raise Refused unless this use counts now. `eligible`: whether the last known good version is, as far as it
        has been looked at."""
        if self._trusted is None:
            raise Refused(Refusal.wrong_state, "the incident is just starting.", "Try again in a few seconds.")
        keys, directory, right = self._trusted
        keys.verify(decision)
        if (decision.addressed_to, decision.incident_id) != (self._workflow_id, self._incident_id):
            raise Refused(Refusal.unknown_ask, f"this is for {decision.addressed_to!r}.", "Reload the incident.")
        if decision.decision_id in self._used:
            raise Refused(Refusal.already_decided, "this was done before.", "Open the incident to see what happens.")
        wanted = break_glass.asked_for(decision, target_eligible=eligible)
        if wanted is None:
            said, known = decision.terms.get("emergency", ""), ", ".join(break_glass.Emergency)
            raise Refused(Refusal.wrong_state, f"emergency {said!r} is not known.", f"Accepted: {known}.")
        break_glass.check(wanted, decision, directory, right)
        if self._useless:
            raise Refused(Refusal.wrong_state, self._useless, "Nothing is left to stop or to take back.")
        if self._waiting is not None:
            raise Refused(Refusal.already_decided, "somebody has just broken the glass.", "Reload the incident.")

    def give(self, decision: Decision, *, eligible: bool | None = True) -> None:
        """Accept a use."""
        self.check(decision, eligible=eligible)
        self._used.add(decision.decision_id)
        self._waiting = decision

    def take(self) -> Decision:
        """The waiting use, once. Raises RuntimeError when there is none."""
        if self._waiting is None:
            raise RuntimeError("nobody has broken the glass")
        decision, self._waiting = self._waiting, None
        return decision
