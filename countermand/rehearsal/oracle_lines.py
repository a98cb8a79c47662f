"""What a scenario expects and forbids, as people write it (LRN-22). `oracle.py` holds a run against it."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from countermand.ledger.incident_bodies import IncidentClosed
from countermand.playbook.terms import Audience, Misfit, Name, Step, Strict, Text
from countermand.playbook.units import Positive
from countermand.rehearsal.script import ActKind

#: Who an oracle can speak of beside roles and people of the scenario.
ANYBODY = ("anybody", "requester", "automation")

OUTCOMES: tuple[str, ...] = ("open", "no_incident", *get_args(IncidentClosed.model_fields["outcome"].annotation))


class ExpectedDecision(Strict):
    """Somebody must have decided this in time."""

    by: Name = Field(description="A role, a person of the scenario, `anybody` or `requester`.")
    kind: ActKind = Field(description="What they decide.")
    within: Positive | None = Field(None, description="How long after `after` at most.")
    after: Name = Field("ask_opened", description="The event from which the time runs.")
    why: Text = Field(description="Why this is right, in words.")


class ExpectedEvent(Strict):
    """This must have happened, with nobody in particular behind it."""

    event: Name = Field(description="The event: default_taken, stage_1_completed.")
    within: Positive | None = Field(None, description="How long after `after` at most.")
    after: Name | None = Field(None, description="The event from which the time runs; without it the start.")
    why: Text = Field(description="Why this is right, in words.")


class Forbidden(Strict):
    """This must not happen. Exactly one of `act`, `event`, `effect` and `told`."""

    act: ActKind | None = Field(None, description="An act that must not count; `by` says whose.")
    by: Name = Field("anybody", description="A role, a person, `anybody`, `requester` or `automation`.")
    event: Name | None = Field(None, description="An event that must not happen.")
    effect: Literal["promote", "revert", "any"] | None = Field(
        None, description="What must not be done to users: more of them on the candidate, fewer, or either."
    )
    told: Audience | None = Field(None, description="An audience that must not be told.")
    until: Name | None = Field(None, description="Only before this event; without it never.")
    why: Text = Field(description="Why it would be wrong, in words.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [one for one in ("act", "event", "effect", "told") if getattr(self, one) is not None]
        if len(named) != 1:
            said = " and ".join(named) or "nothing"
            raise Misfit(((), f"{said} is forbidden here; write exactly one of act, event, effect and told"))
        return self


class ExpectedMessage(Strict):
    """An audience must have been reached."""

    audience: Audience = Field(description="Who.")
    step: Step = Field(description="By the message of which step.")
    before: Name | None = Field(None, description="Before this event.")
    within: Positive | None = Field(None, description="How long after `after` at most.")
    after: Name = Field("incident_opened", description="The event from which the time runs.")


class EndsWhen(Strict):
    """When the run is over, whichever comes first."""

    events: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="The first of these events.")
    after: Positive = Field(description="At the latest after this time.")
