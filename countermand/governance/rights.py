"""The table of decision rights: who may do what, how many must agree, how strongly they sign (governance.md §1).

The shipped table is `rights.yaml`; `shipped.py` reads it and a governance file may replace rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.governance.decision import SignatureClass
from countermand.governance.quorum import match_slots
from countermand.playbook.model import QuorumSlot
from countermand.playbook.terms import Faults, Name, Severity, Strict, Text


class Action(StrEnum):
    """What the table governs."""

    acknowledge = "acknowledge"
    propose = "propose"
    decide_plan = "decide_plan"
    withdraw = "withdraw"
    extend = "extend"
    abort = "abort"
    skip = "skip"
    force = "force"
    reassign = "reassign"
    accept_partial = "accept_partial"
    fairness_finding = "fairness_finding"
    report_unfairness = "report_unfairness"
    break_glass = "break_glass"
    standing_authorisation = "standing_authorisation"
    adopt_playbook = "adopt_playbook"
    tighten_threshold = "tighten_threshold"
    loosen_threshold = "loosen_threshold"
    start_rollout = "start_rollout"
    stop_rollout = "stop_rollout"
    re_release = "re_release"
    deny_version = "deny_version"
    allow_version = "allow_version"
    place_hold = "place_hold"
    release_hold = "release_hold"
    keep_obligation = "keep_obligation"
    keep_review = "keep_review"
    waive_review = "waive_review"
    approve_communication = "approve_communication"
    delegate = "delegate"
    raise_concern = "raise_concern"


#: People a row names by what they are to the request, not by role.
Relation = Literal["requester", "asked", "role_holder", "audience_approver"]
#: What makes a row ask for one more role.
Condition = Literal["protected_attribute", "fairness_fired"]


class Right(Strict):
    """One row. `people: null` says that the act is no decision and needs no signature."""

    action: Action
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = tuple(Severity)
    does: Text
    roles: tuple[Name, ...] = ()
    relations: tuple[Relation, ...] = ()
    people: Annotated[int, Field(ge=1, le=10, strict=True)] | None
    at_least: tuple[QuorumSlot, ...] = ()
    also: dict[Condition, Name] = Field(default_factory=dict)
    signature: SignatureClass | None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = Faults()
        if not self.roles and not self.relations:
            faults.add("nobody may do this; name at least one of `roles` and `relations`", "roles")
        if (self.people is None) != (self.signature is None):
            faults.add("a decision has both `people` and `signature`; an act that is none has neither", "people")
        slots = sum(slot.min for slot in self.at_least)
        if slots > (self.people or 0):
            faults.add(f"{self.people!r} people cannot fill {slots} places of `at_least`; write more", "people")
        for i, slot in enumerate(self.at_least):
            if slot.role not in self.roles:
                faults.add(f"{slot.role!r} is not among `roles`", "at_least", i, "role")
        faults.refuse()
        return self

    def slots(self, conditions: Collection[Condition] = ()) -> tuple[frozenset[str], ...]:
        """Places to fill, each with the roles that can fill it; one more place per condition that holds."""
        if self.people is None:
            return ()
        named = [frozenset({slot.role}) for slot in self.at_least for _ in range(slot.min)]
        free = [frozenset(self.roles)] * (self.people - len(named))
        more = [frozenset({role}) for condition, role in sorted(self.also.items()) if condition in conditions]
        return (*named, *more, *free)

    def under(self, conditions: Collection[Condition]) -> Right:
        """The row as people are asked where these conditions hold and no others: each adds a place for its role."""
        more = tuple(QuorumSlot(role=role, min=1) for name, role in sorted(self.also.items()) if name in conditions)
        if self.people is None or not more:
            return self.model_copy(update={"also": {}})
        return self.model_copy(
            update={
                "roles": tuple(dict.fromkeys((*self.roles, *(slot.role for slot in more)))),
                "people": self.people + len(more),
                "at_least": (*self.at_least, *more),
                "also": {},
            }
        )

    def missing(self, voters: Mapping[str, tuple[str, ...]], conditions: Collection[Condition] = ()) -> tuple[str, ...]:
        """Places that these people (subject → roles) leave empty, in words; empty when enough agree.

        Only for rows that name roles: whom `relations` mean is known where the request is.
        """
        slots = self.slots(conditions)
        filled = match_slots(slots, voters)
        return tuple(" or ".join(sorted(slot)) for index, slot in enumerate(slots) if index not in filled)


class RightsTable(Strict):
    """All rows: at most one of an action for each severity.

    A table in force has exactly one (`whole`). One that a workflow pinned before an action existed has none for it, so
    that an incident goes on when a new version of the product takes over.
    """

    schema_: Literal["countermand.rights/v1"] = Field(alias="schema")
    rows: tuple[Right, ...]

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        self._refuse(lambda found: found > 1)
        return self

    def whole(self) -> Self:
        """This table. Raises Misfit unless every action has exactly one row for each severity."""
        self._refuse(lambda found: found != 1)
        return self

    def _refuse(self, wrong: Callable[[int], bool]) -> None:
        faults = Faults()
        for action in Action:
            for severity in Severity:
                found = sum(row.action is action and severity in row.severities for row in self.rows)
                if wrong(found):
                    faults.add(f"{action.value} at {severity.value} has {found} rows; write exactly one", "rows")
        faults.refuse()

    def row(self, action: Action, severity: Severity) -> Right:
        """The row in force for an action at a severity. Raises KeyError for one that was pinned before it existed."""
        for row in self.rows:
            if row.action is action and severity in row.severities:
                return row
        raise KeyError(f"{action.value} at {severity.value}")

    def may(self, role: str, action: Action, severity: Severity, conditions: Collection[Condition] = ()) -> bool:
        """Whether a holder of the role may take part in the action by that role."""
        row = self.row(action, severity)
        return role in row.roles or any(row.also.get(condition) == role for condition in conditions)

    def required_class(self, action: Action, severity: Severity) -> SignatureClass | None:
        """The class of signature an action needs; None when it is no decision."""
        return self.row(action, severity).signature

    def replaced(self, rows: Collection[Right]) -> RightsTable:
        """This table with other rows for the actions that `rows` names. Raises ValueError on gaps or doubles."""
        actions = {row.action for row in rows}
        kept = tuple(row for row in self.rows if row.action not in actions)
        return RightsTable.model_validate({"schema": self.schema_, "rows": (*kept, *rows)}).whole()


def unreachable(row: Right, holders: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What the people of the organisation (subject → roles) cannot fill of a row; empty when they can (GOV-6)."""
    return row.missing(holders, tuple(row.also)) if row.roles else ()
