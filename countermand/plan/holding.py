"""Does a member stay where the way back left it? Configured and observed, never merged (TGT-8, TGT-12). Pure."""

from __future__ import annotations

from countermand.plan.evidence import judge_traffic, short_revision
from countermand.plan.model import Moving
from countermand.plan.target import CheckResult, CheckWord, Observation, Split, TargetState

_BACK = Split.candidate(0)


class Holding:
    """What repeated looks at one member have shown. That it left the baseline once is never taken back."""

    def __init__(self, moving: Moving, residual_bp: int) -> None:
        self._moving = moving
        self._residual_bp = residual_bp
        self._observable = True
        self._looks = 0
        self._left = ""
        self._unread = "nobody has looked yet."
        self._observed = (CheckWord.unknown, self._unread)

    def look(self, state: TargetState, seen: Observation, *, observable: bool) -> None:
        """One look that the system answered. `observable`: whether it can say whom traffic reaches at all."""
        self._looks += 1
        self._observable = observable
        self._unread = ""
        if state.split != _BACK:
            self._left = (
                f"flapping: look {self._looks} found it changed by somebody or something else: "
                f"{self._moving.says(state.split)} (revision {short_revision(state.revision)})."
            )
        judged = judge_traffic(_BACK, seen, state.revision, self._residual_bp)
        if self._observed[0] is not CheckWord.failed:
            self._observed = (judged.word, judged.sentence)

    def refused(self, why: str) -> None:
        """The system refuses to be read: trying again cannot help."""
        self._left = self._left or f"it cannot be read: {why}"

    def silent(self, why: str) -> None:
        """The system gave no answer this time."""
        self._unread = f"it cannot be read: {why}"

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """As of the newest look; a member that does not answer now is unknown, however it was before."""
        configured = (CheckWord.passed, f"{self._moving.says(_BACK)}, in {_counted(self._looks)}.")
        observed = self._observed
        if self._unread:
            configured, observed = (CheckWord.unknown, self._unread), (CheckWord.unknown, self._unread)
        if self._left:
            configured = (CheckWord.failed, self._left)
        found = [("configured", configured)]
        if self._observable:
            found.append(("observed", observed))
        name = self._moving.name
        return tuple(CheckResult(name=f"{what} {name}", word=word, sentence=said) for what, (word, said) in found)


def _counted(looks: int) -> str:
    return "1 look" if looks == 1 else f"each of {looks} looks"
