"""The scenario schema `countermand.scenario/v1` (LRN-22): a story, its world, its people and its oracle.

Closed, and without an oracle it does not parse. `loading.py` reads files and holds what they refer to against the
playbook.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from countermand.canonical import digest_bytes
from countermand.playbook.terms import Context, Faults, Misfit, Name, Severity, Strict, Text, repeated
from countermand.playbook.units import Duration
from countermand.rehearsal.oracle_lines import (
    OUTCOMES,
    EndsWhen,
    ExpectedDecision,
    ExpectedEvent,
    ExpectedMessage,
    Forbidden,
)
from countermand.rehearsal.script import CODES, ActKind
from countermand.rehearsal.world import World

SCHEMA = "countermand.scenario/v1"

Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Answer = Annotated[str, StringConstraints(pattern=r"^(accepted|refused:[a-z_]+)$")]


class Shift(StrEnum):
    """Who is at work: a score by night says nothing about the day."""

    day = "day"
    evening = "evening"
    night = "night"
    weekend = "weekend"


class Branch(StrEnum):
    """The way a story goes: what decides it."""

    automatic = "automatic"
    approved = "approved"
    rejected = "rejected"
    withdrawn = "withdrawn"
    default_hold = "default_hold"
    break_glass = "break_glass"
    investigated = "investigated"
    stopped = "stopped"
    not_eligible = "not_eligible"
    blind = "blind"
    relapse = "relapse"


class Fault(StrEnum):
    """What is broken beside the release itself."""

    nothing = "nothing"
    channels = "channels"
    target = "target"
    sources = "sources"
    people = "people"
    data = "data"
    attack = "attack"
    outside = "outside"


class When(Strict):
    """A time from the start (`at`), or an event (`on_event`) and some time `after` it."""

    at: Duration | None = Field(None, description="Time from the start: 4m.")
    on_event: Name | None = Field(None, description="The event it waits for: ask_opened.")
    after: Duration | None = Field(None, description="How long after the event: 2m.")

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if (self.at is None) == (self.on_event is None):
            raise Misfit((("at",), "write either `at` or `on_event`"))
        if self.after is not None and self.on_event is None:
            raise Misfit((("after",), "`after` counts from an event; write `on_event`, or only `at`"))
        return self


class ScriptedAct(When):
    """One act of a scripted person, and how it must be answered."""

    who: Name = Field(description="A person of `roles` or `others`, or `automation`.")
    act: ActKind = Field(description="What they do.")
    reason: Text = Field(description="What they write.")
    channel: Literal["console", "slack", "cli", "api"] = Field("console", description="Where they do it.")
    terms: dict[Name, Text] = Field(
        default_factory=dict, description="What the act needs beside a reason: {severity: sev1, harm: …}."
    )
    expect: Answer = Field("accepted", description="`accepted`, or `refused:` and the code.")

    @model_validator(mode="after")
    def _known_code(self) -> Self:
        code = self.expect.removeprefix("refused:")
        if self.expect != "accepted" and code not in CODES:
            raise Misfit((("expect",), f"{code!r} is no code of a refusal; write {', '.join(CODES)}"))
        return self


class Inject(When):
    """Something that reaches somebody while the scenario runs."""

    kind: Literal["info", "misleading", "fault", "media", "regulator", "customer", "insider"] = Field(
        description="What it is."
    )
    to: Name = Field(description="The role that gets it.")
    channel: Literal["console", "slack", "email", "phone"] = Field(description="How it comes.")
    content: Text = Field(description="What it says.")


class Turn(Strict):
    """A question of the tabletop form: what would you do now? (R24)"""

    id: Name = Field(description="Its name.")
    role: Name = Field(description="The role that answers.")
    seen: Text = Field(description="What they see at this moment.")
    question: Text = Field(description="What they are asked.")
    answers: dict[Name, Text] = Field(min_length=2, max_length=8, description="Answers to choose from.")
    right: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Those that are right.")
    why: Text = Field(description="Why; shown afterwards.")

    @model_validator(mode="after")
    def _right_is_offered(self) -> Self:
        faults = Faults()
        for index, name in enumerate(self.right):
            if name not in self.answers:
                faults.add(f"{name!r} is not among the answers; write {', '.join(self.answers)}", "right", index)
        if set(self.answers) <= set(self.right):
            faults.add("every answer is right; a question that nobody can fail asks nothing", "right")
        faults.refuse()
        return self


class Scenario(Strict):
    """One scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["countermand.scenario/v1"] = Field(alias="schema", description="Version of this schema.")
    id: Name = Field(description="Its name; runs of the same id are compared.")
    title: Text = Field(description="What happens, in one sentence.")
    point: Text = Field(description="What it is for.")
    version: Annotated[int, Field(ge=1, strict=True)] = Field(description="Counts up with every change.")
    severity: Severity = Field(description="How bad the story is.")
    context: Context = Field(description="The deployment context; that of the playbook.")
    playbook: Text = Field(description="The playbook's file, seen from this file: ../playbooks/x.yaml.")
    learning_objectives: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="What people can do afterwards."
    )
    branch: Branch = Field(description="What decides the story: approved, automatic, default_hold …")
    faults: Annotated[tuple[Fault, ...], Field(min_length=1)] = Field(
        description="What is broken beside the release: channels, target …; [nothing] if nothing is."
    )
    shift: Shift = Field(description="day, evening, night or weekend.")
    start: Clock = Field(description="Local time of the story at its start: 03:00.")
    time_scale: Annotated[int, Field(ge=1, le=60, strict=True)] = Field(
        description="By how much the waits of machines are shortened, 1 to 60; people's times stay as they are."
    )
    seed: Annotated[int, Field(ge=0, strict=True)] = Field(description="Seed of all chance in the world.")
    roles: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Who is on duty, by role: {safety_lead: [sam]}."
    )
    requester: Name = Field("owner_bot", description="The account that put the release out and asks for rollbacks.")
    others: tuple[Name, ...] = Field((), description="People without a role.")
    world: World = Field(description="Everything around the people.")
    people: tuple[ScriptedAct, ...] = Field((), description="What scripted people do; [] if nobody does anything.")
    injects: tuple[Inject, ...] = Field((), description="What reaches people on the way.")
    expected_decisions: tuple[ExpectedDecision, ...] = Field(description="What people must decide; [] if nothing.")
    expected_events: tuple[ExpectedEvent, ...] = Field((), description="What else must happen.")
    forbidden: Annotated[tuple[Forbidden, ...], Field(min_length=1)] = Field(description="What must not happen.")
    obligations_expected: tuple[Name, ...] = Field((), description="Rows whose clocks must start.")
    communications_expected: tuple[ExpectedMessage, ...] = Field((), description="Who must be reached.")
    expected_outcome: Annotated[str, StringConstraints(min_length=3)] = Field(description="How it must end.")
    ends_when: EndsWhen = Field(description="When the run is over.")
    tabletop: Annotated[tuple[Turn, ...], Field(min_length=1)] = Field(
        description="The turning points as questions, for the form without a sandbox."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = Faults()
        if not self.expected_decisions and not self.expected_events:
            faults.add("nothing is expected; write what people must decide or what must happen", "expected_decisions")
        if self.expected_outcome not in OUTCOMES:
            faults.add(f"{self.expected_outcome!r} is no outcome; write {', '.join(OUTCOMES)}", "expected_outcome")
        names = [turn.id for turn in self.tabletop]
        for index in repeated(names):
            faults.add(f"{names[index]!r} is asked before; give each question its own id", "tabletop", index, "id")
        faults.refuse()
        return self

    @property
    def persons(self) -> tuple[str, ...]:
        """Everybody in it, each once."""
        on_duty = [person for members in self.roles.values() for person in members]
        return tuple(dict.fromkeys((*on_duty, *self.others)))

    @property
    def digest(self) -> str:
        """`sha256:<hex>` over its content; comments and spacing of the file do not count."""
        return digest_bytes(self.model_dump_json(by_alias=True).encode())

    def roles_of(self, person: str) -> tuple[str, ...]:
        """The roles somebody holds when it begins."""
        return tuple(role for role, members in self.roles.items() if person in members)
