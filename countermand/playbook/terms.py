"""Words that every part of a playbook shares, and the base of what people write."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
SignalName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
#: How traffic is divided between candidate and baseline.
Routing = Literal["random", "by_class"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]


class Strict(BaseModel):
    """Base of everything people write."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Fault = tuple[tuple[str | int, ...], str]


class Misfit(ValueError):
    """Values that are fine alone and wrong together; `faults` holds (path below the model, message)."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(message for _, message in faults))
        self.faults = faults


class Faults(list[Fault]):
    """Collects all faults of a model before it is refused, so that people see them at once."""

    def add(self, message: str, *place: str | int) -> None:
        """Note a fault at `place`, a path below the model: `"triggers", 0, "id"`."""
        self.append((place, message))

    def refuse(self) -> None:
        """Raise Misfit if a fault was noted."""
        if self:
            raise Misfit(*self)


def repeated(values: Sequence[str]) -> list[int]:
    """Positions of values that stood in the list before."""
    return [index for index, value in enumerate(values) if value in values[:index]]


#: Parts of a bundle that a member of a target can hold alone.
Part = Literal["model", "prompt", "decoding", "guardrail", "index", "harness"]


class Context(StrEnum):
    """Deployment contexts a playbook is written for."""

    conversational_agent = "conversational_agent"
    image_generator = "image_generator"
    data_augmentation = "data_augmentation"


class Severity(StrEnum):
    """sev1 = serious harm going on … sev4 = minor."""

    sev1 = "sev1"
    sev2 = "sev2"
    sev3 = "sev3"
    sev4 = "sev4"


class Audience(StrEnum):
    """Who is told (communications.md §1)."""

    operator = "operator"
    approver = "approver"
    exec = "exec"
    support = "support"
    customer = "customer"


#: Audiences outside the responders: every message to them says when the next one comes (COM-24).
PROMISED = (Audience.exec, Audience.support, Audience.customer)


class Step(StrEnum):
    """The steps of a rollback at which people are told something."""

    rollout_started = "rollout_started"
    rollout_promoted = "rollout_promoted"
    ramp_held = "ramp_held"
    rollout_ended = "rollout_ended"
    incident_opened = "incident_opened"
    approval_asked = "approval_asked"
    approval_reminded = "approval_reminded"
    approval_decided = "approval_decided"
    default_taken = "default_taken"
    stage_completed = "stage_completed"
    revert_stopped = "revert_stopped"
    reverted = "reverted"
    all_clear = "all_clear"
    not_verified = "not_verified"
    review_drafted = "review_drafted"
    rollback_proposed = "rollback_proposed"
    emergency_declared = "emergency_declared"
    glass_broken = "glass_broken"
    automatic_started = "automatic_started"
    periodic_update = "periodic_update"
    requarantine_breach = "requarantine_breach"
    fairness_pause = "fairness_pause"
    investigation_result = "investigation_result"
    obligation_warned = "obligation_warned"
    review_reminded = "review_reminded"
    duty_asked = "duty_asked"
