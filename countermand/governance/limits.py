"""Organisation limits against floods, flapping and abuse; the governance file may set each (GOV-25, 40, 49…59)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from countermand.playbook.terms import Strict
from countermand.playbook.units import Positive

#: For so long a check of the rollback target counts (GOV-24).
TARGET_VERIFIED_FOR = timedelta(minutes=15)

Count = Annotated[int, Field(ge=1, le=1_000, strict=True)]


class Limits(Strict):
    """Shipped defaults are those of the product; a governance file writes only what differs."""

    ack_quiet: Positive = Field(
        timedelta(minutes=10), description="No page to a person for this long after they acknowledged."
    )
    asks_per_hour: Count = Field(6, description="Asks to one person in an hour; more are shown as one list.")
    signals_per_minute: Count = Field(60, description="Signals of one source in a minute; more is a flood.")
    missed_intervals: Count = Field(3, description="Missed intervals after which a silent source counts as absent.")
    cooldown: Positive = Field(timedelta(hours=2), description="No automatic revert of a family after a revert.")
    ping_pong_moves: Annotated[int, Field(ge=2, le=10, strict=True)] = Field(
        2, description="Moves there and back that stop automation."
    )
    ping_pong_window: Positive = Field(timedelta(hours=24), description="The time in which they count.")
    automatic_per_day: Annotated[int, Field(ge=0, le=100, strict=True)] = Field(
        2, description="Automatic rollbacks per environment in 24 hours; above it people decide."
    )
    independent_sources: Annotated[int, Field(ge=2, le=10, strict=True)] = Field(
        2, description="Independent sources that must agree before anything is automatic."
    )
    first_stage_bp: Annotated[int, Field(ge=1, le=10_000, strict=True)] = Field(
        1_000, description="Basis points of all users that the first stage of an automatic revert may move."
    )
    first_stage_soak: Positive = Field(timedelta(minutes=5), description="How long that first stage must soak.")
    ineffective_plans: Count = Field(2, description="Plans in a row without improvement that stop automation.")
    break_glass_uses: Count = Field(2, description="Uses of break-glass per environment and 30 days without a finding.")
    rehearsed_within: Positive = Field(
        timedelta(days=90), description="How long a passed rehearsal of a playbook counts for acting without people."
    )
    max_age: Positive | None = Field(
        None,
        description="A version last known to serve longer ago is not eligible; without it age does not count.",
    )
