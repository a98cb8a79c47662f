"""The part of a playbook that says who decides, and what happens if nobody does (governance.md §6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.playbook.terms import Faults, Misfit, Name, Strict, repeated
from countermand.playbook.units import Duration, Positive, format_duration


class QuorumSlot(Strict):
    """`min` different people who hold `role`."""

    role: Name = Field(description="A role of the role directory.")
    min: Annotated[int, Field(ge=1, le=10, strict=True)] = Field(
        description="How many people of this role must agree, 1 to 10."
    )


class Quorum(Strict):
    """Who must agree. One person fills at most one slot, whatever roles they hold (GOV-15)."""

    roles: Annotated[tuple[QuorumSlot, ...], Field(min_length=1)] = Field(
        description="The roles whose consent is needed."
    )
    distinct_people: Annotated[int, Field(ge=1, le=10, strict=True)] = Field(
        description="How many different people must agree, at least one per role slot."
    )

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        slots = sum(slot.min for slot in self.roles)
        faults = Faults()
        if self.distinct_people < slots:
            faults.add(
                f"{self.distinct_people} is less than the {slots} role slots; "
                f"each slot needs a person of its own, write at least {slots}",
                "distinct_people",
            )
        names = [slot.role for slot in self.roles]
        for i in repeated(names):
            faults.add(f"role {names[i]!r} is listed before; raise its `min` instead", "roles", i, "role")
        faults.refuse()
        return self


class Rung(Strict):
    """One rung of the ladder; `after` counts from the ask."""

    after: Duration = Field(description="Time since the ask, for example 0s or 10m.")
    do: Literal["ask", "remind", "escalate", "default"] = Field(
        description="ask and escalate go to roles; remind goes to the undecided; default ends the ask."
    )
    to: tuple[Name, ...] = Field((), description="The roles that are asked at this rung.")
    action: Literal["proceed", "hold", "abort"] | None = Field(
        None,
        description="If nobody decides: hold (keep exposure, ask again), abort (close the ask) or proceed (carry the "
        "plan out under a standing authorisation, else hold).",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do in ("ask", "escalate") and not self.to:
            raise ValueError(f"a rung that does {self.do!r} names the roles it goes `to`")
        if self.do == "default" and self.action is None:
            accepted = "`action: hold`, `action: abort` or `action: proceed`"
            raise Misfit((("do",), f"the rung `do: default` says what happens: {accepted}"))
        if self.do != "default" and self.action is not None:
            raise Misfit((("action",), f"`action` belongs to the rung `do: default`, not to `do: {self.do}`"))
        return self


class ApprovalPolicy(Strict):
    """Quorum, reminders and the declared default when nobody decides (GOV-22, GOV-23)."""

    quorum: Quorum = Field(description="Who must agree before anything is changed.")
    ladder: Annotated[tuple[Rung, ...], Field(min_length=2)] = Field(
        description="Who is asked when; the last rung, `do: default`, says what happens if nobody decides."
    )
    ask_again_every: Positive = Field(description="After a hold people are asked anew at this interval.")
    signature: Literal["standard", "step_up"] = Field(
        "standard",
        description="How an approval is signed: standard (signed in), or step_up (also with a security key, "
        "for exactly this plan).",
    )

    @property
    def time_limit(self) -> Duration:
        return self.ladder[-1].after

    @property
    def default(self) -> Literal["proceed", "hold", "abort"]:
        action = self.ladder[-1].action
        if action is None:  # the validator below makes this unreachable for parsed playbooks
            raise ValueError("the ladder has no default")
        return action

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        faults = Faults()
        if self.ladder[0].do != "ask" or self.ladder[0].after:
            faults.add("the first rung of a ladder is {after: 0s, do: ask, to: [roles]}", "ladder", 0)
        if [rung.do for rung in self.ladder].count("default") != 1 or self.ladder[-1].do != "default":
            faults.add(
                "a ladder has exactly one default, as its last rung: "
                "{after: <time limit>, do: default, action: hold | abort | proceed}; "
                "without it nobody would know what happens when nobody decides",
                "ladder",
            )
        again = any(rung.do in ("remind", "escalate") for rung in self.ladder)
        if self.ladder[-1].action == "proceed" and not again:
            faults.add(
                "'proceed' acts when nobody answered, so people are asked at least twice: write a rung "
                "`do: remind` or `do: escalate` before it, or `action: hold`",
                *("ladder", len(self.ladder) - 1, "action"),
            )
        for i, (earlier, later) in enumerate(pairwise(rung.after for rung in self.ladder), start=1):
            if later <= earlier:
                faults.add(
                    f"{format_duration(later)!r} is not later than the rung before "
                    f"({format_duration(earlier)}); rungs have different times in rising order",
                    "ladder",
                    i,
                    "after",
                )
        faults.refuse()
        return self
