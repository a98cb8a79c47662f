"""What a trigger keeps between blocks: small integers, strings, booleans and null only (DET-4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from countermand.detection.evalue import ODDS, Dispersion, Pair, log_mean
from countermand.plan.target import Value


class ToleranceState(Value):
    """One tolerance criterion.

    evidence: S of the seven bets in micronats, empty before the first row. guess, dispersion: see evalue.
    previous: the last baseline block as (bad, scored), None after a gap. rising: evidence of all bets
    together since row `since`, uncapped, 0 when used up. counts: (bad, scored) of candidate and baseline over
    the known rows since then. unknown_rows: how many rows of the watch gave no evidence.
    """

    form: Literal["tolerance"] = "tolerance"
    evidence: tuple[int, ...] = ()
    guess: Pair
    previous: Pair | None = None
    dispersion: Dispersion = (0, 0, 0)
    rising: int = 0
    since: int | None = None
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    unknown_rows: int = 0

    @property
    def micronats(self) -> int:
        """Evidence of the criterion after at least one row: the mean over the seven bets."""
        return log_mean(self.evidence, len(ODDS))


class ThresholdState(Value):
    """One threshold rule.

    window: (bad, scored) per row of a bound's window or a failure_limit's running interval, oldest first,
    (0, 0) for an unknown row. outside: successive blocks outside (bound), or failures that count
    (failure_limit). unknown_rows: how many rows of the watch gave no value.
    """

    form: Literal["threshold"] = "threshold"
    window: tuple[Pair, ...] = ()
    outside: int = 0
    breached: bool = False
    unknown_rows: int = 0

    @property
    def total(self) -> Pair:
        """(bad, scored) of the window or interval whose value is compared."""
        return sum(bad for bad, _ in self.window), sum(scored for _, scored in self.window)


class State(Value):
    """One trigger. `rule`: digest of its Rule; `rows`: all rows so far, known or not (t of §5.1).

    micronats: the trigger's evidence after the last row, None before the first and when threshold rules alone
    decide. latched_at: `seq` of the row at which it fired; only closing the watch clears it.
    """

    core: str
    rule: str
    seq: int | None = None
    rows: int = 0
    micronats: int | None = None
    hold: bool = False
    latched_at: int | None = None
    unknown_in_a_row: int = 0
    criteria: tuple[Annotated[ToleranceState | ThresholdState, Field(discriminator="form")], ...]
