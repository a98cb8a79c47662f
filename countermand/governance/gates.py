"""Gates between a verdict and an effect: is a trigger clear, and what may happen then (GOV-23, 24, 27, 30, 31)?

The table is data: shipped in `gates.yaml`, and a playbook may tighten it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.detection.models import Verdict, VerdictWord
from countermand.governance.limits import TARGET_VERIFIED_FOR
from countermand.governance.standing import Validity
from countermand.plan.target import Value
from countermand.playbook.terms import Faults, Severity, Strict
from countermand.playbook.units import Positive, format_duration

#: Said when nothing is doubtful and people decide all the same.
CLEAR = "the trigger is clear"
#: Fewer agreeing independent sources never act on their own (GOV-56).
LEAST_SOURCES = 2

Act = Literal["automatic", "ask", "ask_if_blind", "notify", "none"]
#: From what acts most on its own to what leaves most to people.
_CAUTION: tuple[Act, ...] = ("none", "notify", "automatic", "ask_if_blind", "ask")


class SourceFact(Value):
    """A source of the signals behind a trigger. `shares`: credentials, exporters and hosts it depends on."""

    name: str
    authenticated: bool
    healthy: bool
    agrees: bool
    shares: tuple[str, ...] = ()


class GateFacts(Value):
    """What is known beside the verdict. None is "not known", and never counts as good.

    fairness: the trigger is tagged fairness, or a person reported a pattern. flags: cooldown and ping-pong, in words.
    stops: other reasons why nothing may be automatic (`protection`).
    """

    sources: tuple[SourceFact, ...]
    fairness: bool
    target_eligible: bool | None
    target_verified_at: datetime | None
    still_served: bool | None
    flags: tuple[str, ...] | None
    stops: tuple[str, ...] | None


class Clearness(Value):
    """Whether a trigger is clear; `failing` names each clause that does not hold. `agreeing`: independent sources."""

    clear: bool
    failing: tuple[str, ...]
    agreeing: int


class GateRow(Strict):
    """What one verdict leads to at one severity. `automatic` needs a standing authorisation, else people are asked."""

    act: Act
    people: Annotated[int, Field(ge=1, le=10, strict=True)] | None = None
    window: Positive | None = None
    next_working_window: bool = False
    hold_ramp: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        asks = self.act in ("automatic", "ask")
        timed = (self.window is not None) != self.next_working_window
        if asks and (self.people is None or not timed):
            raise ValueError(
                f"{self.act!r} needs `people` and either `window` or `next_working_window: true`; "
                "without them nobody would know who decides until when"
            )
        return self


class GateTable(Strict):
    """Rows by verdict and severity. ask_after_unknown: unknown blocks in a row after which people are asked."""

    schema_: Literal["countermand.gates/v1"] = Field(alias="schema")
    clear: dict[Severity, GateRow]
    doubtful: dict[Severity, GateRow]
    watch: dict[Severity, GateRow]
    unknown: dict[Severity, GateRow]
    ok: dict[Severity, GateRow]
    ask_after_unknown: Annotated[int, Field(ge=1, le=1_000, strict=True)]

    @model_validator(mode="after")
    def _covers(self) -> Self:
        faults = Faults()
        for name, severity, row in self.each():
            if row is None:
                faults.add(f"no row for {severity.value}; write one for each of sev1 to sev4", name)
            elif row.act == "automatic" and name != "clear":
                faults.add("only a clear trigger can be automatic; write ask", name, severity.value)
            elif row.act == "none" and name in ("clear", "doubtful"):
                faults.add("a trigger is never passed over in silence; write ask", name, severity.value)
        faults.refuse()
        return self

    def each(self) -> Iterator[tuple[str, Severity, GateRow | None]]:
        for name in ("clear", "doubtful", "watch", "unknown", "ok"):
            for severity in Severity:
                yield name, severity, getattr(self, name).get(severity)

    def tightened(self, own: GateTable) -> GateTable:
        """`own`, when no row is looser than here. Raises ValueError that names every row that is."""
        faults = Faults()
        for (name, severity, here), (_, _, there) in zip(self.each(), own.each(), strict=True):
            if here is not None and there is not None and (looser := _looser(here, there)):
                faults.add(f"{name} at {severity.value}: {looser}; a playbook may only tighten", name, severity.value)
        if own.ask_after_unknown > self.ask_after_unknown:
            faults.add(
                f"{own.ask_after_unknown} is more than {self.ask_after_unknown}; a playbook may only tighten",
                "ask_after_unknown",
            )
        faults.refuse()
        return own


class Gate(Value):
    """What happens now. `because` is for the card; `hold_ramp` never needs consent (GOV-30)."""

    act: Literal["automatic", "ask", "ask_if_blind", "notify", "investigate", "none"]
    people: int | None
    window: timedelta | None
    next_working_window: bool
    hold_ramp: bool
    because: tuple[str, ...]


def independent(sources: tuple[SourceFact, ...]) -> int:
    """How many independent sources agree: those that share a credential, exporter or host count as one (GOV-56)."""
    groups: list[set[str]] = []
    for source in sources:
        if not (source.authenticated and source.healthy and source.agrees):
            continue
        marks = {f"source {source.name}", *source.shares}
        joined = [group for group in groups if group & marks]
        groups = [group for group in groups if not group & marks] + [marks.union(*joined)]
    return len(groups)


def clearness(verdict: Verdict, facts: GateFacts, now: datetime, *, sources: int = LEAST_SOURCES) -> Clearness:
    """Whether a trigger is clear (GOV-27). `sources`: how many independent ones must agree; at least one."""
    agreeing = independent(facts.sources)
    contributing = [source for source in facts.sources if source.agrees]
    unfit = [source.name for source in contributing if not (source.authenticated and source.healthy)]
    gaps = [record.signal for record in verdict.criteria if record.unknown is not None]
    verified = facts.target_verified_at
    failing = {
        f"{verdict.trigger} has not fired": verdict.word is not VerdictWord.trigger,
        "no source is known to report this": not contributing,
        f"source not authenticated or not healthy: {', '.join(unfit)}": bool(unfit),
        f"too little data for {', '.join(gaps) or 'this trigger'}": bool(gaps) or verdict.blind,
        f"{agreeing} of {max(sources, 1)} needed independent sources agree": agreeing < max(sources, 1),
        "fairness is concerned": facts.fairness,
        "the rollback target is not eligible": facts.target_eligible is False,
        "whether the rollback target is eligible is not known": facts.target_eligible is None,
        "the rollback target was not verified in the last 15 minutes": (
            verified is None or not timedelta(0) <= now - verified <= TARGET_VERIFIED_FOR
        ),
        "the candidate is no longer served": facts.still_served is False,
        "whether the candidate is still served is not known": facts.still_served is None,
        "earlier reverts are not known": facts.flags is None,
        **dict.fromkeys(facts.flags or (), True),
    }
    said = tuple(clause for clause, fails in failing.items() if fails)
    return Clearness(clear=not said, failing=said, agreeing=agreeing)


def gate(
    table: GateTable,
    verdict: Verdict,
    facts: GateFacts,
    standing: Validity,
    now: datetime,
    *,
    sources: int = LEAST_SOURCES,
    unknown_in_a_row: int = 0,
) -> Gate:
    """What one trigger's verdict leads to now. `standing`: whether a standing authorisation covers the plan.

    Ask it for each trigger by itself: a fairness pause does not block another trigger's gate (GOV-36).
    """
    if verdict.shadow:
        return _gate(GateRow(act="none"), "none", ("a shadow never acts",))
    hold = verdict.hold
    if facts.fairness and verdict.word is VerdictWord.trigger:
        return _gate(GateRow(act="none", hold_ramp=True), "investigate", ("fairness is concerned",))
    if verdict.word is not VerdictWord.trigger:
        row = getattr(table, verdict.word.value)[verdict.severity]
        blind = verdict.word is VerdictWord.unknown and unknown_in_a_row > table.ask_after_unknown
        act: Act = "ask_if_blind" if blind else row.act
        return _gate(row, act, (verdict.sentence,), hold=hold)
    found = clearness(verdict, facts, now, sources=sources)
    if not found.clear:
        row = table.doubtful[verdict.severity]
        return _gate(row, row.act, found.failing, hold=hold)
    row = table.clear[verdict.severity]
    if row.act != "automatic":
        return _gate(row, row.act, (CLEAR,), hold=hold)
    against = [*standing.reasons] if not standing.ok else []
    against += ["earlier automatic rollbacks are not known"] if facts.stops is None else facts.stops
    if found.agreeing < LEAST_SOURCES:
        against.append(f"{found.agreeing} independent source is not enough to act without people")
    if against:
        return _gate(row, "ask", tuple(against), hold=hold)
    return _gate(row, "automatic", ("the trigger is clear and a standing authorisation covers the plan",), hold=hold)


def may_promote(word: VerdictWord, positive_evidence: bool | None) -> bool:
    """Whether a release may be promoted, verified or closed as healthy: `unknown` and silence never count (GOV-31)."""
    return word is VerdictWord.ok and positive_evidence is True


def _gate(row: GateRow, act: Act | Literal["investigate"], because: tuple[str, ...], *, hold: bool = False) -> Gate:
    return Gate(
        act=act,
        people=row.people,
        window=row.window,
        next_working_window=row.next_working_window,
        hold_ramp=row.hold_ramp or hold,
        because=because,
    )


def _looser(here: GateRow, own: GateRow) -> str:
    """In words, how `own` is looser than `here`; empty when it is not. A longer window counts as looser."""
    if _CAUTION.index(own.act) < _CAUTION.index(here.act):
        return f"{own.act!r} leaves less to people than {here.act!r}"
    if (own.people or 0) < (here.people or 0):
        return f"{own.people!r} people are fewer than {here.people}"
    if here.window is not None and (own.window is None or own.window > here.window):
        return f"the time limit is longer than {format_duration(here.window)}"
    return "the rollout would go on" if here.hold_ramp and not own.hold_ramp else ""
