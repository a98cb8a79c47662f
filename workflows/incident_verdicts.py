"""What was measured and said about one incident, in the order it came."""

from __future__ import annotations

import asyncio

from countermand.detection.models import VerdictWord
from countermand.governance.gating import only_unfair, unfair
from countermand.ledger.bodies import VerdictChanged
from countermand.playbook.model import Playbook, Severity
from workflows.scribe import Scribe


class Verdicts:
    """Verdicts of a watch and statements of people; each is kept in the Ledger before anything is decided on it."""

    def __init__(self, first: VerdictChanged) -> None:
        self._all = [first]
        self._keeping = asyncio.Lock()
        self._heard: int | None = None
        self.kept = 0

    def add(self, verdict: VerdictChanged) -> None:
        self._all.append(verdict)

    @property
    def newest(self) -> VerdictChanged:
        return self._all[-1]

    def came_after(self, shown: int) -> bool:
        """Whether there are more than the first `shown`."""
        return len(self._all) > shown

    def evidence_digest(self, shown: int) -> str:
        """The digest of the evidence behind the newest of the first `shown`."""
        return self._all[shown - 1].evidence_digest

    @property
    def severity(self) -> Severity:
        """The worst of all triggers that have fired; it decides who has to approve."""
        return min(Severity(verdict.severity) for verdict in self._all)

    @property
    def measured(self) -> bool:
        """Whether at least one was measured and not said by a person."""
        return not all(verdict.by_person for verdict in self._all)

    def unfair(self, playbook: Playbook) -> tuple[str, ...]:
        """What says that groups of people are treated unequally; empty when nothing does."""
        return unfair(self._all, playbook)

    def only_unfair(self, playbook: Playbook) -> bool:
        """Whether nothing else has fired or was declared."""
        return only_unfair(self._all, playbook)

    def close(self) -> None:
        """From here on nothing is decided on what comes."""
        self._heard = len(self._all)

    def unheard(self) -> VerdictChanged | None:
        """The newest trigger that came after `close`, once: somebody else has to act on it."""
        later = self._all[self._heard :]
        self._heard = len(self._all)
        return next((verdict for verdict in reversed(later) if verdict.word == VerdictWord.trigger), None)

    async def keep(self, scribe: Scribe) -> None:
        """Record those that came since the last time; cards show the newest one."""
        async with self._keeping:  # whoever comes second waits until they stand there: a gate is decided on them
            while self.kept < len(self._all):
                verdict = self._all[self.kept]
                self.kept += 1
                await scribe.record(f"verdict/{self.kept}", verdict, "Keep the evidence")
