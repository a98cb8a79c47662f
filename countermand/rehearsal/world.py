"""The made-up world of a scenario: what is measured, how the target and the channels behave, who is there (LRN-22).

Times count from the start of the scenario. What is not said behaves well.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.playbook.terms import Faults, Misfit, Name, SignalName, Strict, Text
from countermand.playbook.units import BasisPoints, Duration, Number, Positive, parse_duration

_START = parse_duration("0s")


class Harm(Strict):
    """One signal gets worse, or looks as if it did. Exactly one of `times` and `part`."""

    signal: SignalName = Field(description="The signal of the playbook that changes.")
    arm: Literal["candidate", "baseline", "both"] = Field("candidate", description="Whose outputs change.")
    from_: Duration = Field(alias="from", description="Since when: 5m.")
    to: Duration | None = Field(None, description="Until when; without it until the end.")
    times: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="How many times its usual bad share, or how many times longer, it is: 4. Below 1 is better."
    )
    part: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None, description="The share of good outputs that turn bad: 5%."
    )
    group: Text | None = Field(None, description="Only this group, as key=value: language=cy.")

    @model_validator(mode="after")
    def _one_amount(self) -> Self:
        faults = Faults()
        if (self.times is None) == (self.part is None):
            faults.add("write either `times` or `part`")
        if self.to is not None and self.to <= self.from_:
            faults.add("it must end after it begins", "to")
        faults.refuse()
        return self


class Period(Strict):
    """A length of time in the scenario."""

    at: Duration = Field(_START, description="When it begins: 0s, 4m.")
    for_: Positive | None = Field(None, alias="for", description="How long; without it until the end.")


class Lie(Period):
    """A source reports something else than what happened."""

    signal: SignalName = Field(description="The signal it lies about.")
    arm: Literal["candidate", "baseline", "both"] = Field("candidate", description="Whose outputs it lies about.")
    says: BasisPoints = Field(description="The bad share that it reports: 0%, 20%.")


class SourceBehaviour(Strict):
    """How one source delivers its labels."""

    lag: Duration = Field(_START, description="How much later than the output its labels arrive.")
    outages: tuple[Period, ...] = Field((), description="When it says nothing.")
    lies: tuple[Lie, ...] = Field((), description="When it says something wrong.")


class TargetFault(Strict):
    """What the sandbox's target does wrong once a stage or a read comes."""

    on: Annotated[str, Field(pattern=r"^(stage_[1-9][0-9]?|any_set|read|start)$")] = Field(
        description="When: stage_1 (its change), any_set, read, or start (of the scenario, with `at`)."
    )
    do: Literal[
        "timeout_after_apply", "apply_then_drop", "stale_read", "reject", "external_edit", "unreachable", "partial"
    ] = Field(
        description="`timeout_after_apply`: done, no answer. `apply_then_drop`: done, undone later. `stale_read`: an "
        "old state is read. `reject`: refused. `external_edit`: somebody else moves users. `unreachable`: no answer. "
        "`partial`: some of its places follow, others do not."
    )
    at: Duration = Field(_START, description="With `on: start`: when.")
    for_: Positive | None = Field(None, alias="for", description="How long; without it once.")
    candidate: BasisPoints | None = Field(None, description="For external_edit and partial: the share it ends with.")

    @model_validator(mode="after")
    def _share_where_needed(self) -> Self:
        if (self.do in ("external_edit", "partial")) != (self.candidate is not None):
            raise Misfit((("candidate",), "external_edit and partial need `candidate`; the others have none"))
        return self


class Eligibility(Strict):
    """What is known about the version that users would go back to, from a time on."""

    at: Duration = Field(_START, description="From when.")
    is_: Literal["eligible", "unmarked", "quarantined", "denied"] = Field(
        alias="is", description="`unmarked`: nobody registered it, so nothing says that it served well."
    )
    other: bool = Field(False, description="Another eligible version of the service is known.")


class ChannelFault(Period):
    """A channel fails."""

    channel: Literal["slack", "email", "webhook"] = Field(description="Which one.")
    do: Literal["blackout", "rate_limited", "slow"] = Field(
        description="`blackout`: nothing gets through. `rate_limited`: it answers 429. `slow`: it answers late."
    )


class DirectoryChange(Strict):
    """Somebody gets or loses a role, or a delegation, while the scenario runs."""

    at: Duration = Field(description="When.")
    do: Literal["add", "remove", "delegate", "end_delegation", "silent"] = Field(
        description="`silent`: the source of the role does not answer any more."
    )
    role: Name = Field(description="Which role.")
    person: Name | None = Field(None, description="Whose; for a delegation, who lends it. None for silent.")
    to: Name | None = Field(None, description="For a delegation: who may act with it.")
    for_: Positive | None = Field(None, alias="for", description="For a delegation: how long it counts.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = Faults()
        lending = self.do in ("delegate", "end_delegation")
        if lending != (self.to is not None):
            faults.add("a delegation needs `to`; nothing else has one", "to")
        if (self.do == "silent") != (self.person is None):
            faults.add("write whose role it is; only `silent` is about nobody", "person")
        if (self.do == "delegate") != (self.for_ is not None):
            faults.add("`delegate` needs `for`; nothing else has one", "for")
        faults.refuse()
        return self


class OtherRelease(Strict):
    """Another change that goes out at the same time."""

    name: Name = Field(description="Its name.")
    at: Duration = Field(_START, description="When it goes out.")
    what: Text = Field(description="What it changes, in words.")


class Standing(Strict):
    """A standing authorisation that was signed before the scenario begins."""

    triggers: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Triggers that it covers.")
    max_exposure: BasisPoints = Field(description="Up to which share of users it holds.")
    rehearsed: bool = Field(True, description="Whether the playbook counts as rehearsed lately.")


class World(Strict):
    """Everything around the people. What is left out behaves well."""

    exposure: BasisPoints = Field(description="Share of users on the candidate when the scenario begins.")
    signals: tuple[Harm, ...] = Field((), description="What gets worse, where, when and by how much.")
    sources: dict[Name, SourceBehaviour] = Field(default_factory=dict, description="How sources deliver.")
    target: tuple[TargetFault, ...] = Field((), description="What the target does wrong.")
    eligibility: tuple[Eligibility, ...] = Field((), description="What is known about the way back.")
    checks: dict[Name, Annotated[tuple[Literal["pass", "fail", "unknown"], ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="Answers of a data check, one per asking; the last one stays."
    )
    channels: tuple[ChannelFault, ...] = Field((), description="Which channels fail.")
    directory: tuple[DirectoryChange, ...] = Field((), description="Who gets or loses a role.")
    standing: Standing | None = Field(None, description="A standing authorisation, if there is one.")
    other_releases: tuple[OtherRelease, ...] = Field((), description="What else goes out.")
