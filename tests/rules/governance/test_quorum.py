"""GOV-15: quorum is a matching of people to places, each person at most once."""

from __future__ import annotations

import random
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from countermand.governance.quorum import quorum_state
from countermand.playbook.model import Quorum, QuorumSlot

ROLES = ("a", "b", "c")
voters_strategy = st.dictionaries(
    st.sampled_from(["p1", "p2", "p3", "p4"]), st.sets(st.sampled_from(ROLES)).map(tuple), max_size=4
)


@st.composite
def quorums(draw: st.DrawFn) -> Quorum:
    roles = draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=3, unique=True))
    slots = tuple(QuorumSlot(role=role, min=draw(st.integers(1, 2))) for role in roles)
    places = sum(slot.min for slot in slots)
    return Quorum(roles=slots, distinct_people=draw(st.integers(places, min(places + 1, 10))))


def brute_force(quorum: Quorum, voters: dict[str, tuple[str, ...]]) -> bool:
    slots = [slot.role for slot in quorum.roles for _ in range(slot.min)]
    eligible = [subject for subject, roles in voters.items() if set(roles) & set(slots)]
    if len(eligible) < quorum.distinct_people:
        return False
    return any(
        all(role in voters[subject] for subject, role in zip(order, slots, strict=True))
        for order in permutations(eligible, len(slots))
    )


@given(quorums(), voters_strategy)
def test_gov_15_satisfied_equals_brute_force(quorum: Quorum, voters: dict[str, tuple[str, ...]]) -> None:
    state = quorum_state(quorum, voters)
    assert state.satisfied == brute_force(quorum, voters)
    assert bool(state.missing) == (not state.satisfied)


def test_gov_15_satisfied_equals_brute_force_on_10_000_random_instances() -> None:
    dice = random.Random(20260302)  # noqa: S311  # the same instances every time
    verdicts = []
    for _ in range(10_000):
        roles = dice.sample(ROLES, dice.randint(1, 3))
        slots = tuple(QuorumSlot(role=role, min=dice.randint(1, 2)) for role in roles)
        places = sum(slot.min for slot in slots)
        quorum = Quorum(roles=slots, distinct_people=places + dice.randint(0, 1))
        voters = {f"p{n}": tuple(dice.sample(ROLES, dice.randint(0, 3))) for n in range(dice.randint(0, 6))}
        state = quorum_state(quorum, voters)
        assert state.satisfied == brute_force(quorum, voters), (quorum, voters)
        assert bool(state.missing) == (not state.satisfied)
        verdicts.append(state.satisfied)
    assert 1_000 < sum(verdicts) < 9_000, "both answers are tried"


@given(quorums(), voters_strategy, st.sets(st.sampled_from(ROLES)).map(tuple))
def test_gov_15_another_person_never_unsatisfies(
    quorum: Quorum, voters: dict[str, tuple[str, ...]], roles: tuple[str, ...]
) -> None:
    if quorum_state(quorum, voters).satisfied:
        assert quorum_state(quorum, voters | {"p5": roles}).satisfied


@given(quorums(), voters_strategy)
def test_gov_15_nobody_fills_two_places(quorum: Quorum, voters: dict[str, tuple[str, ...]]) -> None:
    state = quorum_state(quorum, voters)
    assert len(state.verified) == len(set(state.verified))
    assert all(role in voters[subject] for subject, role in state.verified.items())
