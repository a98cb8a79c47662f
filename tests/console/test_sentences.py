"""Words the pages are made of: states, headlines, summaries, and what a silent watch is called."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import get_args

import pytest

from activities.ports import ReleaseStatus
from console import summaries
from console.guards import WORDS
from console.headline import headline, stage_rows
from console.ledger_heads import HeadWord
from console.render import ENVIRONMENT, relative
from console.states import MARKS
from console.summaries import summary
from console.watched import watched
from countermand.cadence.state import Happened
from countermand.cadence.state import Word as DutyWord
from countermand.detection.health import Certificate
from countermand.detection.models import VerdictWord
from countermand.governance.approval import ApprovalStatus
from countermand.governance.eligible import Eligibility
from countermand.ledger import bodies as b
from countermand.messages.incident import IncidentView, incident
from countermand.obligations.clocks import ClockState
from countermand.plan.readiness import Readiness
from countermand.playbook.load import parse
from countermand.review.actions import ActionState
from countermand.rollout.inclusive import Word as SetWord
from countermand.rollout.view import StepState
from tests.console.world import BASE, INCIDENT, Story, World, playbook_bytes, release

Tell = Callable[..., Awaitable[World]]

DETECTION = parse(playbook_bytes()).detection


def literals(body: type[b.Body], name: str) -> set[str]:
    return set(get_args(body.model_fields[name].annotation))


def test_every_state_word_is_one_of_the_product_and_every_one_has_a_mark() -> None:
    stages = {"waiting", "setting"} | literals(b.StageState, "state")
    of_pages = {"opened", "over", "closed", "unattended"}
    words = (
        {word.value for word in VerdictWord}
        | {status.value for status in ApprovalStatus}
        | literals(b.IncidentPhase, "phase")
        | literals(b.IncidentClosed, "outcome")
        | literals(b.AskVote, "vote")
        | literals(b.CheckDone, "word")
        | set(get_args(SetWord))
        | literals(b.ReviewClosed, "outcome")
        | literals(ActionState, "state")
        | literals(b.ConsentClosed, "status")
        | {"in_force", "lapsed", "revoked"}  # standing authorisations
        | literals(Certificate, "word")
        | literals(Eligibility, "word")
        | literals(Readiness, "word")
        | {"breach", *WORDS.values()}  # guards
        | literals(b.RolloutEnded, "outcome")
        | set(get_args(StepState))
        | literals(b.ThresholdPhase, "phase")
        | literals(b.ThresholdEnded, "outcome")
        | literals(b.ThresholdCompared, "word")
        | {"running"}  # a rollout under way
        | {state.value for state in ClockState}
        | literals(b.ObligationDecided, "reportable")
        | {*get_args(DutyWord), *get_args(Happened.model_fields["what"].annotation)}  # duties
        | {"not_covered", *get_args(HeadWord)}  # the ledger's head
        | stages
        | of_pages
    )
    assert set(MARKS) == words


def test_every_mark_has_an_icon_of_its_own_that_is_drawn() -> None:
    macros = ENVIRONMENT.loader.get_source(ENVIRONMENT, "macros.html")[0]  # type: ignore[union-attr]
    for word, found in MARKS.items():
        assert found.icon == "dot" or f'name == "{found.icon}"' in macros, word


def test_every_kind_of_record_has_a_summary() -> None:
    source = inspect.getsource(summaries)
    assert [body.__name__ for body in b.BODIES.values() if f"b.{body.__name__}()" not in source] == []


async def test_summaries_are_one_line_each(tell: Tell) -> None:
    world = await tell(Story.reverted)
    for record in await world.deps.ledger.records():
        assert summary(record).strip()
        assert "\n" not in summary(record)


async def view_at(tell: Tell, moment: Callable[[Story], Awaitable[None]]) -> IncidentView:
    world = await tell(moment)
    view = incident(await world.deps.ledger.records(incident_id=INCIDENT))
    assert view is not None
    return view


async def test_the_headline_of_an_open_request_says_until_when_and_what_then(tell: Tell) -> None:
    now = headline(await view_at(tell, Story.asked))
    assert now.sentence.startswith("Waiting for 2 people to approve the plan")
    assert now.until is not None
    assert now.then.startswith("If nobody decides by then: hold, which means nothing is changed")


async def test_the_headline_while_going_back_is_the_stage(tell: Tell) -> None:
    now = headline(await view_at(tell, Story.soaking))
    assert now.sentence == (
        "Stage 2 of 3 is being watched: 50 % of the candidate's users go back (candidate 45 % → 25 % of all users)."
    )
    assert now.until == BASE + timedelta(minutes=5)
    assert now.then == "Then its checks run, and the next stage begins."


async def test_a_held_stage_says_why_and_what_happens_if_nobody_answers(tell: Tell) -> None:
    async def held(story: Story) -> None:
        await story.soaking()
        await story.stage_state(2, "held", "Waiting for the night shift", by="Jonas Weber", until=BASE)

    now = headline(await view_at(tell, held))
    assert now.sentence == "Stage 2 of 3 is held: Waiting for the night shift."
    assert now.then == "If nobody resumes, aborts or reverses it by then, it is planned and asked again."


async def test_a_closed_incident_waits_for_nothing(tell: Tell) -> None:
    view = await view_at(tell, Story.reverted)
    assert headline(view).sentence == "Rolled back and shown to be healthy."
    assert headline(view).until is None
    assert [(row.before_bp, row.after_bp, row.view.state) for row in stage_rows(view)] == [
        (5_000, 4_500, "completed"),
        (4_500, 2_500, "completed"),
        (2_500, 0, "completed"),
    ]


async def test_the_stages_of_a_plan_that_is_only_proposed_have_not_begun(tell: Tell) -> None:
    rows = stage_rows(await view_at(tell, Story.asked))
    assert [row.view.state for row in rows] == ["waiting"] * 3


def status(**changes: object) -> ReleaseStatus:
    fields = {"release": release(), "registered_at": BASE, "closed_at": None, "closed_why": None}
    return ReleaseStatus.model_validate(fields | changes)


JUDGED = {"start": (BASE + timedelta(seconds=60)).isoformat(), "word": "ok", "sentence": "No evidence of harm."}


@pytest.mark.parametrize(
    ("newest", "seconds", "word", "says"),
    [
        (None, 5, "waiting", "Waiting for the first block"),
        (None, 60, "unknown", "nothing has ever been judged"),
        (JUDGED, 65, "ok", "No evidence of harm."),
        (JUDGED, 120, "unknown", "No block was judged for 58 seconds; its last verdict was ok."),
        (JUDGED, 3_600, "over", "The watch reached its declared length."),
    ],
)
def test_a_verdict_counts_only_while_blocks_are_judged(
    newest: dict[str, str] | None, seconds: int, word: str, says: str
) -> None:
    found = watched(status(), DETECTION, newest, BASE + timedelta(seconds=seconds))
    assert found.word == word
    assert says in found.sentence


def test_a_closed_release_says_why() -> None:
    found = watched(status(closed_at=BASE, closed_why="Rolled back."), DETECTION, JUDGED, BASE)
    assert (found.word, found.sentence) == ("closed", "Rolled back.")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "now"), (90, "in 90 seconds"), (-61, "61 seconds ago"), (-7_300, "2 hours ago")]
)
def test_relative_times_are_words(seconds: float, words: str) -> None:
    assert relative(BASE + timedelta(seconds=seconds), BASE) == words
