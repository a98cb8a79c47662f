"""Quorum as a value: who fills which role slot, what is missing, whether it is satisfied (GOV-15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from countermand.plan.target import Value
from countermand.playbook.model import Quorum


class QuorumState(Value):
    """`verified` maps each matched subject to the role slot they fill."""

    verified: dict[str, str]
    missing_roles: tuple[str, ...]
    people: int
    people_needed: int

    @property
    def satisfied(self) -> bool:
        return not self.missing_roles and self.people >= self.people_needed

    @property
    def missing(self) -> tuple[str, ...]:
        """What is missing, in words."""
        words = [role.replace("_", " ") for role in self.missing_roles]
        spare = self.people_needed - self.people - len(self.missing_roles)
        return (*words, *["one more person"] * max(spare, 0))


def quorum_state(quorum: Quorum, voters: Mapping[str, tuple[str, ...]]) -> QuorumState:
    """Match voters (subject → roles held) to role slots, each person at most once.

    Only people who hold a role of the quorum count as people.
    """
    slots = [slot.role for slot in quorum.roles for _ in range(slot.min)]
    holder = match_slots([frozenset({role}) for role in slots], voters)
    eligible = [subject for subject, roles in voters.items() if set(roles) & set(slots)]
    return QuorumState(
        verified={subject: slots[index] for index, subject in sorted(holder.items())},
        missing_roles=tuple(role for index, role in enumerate(slots) if index not in holder),
        people=len(eligible),
        people_needed=quorum.distinct_people,
    )


def match_slots(slots: Sequence[frozenset[str]], voters: Mapping[str, tuple[str, ...]]) -> dict[int, str]:
    """Who fills which place: index of the slot → subject. Each slot lists the roles that can fill it.

    A maximum bipartite matching by augmenting paths (Kuhn 1955), so that a person with two roles never blocks
    a slot somebody else could leave free. Deterministic: people in order of their subject.
    """
    holder: dict[int, str] = {}

    def place(subject: str, tried: set[int]) -> bool:
        for index, roles in enumerate(slots):
            if index not in tried and roles.intersection(voters[subject]):
                tried.add(index)
                if index not in holder or place(holder[index], tried):
                    holder[index] = subject
                    return True
        return False

    for subject in sorted(voters):
        place(subject, set())
    return holder
