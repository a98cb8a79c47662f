"""One proposed change of thresholds as people see it: a pure fold over its records, and what signatures rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from countermand.canonical import instant
from countermand.learning import guardrails
from countermand.learning.guardrails import Finding
from countermand.learning.shadow import ShadowChange
from countermand.ledger import bodies as b
from countermand.ledger.record import Kind, Record

#: The kinds of record that a change is made of.
KINDS = (
    *(Kind.threshold_proposed, Kind.threshold_judged, Kind.threshold_waived, Kind.threshold_shadow),
    *(Kind.threshold_phase, Kind.threshold_compared, Kind.threshold_ended),
)


@dataclass
class ChangeView:
    """One proposal. `seq`: of its first record."""

    proposed: b.ThresholdProposed
    at: datetime
    seq: int
    judged: b.ThresholdJudged | None = None
    waivers: list[b.ThresholdWaived] = field(default_factory=list)
    shadows: list[b.ThresholdShadow] = field(default_factory=list)
    phase: b.ThresholdPhase | None = None
    compared: b.ThresholdCompared | None = None
    ended: b.ThresholdEnded | None = None
    ended_at: datetime | None = None

    @property
    def proposal_id(self) -> str:
        return self.proposed.proposal_id

    @property
    def status(self) -> str:
        """How it ended, or what happens now."""
        if self.ended is not None:
            return self.ended.outcome
        return self.phase.phase if self.phase else "backtesting"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the guardrails found."""
        return tuple(map(Finding.model_validate, self.judged.findings)) if self.judged else ()

    @property
    def stops(self) -> tuple[Finding, ...]:
        """What stands in the way now. A waiver counts for the backtest that it was signed for."""
        waived = {one.waives for one in self.waivers if self.judged and one.backtest == self.judged.backtest}
        return guardrails.stops(self.findings, waived)

    @property
    def heard(self) -> tuple[ShadowChange, ...]:
        """Every verdict of the shadow that differed from the one before."""
        return tuple(ShadowChange.model_validate(one) for look in self.shadows for one in look.changes)

    @property
    def would_have_fired(self) -> tuple[ShadowChange, ...]:
        """Where the shadow would have asked people."""
        return tuple(one for one in self.heard if one.word == "trigger")


def changes(records: Iterable[Record]) -> list[ChangeView]:
    """Fold records into proposals, oldest first."""
    views: dict[str, ChangeView] = {}
    for record in records:
        body = b.parse_body(record)
        if isinstance(body, b.ThresholdProposed):
            views.setdefault(body.proposal_id, ChangeView(body, record.at, record.seq))
            continue
        view = views.get(getattr(body, "proposal_id", ""))
        if view is None:
            continue
        match body:
            case b.ThresholdJudged():
                view.judged = body
            case b.ThresholdWaived():
                view.waivers.append(body)
            case b.ThresholdShadow():
                view.shadows.append(body)
            case b.ThresholdPhase():
                view.phase = body
            case b.ThresholdCompared():
                view.compared = body
            case b.ThresholdEnded():
                view.ended, view.ended_at = body, record.at
    return list(views.values())


def change(records: Iterable[Record], proposal_id: str) -> ChangeView | None:
    """One of them; None when nobody proposed it."""
    return next((view for view in changes(records) if view.proposal_id == proposal_id), None)


def basis(view: ChangeView) -> dict[str, Any]:
    """What the signatures under a change rest on: it stands in the document that people sign.

    Raises ValueError before it was judged.
    """
    if view.judged is None:
        raise ValueError(f"{view.proposal_id!r} was not judged by a backtest yet")
    said = view.proposed
    return {
        "proposal_id": said.proposal_id,
        "backtest": view.judged.backtest,
        "findings": [one.sentence for one in view.findings],
        "waived": [f"{one.waives}, by {one.name}" for one in view.waivers],
        "shadow": shadow_words(view),
        "expected_effect": said.expected_effect,
        "rollback_condition": said.rollback_condition,
        "origins": [dict(one) for one in said.origins],
        "review_on": instant(said.review_on) if said.review_on else "",
    }


def shadow_words(view: ChangeView) -> str:
    """What was heard beside the live watches, in one sentence."""
    if not view.shadows and view.proposed.shadow_s:
        return "Nothing was looked at yet."
    if not view.shadows:
        return "It was not tried in shadow; the change only makes the watch stricter, or was in force before."
    last = view.shadows[-1]
    fired = view.would_have_fired
    days = (last.until - last.since).total_seconds() / 86_400
    count = {0: "never", 1: "once"}.get(len(fired), f"{len(fired)} times")
    releases = "one release" if len(last.releases) == 1 else f"{len(last.releases)} releases"
    live = sum(one.live_at is not None for one in fired)
    beside = f", {live} of them on releases where the version in force fired too" if fired else ""
    return f"In {days:.1f} days of shadow over {releases} and {last.rows} blocks it would have fired {count}{beside}."
