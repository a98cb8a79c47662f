"""An investigation as people see it: folded from its records, and put into words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from countermand.governance.investigation_form import FIELDS
from countermand.ledger import bodies as b

Bodies = (
    b.InvestigationFilled
    | b.InvestigationRung
    | b.InvestigationFound
    | b.InvestigationOverridden
    | b.InvestigationEnded
)


@dataclass
class InvestigationView:
    """One investigation. `until`: end of the window now; `digest`: what a finding is signed on."""

    opened: b.InvestigationOpened
    until: datetime
    digest: str
    slices: b.SlicesMeasured | None
    filled: b.InvestigationFilled | None = None
    rungs: list[b.InvestigationRung] = field(default_factory=list)
    found: list[b.InvestigationFound] = field(default_factory=list)
    overridden: list[b.InvestigationOverridden] = field(default_factory=list)
    ended: b.InvestigationEnded | None = None
    ended_at: datetime | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Required fields that are empty."""
        return self.filled.missing if self.filled else tuple(one.name for one in FIELDS)

    def text(self, name: str) -> str:
        """What stands in a field of the form; empty when nothing does."""
        return str(getattr(self.filled, name)) if self.filled else ""


def note(views: list[InvestigationView], body: Bodies, at: datetime) -> tuple[str, str, str] | None:
    """One record's effect; returns its line in the timeline (tone, text, detail). None for one of another incident."""
    view = next((one for one in views if one.opened.investigation_id == body.investigation_id), None)
    if view is None:
        return None
    match body:
        case b.InvestigationFilled():
            view.filled, view.digest = body, body.digest
            left = f"still empty: {', '.join(body.missing)}" if body.missing else "the form is complete"
            return "person", f"{body.name} filled in the investigation", left
        case b.InvestigationRung():
            view.rungs.append(body)
            view.until = body.until
            return "ask", f"Investigation: told {', '.join(body.to).replace('_', ' ')}", body.sentence
        case b.InvestigationFound():
            view.found.append(body)
            view.until = body.until or view.until
            more = f" (also has to sign: {', '.join(body.missing)})" if body.missing else ""
            return "person", f"{body.name} found: {body.outcome.replace('_', ' ')}{more}", body.reason
        case b.InvestigationOverridden():
            view.overridden.append(body)
            return "bad", "Something goes on beside the investigation", body.sentence
        case b.InvestigationEnded():
            view.ended, view.ended_at = body, at
            return "info", f"Investigation over: {body.outcome}", body.sentence


def slice_lines(measured: b.SlicesMeasured | None) -> tuple[str, ...]:
    """How groups of people are served, by candidate and baseline: share, interval, and outputs; and what is missing."""
    if measured is None:
        return ()
    lines = []
    for signal, group in dict.fromkeys((one.signal, one.group) for one in measured.slices):
        arms = [one for one in measured.slices if (one.signal, one.group) == (signal, group)]
        said = "; ".join(f"{one.arm} {_share(one, measured.least)}" for one in arms)
        lines.append(f"{signal.replace('_', ' ')}, {group.replace('=', ' ')}: {said}")
    lines += [f"no data: {one}" for one in measured.lacking]
    return (*lines, f"the rollback target is the baseline, {measured.target}")


def _share(one: b.Slice, least: int) -> str:
    if one.range is not None and one.mean_ppm is not None:
        bottom, top = map(float, one.range)
        low, mean, high = (
            f"{bottom + ppm / 1_000_000 * (top - bottom):.3g}" for ppm in (one.low_ppm, one.mean_ppm, one.high_ppm)
        )
        said = f"mean {mean} ({low} to {high}, {one.scored} outputs, scored from {one.range[0]} to {one.range[1]})"
    else:
        low, high = f"{one.low_ppm / 10_000:.1f}", f"{one.high_ppm / 10_000:.1f}"
        said = f"{100 * one.bad / one.scored:.1f} % bad ({low} to {high} %, {one.bad} of {one.scored} outputs)"
    return said if one.enough else f"{said}, fewer than {least}: too few to say anything"
