"""GOV-28: a standing authorisation covers exactly what was signed, for as long as it was signed, or sends to people."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.standing import PlanFacts, StandingAuthorisation, StandingStage, Validity, valid
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import BEGIN, DIGEST, OMAR, an_actor

RIGHT = shipped_rights().row(Action.standing_authorisation, Severity.sev1)
STAGES = tuple(
    StandingStage(give_back_bp=share, soak=timedelta(minutes=minutes)) for share, minutes in ((1_000, 5), (10_000, 10))
)
FACTS = PlanFacts(
    playbook_digest=DIGEST,
    environment="test",
    severity=Severity.sev1,
    triggers=("truth",),
    target="sha256:good",
    exposure_bp=2_500,
    stages=STAGES,
)
SIGNERS = (an_actor(cases.MARIA), an_actor(cases.AMIRA))


def an_authorisation(**changes: object) -> StandingAuthorisation:
    authorisation = StandingAuthorisation(
        authorisation_id="sa-1",
        playbook_digest=DIGEST,
        environment="test",
        severities=(Severity.sev1,),
        triggers=("truth", "toxicity"),
        targets=("sha256:good",),
        max_exposure_bp=5_000,
        stages=STAGES,
        issued_at=BEGIN,
        expires_at=BEGIN + timedelta(days=90),
        signers=SIGNERS,
    )
    return StandingAuthorisation.model_validate(authorisation.model_dump() | changes)


def judged(authorisation: StandingAuthorisation | None = None, **changes: object) -> Validity:
    asked = {"now": BEGIN + timedelta(days=1), "rehearsed_at": BEGIN, "fresh_for": timedelta(days=30), "runs_today": 0}
    asked |= {name: changes.pop(name) for name in list(changes) if name in asked}
    facts = FACTS.model_copy(update=changes)
    now = asked.pop("now")
    return valid(authorisation or an_authorisation(), facts, now, right=RIGHT, **asked)  # type: ignore[arg-type]


def test_gov_28_a_plan_inside_everything_that_was_signed_is_covered() -> None:
    assert judged() == Validity(ok=True)
    assert judged(rehearsed_at=BEGIN - timedelta(days=29)).ok, "fresh for 30 days, the last instant included"
    assert judged(exposure_bp=5_000, triggers=("toxicity", "truth")).ok


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"playbook_digest": "sha256:other"}, "the playbook changed since it was signed"),
        ({"environment": "production"}, "it is for 'test', not for 'production'"),
        ({"severity": Severity.sev2}, "it does not cover sev2"),
        ({"triggers": ("truth", "latency")}, "it does not cover the trigger 'latency'"),
        ({"triggers": ()}, "it does not cover the trigger of this plan: none fired"),
        ({"target": "sha256:older"}, "'sha256:older' is not among its targets"),
        ({"exposure_bp": 5_001}, "50.01 % of users are on the candidate, it holds up to 50 %"),
        ({"stages": STAGES[1:]}, "the stages are not those that were signed"),
        (
            {"stages": (STAGES[0].model_copy(update={"soak": timedelta(minutes=4)}), STAGES[1])},
            "the stages are not those that were signed",
        ),
        ({"now": BEGIN - timedelta(seconds=1), "rehearsed_at": BEGIN - timedelta(days=1)}, "it begins at"),
        ({"now": BEGIN + timedelta(days=90), "rehearsed_at": BEGIN + timedelta(days=80)}, "it expired at"),
        ({"rehearsed_at": None}, "never rehearsed"),
        ({"rehearsed_at": BEGIN + timedelta(days=2)}, "never rehearsed"),
        ({"rehearsed_at": BEGIN - timedelta(days=29, seconds=1)}, "is too long ago"),
        ({"runs_today": 1}, "it ran 1 times in 24 hours, and 1 is the most"),
    ],
)
def test_gov_28_anything_wider_or_later_sends_the_gate_to_people_and_says_why(
    changes: dict[str, object], reason: str
) -> None:
    found = judged(**changes)
    assert not found.ok
    assert [words for words in found.reasons if reason in words] == list(found.reasons)


def test_gov_28_a_revoked_one_has_lapsed_from_that_instant() -> None:
    revoked = an_authorisation(revoked_at=BEGIN + timedelta(days=1))
    assert not judged(revoked).ok
    assert judged(revoked, now=BEGIN + timedelta(hours=23)).ok


@pytest.mark.parametrize(
    "signers",
    [(), SIGNERS[:1], SIGNERS[1:], (SIGNERS[1], an_actor(OMAR)), (SIGNERS[1], SIGNERS[1])],
)
def test_gov_28_it_needs_two_people_a_safety_lead_and_an_executive(signers: tuple[object, ...]) -> None:
    found = judged(an_authorisation(signers=signers))
    assert "it lacks the signature of" in " ".join(found.reasons)


def test_gov_2_automation_signs_no_standing_authorisation() -> None:
    robot = an_actor(cases.MARIA, principal="automation")
    assert not judged(an_authorisation(signers=(robot, SIGNERS[1]))).ok


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expires_at": BEGIN + timedelta(days=90, seconds=1)}, "at most 90 days later"),
        ({"expires_at": BEGIN}, "at most 90 days later"),
        ({"stages": STAGES[:1]}, "the last stage gives all users back"),
        ({"targets": ()}, "targets"),
        ({"runs_per_day": 0}, "runs_per_day"),
    ],
)
def test_gov_28_an_open_ended_one_does_not_parse(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        an_authorisation(**changes)


def test_what_is_signed_leaves_out_the_signatures_and_nothing_else() -> None:
    one = an_authorisation()
    assert an_authorisation(signers=(), revoked_at=BEGIN + timedelta(days=1)).digest == one.digest
    assert an_authorisation(runs_per_day=2).digest != one.digest
