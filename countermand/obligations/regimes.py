"""What has to be decided for each regime, and what stops a review from being signed in silence (OBL-22, OBL-23)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from countermand.governance.decision import Decision, Refusal, Refused
from countermand.obligations.book import Book, Choice
from countermand.obligations.clocks import OUT_OF_VIEW, Clock, ClockState
from countermand.obligations.profile import Profile
from countermand.plan.target import Value

#: The term of a signature that names what it leaves open, and its word for an organisation that declared nothing.
WAIVED, EVERYTHING = "undecided_regimes", "all"

#: Why a regime is open: nobody decided, a time is not recorded, nobody declared whether it reaches the organisation.
Gap = Literal["undecided", "anchor_missing", "scope_not_declared"]


class Regime(Value):
    """The rows of one regime, the current decision about it, and what is still open."""

    name: str
    clocks: tuple[Clock, ...]
    decision: Choice | None
    gaps: tuple[Gap, ...]

    @property
    def in_view(self) -> bool:
        """Whether it says anything about this incident."""
        return any(clock.state not in OUT_OF_VIEW for clock in self.clocks)

    @property
    def internal(self) -> bool:
        return all(clock.row.internal for clock in self.clocks)

    @property
    def running(self) -> bool:
        """Whether a clock still counts."""
        return any(clock.counting for clock in self.clocks)


def regimes(clocks: Iterable[Clock], book: Book) -> tuple[Regime, ...]:
    """All regimes in the order of the dataset; service levels come last, as one of their own."""
    by_name: dict[str, list[Clock]] = {}
    for clock in clocks:
        by_name.setdefault("internal" if clock.row.internal else clock.row.regime, []).append(clock)
    found = [
        Regime(
            name=name,
            clocks=tuple(rows),
            decision=book.decision(name),
            gaps=() if name == "internal" else tuple(_gaps(rows, book.decision(name))),
        )
        for name, rows in by_name.items()
    ]
    return tuple(sorted(found, key=lambda one: one.internal))


def _gaps(rows: list[Clock], decision: Choice | None) -> list[Gap]:
    """A regime that people decided not to report under has no gap; one that reaches nobody has none either."""
    seen = [clock for clock in rows if clock.state not in OUT_OF_VIEW]
    answer = decision.reportable if decision else "undecided"
    if not seen or answer == "no":
        return []
    states = {clock.state for clock in seen}
    gaps = list[Gap]()
    if answer == "undecided":
        only_undeclared = states == {ClockState.scope_not_declared}
        gaps.append("scope_not_declared" if only_undeclared else "undecided")
    if ClockState.anchor_missing in states:
        gaps.append("anchor_missing")
    return gaps


def open_regimes(found: Iterable[Regime], profile: Profile) -> tuple[str, ...]:
    """Names of what is open. One word when nobody declared anything at all."""
    names = tuple(regime.name for regime in found if regime.gaps)
    return (EVERYTHING,) if names and not profile.present else names


def refuse_unnamed(decision: Decision, open_: tuple[str, ...]) -> None:
    """Raise Refused unless this signature of a review names exactly what it leaves open (OBL-23)."""
    named = {name.strip() for name in decision.terms.get(WAIVED, "").split(",") if name.strip()}
    if named != set(open_):
        lacking = ", ".join(name.replace("_", " ") for name in open_) or "nothing"
        raise Refused(
            Refusal.wrong_state,
            f"it is not decided whether this incident is reported under: {lacking}.",
            "Decide that on the page of its clocks, or sign with exactly this list, which says that you leave it open.",
        )


def held_words(clocks: Iterable[Clock]) -> tuple[str, ...]:
    """The evidence holds that are on, each in words for whoever decides (GOV-43)."""
    return tuple(
        f"evidence hold: “{clock.row.title}” ({clock.row.citation}) runs and nothing was reported"
        for clock in evidence_holds(clocks)
    )


def evidence_holds(clocks: Iterable[Clock]) -> tuple[Clock, ...]:
    """Clocks that ask for the evidence to stay as it is until the authority knows (OBL-25, GOV-43): they run, and
    nothing at all was reported."""
    return tuple(clock for clock in clocks if clock.row.evidence_hold and clock.counting and not clock.filings)
