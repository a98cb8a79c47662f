"""What people write as a tolerance, and the line that a harmless release stays below (detection.md §4.6, DET-15)."""

from __future__ import annotations

from decimal import Decimal

from countermand.playbook.signals import SignalSpec, Tolerance

_RATES = ("rate", "judgement", "missing")


def bad_value(spec: SignalSpec) -> Decimal | None:
    """The usual value on the bad side, between 0 and 1, whichever way the signal points; None if not stated."""
    if spec.expect is None:
        return None
    low, high = spec.range or (Decimal(0), Decimal(1))
    share = (spec.expect - low) / (high - low)
    return share if spec.bad == "higher" else 1 - share


def line(
    spec: SignalSpec, tolerate: Tolerance, range_: tuple[Decimal, Decimal] | None = None
) -> tuple[Decimal, Decimal]:
    """(ρ, ε): harmless means that badness of the candidate ≤ ρ · badness of the baseline + ε, badness in [0, 1].

    Latency compares shares above moved thresholds, so that (1, 0) serves unless a `ratio` is written. Categories
    have no line. `range_`: of the scores, when it is not the signal's own.
    """
    one, none = Decimal(1), Decimal(0)
    ratio = one if tolerate.ratio is None else tolerate.ratio
    low, high = range_ or spec.range or (none, one)
    if tolerate.relative is None:
        return ratio, (tolerate.absolute or none) / (high - low)
    if spec.bad == "higher":
        return one + tolerate.relative, tolerate.relative * low / (high - low)
    if spec.kind == "score":
        return one, tolerate.relative * high / (high - low)
    return one - tolerate.relative, tolerate.relative


def severe(spec: SignalSpec, tolerate: Tolerance) -> Tolerance | None:
    """The wider tolerance of the severe lane that a criterion gets by itself; None when it gets none."""
    if spec.kind == "latency" and tolerate.slower_by is not None and tolerate.slower_by < 1:
        return Tolerance(slower_by=Decimal(1))
    if spec.kind not in _RATES or spec.baseline == "none" or tolerate.relative is not None:
        return None
    if tolerate.ratio is not None:
        return Tolerance(ratio=Decimal(3), absolute=tolerate.absolute) if tolerate.ratio < 3 else None
    wider = max(3 * (tolerate.absolute or Decimal(0)), Decimal("0.05"))
    return Tolerance(absolute=wider) if wider <= Decimal("0.5") else None
