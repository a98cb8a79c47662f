"""The demo as a list of steps with times: a pure fold over the ledger records of its one incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from countermand.ledger import bodies as b
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import spoken
from countermand.messages.incident import IncidentView, incident
from countermand.playbook.model import Playbook, Step
from countermand.playbook.units import format_percent


@dataclass(frozen=True)
class Event:
    """One step: it has not begun, goes on, or has ended (well or not)."""

    label: str
    began: datetime | None = None
    ended: datetime | None = None
    sentence: str = ""
    failed: bool = False


@dataclass(frozen=True)
class Story:
    """Everything the display and the proof need to know about the incident so far."""

    events: tuple[Event, ...]
    view: IncidentView | None

    @property
    def pending_ask(self) -> str | None:
        """The id of the request that waits for votes now."""
        ask = self.view.ask if self.view else None
        return ask.opened.ask_id if ask and ask.status == "pending" else None

    @property
    def over(self) -> bool:
        """The incident is closed, everybody was told, and the review is drafted."""
        verified, told, drafted = self.events[-3:]
        return drafted.ended is not None and (told.ended is not None or verified.failed)


def tell(records: Sequence[Record], playbook: Playbook, went_bad: datetime | None) -> Story:
    """The story so far. `went_bad`: when the demo's users began to ask what the candidate cannot answer."""
    view = incident(records)
    events = [
        _detected(view, went_bad),
        _asked(view),
        *_votes(view, playbook),
        *_stages(view, playbook),
        *_end(view, playbook, records),
    ]
    return Story(tuple(events), view)


def _detected(view: IncidentView | None, went_bad: datetime | None) -> Event:
    if view is None:
        return Event("detected: an incident is opened", began=went_bad)
    return Event("detected: an incident is opened", went_bad, view.opened_at, view.opened.sentence)


def _asked(view: IncidentView | None) -> Event:
    ask = view.ask if view else None
    if view is None or ask is None:
        return Event("evidence frozen, plan made, approval asked", began=view.opened_at if view else None)
    opened = ask.opened
    sentence = f"{opened.need_people} people needed; asked: {', '.join(opened.asked)}"
    return Event("evidence frozen, plan made, approval asked", view.opened_at, opened.opened_at, sentence)


def _votes(view: IncidentView | None, playbook: Playbook) -> list[Event]:
    ask = view.ask if view else None
    need = ask.opened.need_people if ask else max(p.quorum.distinct_people for p in playbook.approvals.values())
    cast = ask.standing_votes if ask else []
    events = []
    for number in range(1, need + 1):
        label = f"approval {number} of {need}"
        if ask is None:
            events.append(Event(label))
        elif number <= len(cast):
            vote = cast[number - 1]
            at = ask.voted_at[vote.decision_id]
            sentence = f"{vote.name} signed as {spoken(vote.roles)}"
            events.append(Event(label, ask.opened.opened_at, at, sentence, failed=vote.vote == "reject"))
        else:
            events.append(Event(label, ask.opened.opened_at))
    return events


def _stages(view: IncidentView | None, playbook: Playbook) -> list[Event]:
    started = {stage.number: stage for stage in view.stages} if view else {}
    events = []
    for number, planned in enumerate(playbook.revert.stages, start=1):
        label = f"stage {number}: {format_percent(planned.give_back)} given back"
        stage = started.get(number)
        if stage is None or stage.started_at is None:
            events.append(Event(label))
            continue
        seen = next((check.sentence for check in stage.checks if check.name == "observed"), stage.sentence)
        failed = stage.state not in ("completed", "setting", "started", "soaking", "held", "resumed")
        events.append(Event(label, stage.started_at, stage.ended_at, seen, failed))
    return events


def _end(view: IncidentView | None, playbook: Playbook, records: Sequence[Record]) -> list[Event]:
    back = view.stages[-1].ended_at if view and view.stages else None
    closed = view.closed if view else None
    closed_at = view.closed_at if view else None
    reverted = closed is not None and closed.outcome == "reverted"
    return [
        Event(
            "verified: the service is shown to be healthy",
            back,
            closed_at,
            shown(view.verification) if view and reverted else "",
            failed=closed is not None and not reverted,
        ),
        _announced("all-clear sent", Step.all_clear, closed_at if reverted else None, playbook, records),
        _announced("review drafted and announced", Step.review_drafted, closed_at, playbook, records),
    ]


def shown(checks: Sequence[b.CheckDone]) -> str:
    """What checks found, each by its name."""
    return " ".join(f"{check.name.replace('_', ' ')}: {check.sentence}" for check in checks)


def _announced(label: str, step: Step, began: datetime | None, playbook: Playbook, records: Sequence[Record]) -> Event:
    """Ends when the last audience of the step was told; a message that could not be sent is recorded too."""
    told: dict[str, tuple[datetime, str]] = {}
    for record in records:
        match body := b.parse_body(record):
            case b.CommsSent() if body.step == step.value:
                told[body.audience] = (record.at, "")
            case b.CommsFailed() if body.step == step.value:
                told.update({audience: (record.at, body.why) for audience in body.audiences})
    if not told or not set(playbook.audiences(step)) <= set(told):
        return Event(label, began)
    failed = next((why for _, why in told.values() if why), "")
    return Event(label, began, max(at for at, _ in told.values()), failed, bool(failed))


def messages_due(playbook: Playbook) -> set[tuple[str, str]]:
    """(step, audience) of every message that a completed rollback owes, by the playbook."""
    steps = (
        Step.incident_opened,
        Step.approval_asked,
        Step.approval_decided,
        Step.stage_completed,
        Step.reverted,
        Step.all_clear,
        Step.review_drafted,
    )
    return {(step.value, audience.value) for step in steps for audience in playbook.audiences(step)}


def messages_sent(view: IncidentView) -> set[tuple[str, str]]:
    return {(sent.step, sent.audience) for _, sent in view.messages}


def intents(records: Sequence[Record]) -> list[tuple[Record, b.StageIntent]]:
    """Every declared effect, in order."""
    return [(r, b.StageIntent.model_validate(r.body)) for r in records if r.kind is Kind.stage_intent]
