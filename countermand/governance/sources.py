"""Where the members of a role come from, and who they are as the source says (GOV-3, GOV-5).

A role without an entry has the members that the governance file lists. Every role has one source.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from countermand.plan.target import Value
from countermand.playbook.model import Name
from countermand.playbook.terms import Strict
from countermand.playbook.units import Positive, format_duration

#: Membership that was read longer ago is asked for anew before anybody decides (GOV-4).
FRESH = timedelta(seconds=120)
#: For so long after a sign-in the groups that the identity provider named then are believed.
SIGN_IN_COUNTS = timedelta(hours=8)

SourceKind = Literal["oidc_groups", "slack_user_group"]


class RoleSource(Strict):
    """The one source of a role: a group in the `groups` claim of sign-ins, or a Slack user group by its id."""

    oidc_groups: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    slack_user_group: Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{1,20}$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.oidc_groups is None) == (self.slack_user_group is None):
            raise ValueError("a role has exactly one source; write either `oidc_groups` or `slack_user_group`")
        return self

    @property
    def kind(self) -> SourceKind:
        return "oidc_groups" if self.slack_user_group is None else "slack_user_group"

    @property
    def group(self) -> str:
        return self.oidc_groups or self.slack_user_group or ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.group}"


class LastKnown(Strict):
    """How old the last known members may be while a source does not answer; records that rest on them say it."""

    max_age: Annotated[Positive, Field(le=timedelta(hours=24))]


class Membership(Value):
    """Who holds one role.

    members: subjects, each with the instant at which the source said so. as_of: when the source was read.
    unavailable: why nobody can say now who holds the role; empty when it is known. last_known: the source does not
    answer, and the governance file accepts members of this age. left_out: members of the group that do not count,
    each with the reason.
    """

    role: Name
    source: str
    members: dict[str, datetime]
    as_of: datetime
    unavailable: str = ""
    last_known: bool = False
    left_out: tuple[str, ...] = ()

    def since(self, accounts: Collection[str]) -> datetime | None:
        """Since when the source says that the person with these accounts holds the role; None when it does not."""
        return max((at for subject, at in self.members.items() if subject in accounts), default=None)

    def printed(self, at: datetime) -> str:
        """The source, and the age of what it said when it does not answer now."""
        if not self.last_known:
            return self.source
        age = timedelta(seconds=max(0, round((at - self.as_of).total_seconds())))
        return f"{self.source} (does not answer; last known {format_duration(age)} ago)"
