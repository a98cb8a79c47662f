"""Deny beats allow, quarantine holds until enough people signed, and what is not known is not eligible (GOV-44…48)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from countermand.canonical import digest
from countermand.governance.eligible import (
    Alternative,
    Eligibility,
    Version,
    alternative_sentence,
    judge,
    next_eligible,
)
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.version_lists import allowance, lifting, rests_on
from countermand.ledger.bodies import (
    IncidentClosed,
    QuarantineLifted,
    ReleaseRegistered,
    RolloutEnded,
    VersionAllowed,
    VersionDenied,
    VersionQuarantined,
)
from countermand.ledger.record import parse_line
from countermand.plan.target import CheckWord
from countermand.playbook.terms import Severity
from tests import cases, fakes
from tests.standing import give

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
RELEASE = cases.release()
BASELINE, CANDIDATE = Version.of(RELEASE.baseline), Version.of(RELEASE.candidate)
LEGAL = "local|legal"


class Book:
    """A Ledger in which the baseline is registered."""

    def __init__(self) -> None:
        self.ledger, self.keys = fakes.FakeLedger(), fakes.FakeKeys()
        document = cases.governance().model_dump(mode="json", by_alias=True)
        document["people"].append({"subject": LEGAL, "name": "Nils Berg", "roles": ["legal_counsel"]})
        document["people"][3]["roles"].append("fairness_reviewer")
        self.people = fakes.FakePeople(cases.governance(people=document["people"]))

    async def deny(self, version: str = BASELINE.digest, number: int = 1, **changes: Any) -> None:
        given: dict[str, Any] = {
            "digest": version, "environment": "test", "decision_id": f"d-{number}", "subject": cases.MARIA,
            "name": "Maria Keller", "reason": "CVE-2026-1 in its harness", "not_before": NOW - timedelta(hours=1),
            "not_after": None,
        }  # fmt: skip
        body = VersionDenied.model_validate(given | changes)
        await self.ledger.append(body.entry(f"denied/{number}", cases.MARIA))

    async def quarantine(self, fairness: bool = False) -> None:
        candidate = RELEASE.candidate
        members = {part: getattr(candidate, part) for part in candidate.differs_from(RELEASE.baseline)}
        body = VersionQuarantined(
            digest=candidate.digest, name=candidate.name, environment="test", members=members, fairness=fairness
        )
        await self.ledger.append(body.entry("quarantined", "worker", incident_id="inc-1"))

    async def sign(self, action: Action, document: dict[str, Any], *signers: str, name: str = "c-1") -> str:
        conditions = ("fairness_fired",) if cases.LENA in signers else ()
        right = shipped_rights().row(action, Severity.sev1).under(conditions)
        people = await self.people.snapshot()
        return await give(self.ledger, self.keys, people, right, document, name, fakes.now(), signers)

    async def allow(self, *signers: str, version: str = BASELINE.digest, name: str = "c-1") -> None:
        consent = await self.sign(
            Action.allow_version, allowance(version, "test", "it is repaired"), *signers, name=name
        )
        body = VersionAllowed(digest=BASELINE.digest, environment="test", consent_id=consent)
        await self.ledger.append(body.entry(f"allowed/{name}", "worker"))

    async def lift(self, *signers: str, incident: str = "inc-1") -> None:
        document = lifting(CANDIDATE.digest, "test", incident, "the judge was wrong")
        consent = await self.sign(Action.re_release, document, *signers)
        body = QuarantineLifted(digest=CANDIDATE.digest, environment="test", by_incident="inc-1", consent_id=consent)
        await self.ledger.append(body.entry("lifted", "worker"))

    async def closed(self, outcome: str, release_id: str = RELEASE.release_id) -> None:
        body = IncidentClosed.model_validate({"outcome": outcome, "sentence": "Rolled back and shown to be healthy."})
        await self.ledger.append(body.entry("closed", "worker", incident_id="inc-1", release_id=release_id))

    async def judged(
        self,
        version: Version = BASELINE,
        environment: str = "test",
        now: datetime = NOW,
        max_age: timedelta | None = None,
    ) -> Eligibility:
        records = await self.ledger.records()
        return judge(version, environment, records, self.keys.gateway_keys(), shipped_rights(), now, max_age)

    async def alternative(self, besides: str = BASELINE.digest, environment: str = "test") -> Alternative | None:
        records, keys = await self.ledger.records(), self.keys.gateway_keys()
        return next_eligible("test-bot", environment, besides, records, keys, shipped_rights(), NOW)


@pytest.fixture
async def book() -> Book:
    made = Book()
    await cases.register(made.ledger, RELEASE)
    return made


async def test_the_baseline_of_a_registered_release_is_eligible_and_says_on_which_record_that_rests(book: Book) -> None:
    found = await book.judged()
    assert (found.word, found.eligible) == ("eligible", True)
    served = found.checks[-1]
    assert (served.name, served.word, served.records) == ("served", CheckWord.passed, (0,))
    assert "test-bot-v7" in found.because


@pytest.mark.parametrize(("version", "environment"), [(CANDIDATE, "test"), (BASELINE, "production")])
async def test_what_never_served_here_is_unknown_and_not_eligible(
    book: Book, version: Version, environment: str
) -> None:
    found = await book.judged(version, environment)
    assert (found.word, found.eligible) == ("unknown", False)
    assert "not known" in found.because


async def test_gov_45_deny_beats_what_served_and_says_who_when_and_which_record_holds_the_reason(book: Book) -> None:
    await book.deny()
    found = await book.judged()
    assert found.word == "denied"
    assert found.checks[0].records == (1,)
    for said in ("Maria Keller", "2026-03-02T02:00"):
        assert said in found.because
    assert "CVE-2026-1" not in found.because
    assert (await book.judged(BASELINE, "production")).word == "unknown"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"not_before": NOW}, "denied"),
        ({"not_before": NOW + timedelta(seconds=1)}, "eligible"),
        ({"not_after": NOW + timedelta(seconds=1)}, "denied"),
        ({"not_after": NOW}, "eligible"),
        ({"version": RELEASE.baseline.harness}, "denied"),
        ({"version": digest("another")}, "eligible"),
        ({"environment": "production"}, "eligible"),
    ],
)
async def test_a_denial_counts_for_its_dates_its_environment_and_its_part(
    book: Book, changes: dict[str, Any], word: str
) -> None:
    await book.deny(**changes)
    assert (await book.judged()).word == word


async def test_two_people_of_the_row_allow_it_again(book: Book) -> None:
    await book.deny()
    await book.allow(cases.MARIA, LEGAL)
    assert rests_on(await book.ledger.records()) == ("c-1",)
    assert (await book.judged()).eligible


@pytest.mark.parametrize("signers", [(), (cases.MARIA,), (LEGAL,), (cases.MARIA, cases.AMIRA)])
async def test_an_allowance_that_too_few_people_signed_changes_nothing(book: Book, signers: tuple[str, ...]) -> None:
    await book.deny()
    await book.allow(*signers)
    assert (await book.judged()).word == "denied"


async def test_an_allowance_of_another_version_changes_nothing(book: Book) -> None:
    await book.deny()
    await book.allow(cases.MARIA, LEGAL, version=CANDIDATE.digest)
    assert (await book.judged()).word == "denied"


async def test_an_allowance_does_not_end_a_denial_that_came_after_people_were_asked(book: Book) -> None:
    await book.allow(cases.MARIA, LEGAL)
    await book.deny()
    assert (await book.judged()).word == "denied"
    body = VersionAllowed(digest=BASELINE.digest, environment="test", consent_id="c-1")
    await book.ledger.append(body.entry("allowed/again", "worker"))
    assert (await book.judged()).word == "denied"


async def test_gov_47_the_candidate_and_each_bundle_with_a_changed_part_of_it_are_in_quarantine(book: Book) -> None:
    await book.quarantine()
    assert (await book.judged()).eligible, "the baseline shares only what was not changed"
    found = await book.judged(CANDIDATE)
    assert (found.word, found.checks[1].records) == ("quarantined", (1,))
    assert "inc-1" in found.because
    other = Version.of(cases.bundle("test-bot v8", index=RELEASE.candidate.index, prompt="sha256:prompt-3"))
    assert "its index" in (await book.judged(other)).because
    assert (await book.judged(Version(digest=RELEASE.candidate.index))).word == "quarantined"
    swapped = Version.of(cases.bundle("test-bot v9", prompt=RELEASE.candidate.index))
    assert (await book.judged(swapped)).word == "unknown", "the same text in another part is something else"
    assert (await book.judged(CANDIDATE, "production")).word == "unknown"


async def test_gov_48_quarantine_is_lifted_by_the_people_of_a_re_release(book: Book) -> None:
    await book.quarantine()
    await book.lift(cases.MARIA, cases.AMIRA)
    found = await book.judged(CANDIDATE)
    assert (found.word, found.checks[1].word) == ("unknown", CheckWord.passed)


@pytest.mark.parametrize(("signers", "incident"), [((cases.MARIA,), "inc-1"), ((cases.MARIA, cases.AMIRA), "inc-2")])
async def test_a_lifting_without_enough_people_or_of_another_incident_changes_nothing(
    book: Book, signers: tuple[str, ...], incident: str
) -> None:
    await book.quarantine()
    await book.lift(*signers, incident=incident)
    assert (await book.judged(CANDIDATE)).word == "quarantined"


@pytest.mark.parametrize(
    ("signers", "word"),
    [((cases.MARIA, cases.AMIRA), "quarantined"), ((cases.MARIA, cases.AMIRA, cases.LENA), "unknown")],
)
async def test_after_a_trigger_about_fairness_a_fairness_reviewer_has_to_sign_as_well(
    book: Book, signers: tuple[str, ...], word: str
) -> None:
    await book.quarantine(fairness=True)
    await book.lift(*signers)
    assert (await book.judged(CANDIDATE)).word == word


async def test_gov_44_whose_word_it_is_that_a_version_serves_is_said(book: Book) -> None:
    assert "on the word of local|deployer" in (await book.judged()).because


async def test_gov_44_a_version_that_was_measured_to_be_healthy_says_so_instead(book: Book) -> None:
    await book.closed("reverted")
    served = (await book.judged()).checks[2]
    assert (served.word, served.records) == (CheckWord.passed, (1,))
    assert "inc-1" in served.sentence
    assert "shown to be healthy" in served.sentence


@pytest.mark.parametrize(
    ("outcome", "release_id"), [("reverted_not_verified", RELEASE.release_id), ("reverted", "another")]
)
async def test_a_rollback_without_proof_of_health_or_of_another_release_proves_nothing(
    book: Book, outcome: str, release_id: str
) -> None:
    await book.closed(outcome, release_id)
    assert "shown to be healthy" not in (await book.judged()).because


async def test_gov_44_a_version_last_known_to_serve_too_long_ago_is_not_eligible(book: Book) -> None:
    limit, registered = timedelta(days=90), (await book.ledger.records())[0].at
    assert (await book.judged(now=registered + limit, max_age=limit)).eligible
    found = await book.judged(now=registered + limit + timedelta(seconds=1), max_age=limit)
    assert (found.word, found.eligible, found.checks[-1].name) == ("too_old", False, "age")
    assert "up to 90d ago is accepted" in found.because
    assert (await book.judged(now=registered + 10 * limit)).eligible, "without a limit age does not count"


async def test_gov_45_the_newest_eligible_version_of_the_service_is_named_and_nothing_is_chosen(book: Book) -> None:
    older, newer = cases.bundle("test-bot v4", model="sha256:model-4"), cases.bundle("test-bot v5", index="sha256:i-5")
    for number, bundle in enumerate((older, newer)):
        await cases.register(book.ledger, RELEASE.model_copy(update={"release_id": f"r-{number}", "baseline": bundle}))
    found = await book.alternative()
    assert found is not None
    assert (found.name, found.found.digest) == ("test-bot v5", newer.digest)
    said = alternative_sentence("test-bot", "test", found)
    assert "test-bot v5" in said
    assert "Nothing is chosen for you" in said
    await book.deny("sha256:i-5", number=2)
    passed_over = await book.alternative()
    assert passed_over is not None
    assert passed_over.name == "test-bot v4"


@pytest.mark.parametrize("update", [{"service": "another-bot"}, {"environment": "production"}])
async def test_a_version_of_another_service_or_environment_is_no_alternative(
    book: Book, update: dict[str, str]
) -> None:
    other = cases.bundle("test-bot v5", index="sha256:i-5")
    await cases.register(book.ledger, RELEASE.model_copy(update={"release_id": "r-2", "baseline": other} | update))
    assert await book.alternative() is None
    assert alternative_sentence("test-bot", "test", None).startswith("No other version of test-bot is known")


async def test_a_version_whose_parts_are_not_on_record_is_no_alternative(book: Book) -> None:
    other = RELEASE.model_copy(update={"release_id": "r-2", "baseline": cases.bundle("v5", index="sha256:i-5")})
    await cases.register(book.ledger, other)
    entry = parse_line(book.ledger.lines[-1])
    body = ReleaseRegistered.model_validate(entry.body).model_copy(update={"baseline_parts": {}})
    book.ledger.lines.pop()
    await book.ledger.append(body.entry("r-2/registered", "local|deployer", release_id="r-2"))
    assert await book.alternative() is None


async def test_gov_45_deny_beats_what_people_allowed_before_and_what_was_shown_to_be_healthy(book: Book) -> None:
    await book.closed("reverted")
    await book.allow(cases.MARIA, LEGAL)
    await book.deny()
    found = await book.judged()
    assert (found.word, found.barred) == ("denied", True)


async def rolled_out(book: Book, **changes: Any) -> None:
    given: dict[str, Any] = {
        "rollout_id": "rollout-7", "kind": "ramp", "environment": "test", "member": "m", "outcome": "done",
        "candidate_digest": CANDIDATE.digest, "sentence": "Shown.", "candidate_bp": 10_000,
        "candidate_parts": CANDIDATE.parts,
    }  # fmt: skip
    body = RolloutEnded.model_validate(given | changes)
    await book.ledger.append(body.entry("rollout-7/ended", "worker", release_id=RELEASE.release_id))


async def test_what_was_rolled_out_to_everybody_and_shown_to_be_healthy_is_a_way_back(book: Book) -> None:
    assert (await book.judged(CANDIDATE)).word == "unknown"
    await rolled_out(book)
    found = await book.judged(CANDIDATE)
    assert found.word == "eligible"
    assert "was rolled out to everybody in rollout rollout-7" in found.because
    assert "shown to be healthy" in found.because


@pytest.mark.parametrize(
    "changes",
    [
        {"candidate_bp": 5_000},
        {"candidate_bp": None},
        {"outcome": "doubtful"},
        {"candidate_digest": "sha256:" + "0" * 64},
        {"environment": "elsewhere"},
    ],
)
async def test_any_other_end_of_a_rollout_proves_nothing(book: Book, changes: dict[str, Any]) -> None:
    await rolled_out(book, **changes)
    assert (await book.judged(CANDIDATE)).word == "unknown"


async def test_what_was_rolled_out_and_then_taken_from_users_stays_in_quarantine(book: Book) -> None:
    await rolled_out(book)
    await book.quarantine()
    assert (await book.judged(CANDIDATE)).word == "quarantined"
