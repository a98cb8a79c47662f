"""The lessons register: which lesson fits which playbook, what was answered, and what leaves the organisation."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from countermand.learning.lesson_export import export
from countermand.learning.lesson_stub import stub
from countermand.learning.lesson_tags import matches, tags_of
from countermand.learning.lessons import Lesson, ignored, lessons, matching, search, warning, with_consequence
from countermand.ledger.bodies import LessonSeen, LessonUsed, LessonWritten
from countermand.ledger.body import Body
from countermand.ledger.private import ERASED
from countermand.ledger.record import GENESIS_PREV, build_line, parse_line
from tests import cases

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
WHO = {"by": "local|maria", "name": "Maria Keller"}


def written(number: int = 1, **changes: object) -> LessonWritten:
    said: dict[str, object] = {
        "lesson_id": f"lesson-{number:08x}",
        "title": "Engagement up is not health",
        "text": "Ask a safety signal <b>too</b>.",
        "tags": ("family:safety", "context:conversational_agent"),
        "source": "incident",
        "about": "inc-7f3a2c1d",
        "review_id": "inc-7f3a2c1d-review",
        "share": "public",
    }
    return LessonWritten.model_validate(said | WHO | changes)


def seen(applies: bool, about: str = "sha256:p") -> LessonSeen:
    return LessonSeen(
        lesson_id="lesson-00000001", place="playbook", about=about, applies=applies, reason="Because.", **WHO
    )


def used(use: str) -> LessonUsed:
    return LessonUsed.model_validate(
        {"lesson_id": "lesson-00000001", "use": use, "link": "", "stub_sha256": None, "reason": "Because."} | WHO
    )


def register(*said: Body) -> tuple[Lesson, ...]:
    return lessons(
        parse_line(build_line(one.entry(f"k{seq}", "x"), seq=seq, prev=GENESIS_PREV, at=NOW))
        for seq, one in enumerate(said)
    )


@pytest.mark.parametrize(
    ("tags", "fits"),
    [
        (("family:safety",), True),
        (("family:safety", "family:cost"), True),
        (("family:cost",), False),
        (("context:conversational_agent",), True),
        (("family:safety", "context:image_generator"), False),
        (("failure:drift",), False),
        ((), False),
    ],
)
def test_lrn_16_a_lesson_fits_a_playbook_by_family_and_context(tags: tuple[str, ...], fits: bool) -> None:
    assert matches(tags, {"family:safety", "family:model_quality", "context:conversational_agent"}) is fits


def test_the_tags_of_a_playbook_are_its_families_and_its_context() -> None:
    playbook = cases.playbook()
    families = {f"family:{one.family.value}" for one in playbook.detection.signals.values()}
    assert tags_of(playbook) == families | {f"context:{playbook.context.value}"}


def test_a_tag_outside_of_the_taxonomy_is_refused_with_what_is_known() -> None:
    with pytest.raises(ValidationError, match="is not in the taxonomy; family knows"):
        written(tags=("family:weather",))
    with pytest.raises(ValidationError, match="write one as"):
        written(tags=("weather:rain",))


def test_lrn_16_an_answer_for_one_playbook_is_none_for_another() -> None:
    found = register(written(), seen(applies=False))
    tags = {"family:safety", "context:conversational_agent"}
    assert matching(found, tags) == found
    assert ignored(found, tags, "sha256:p") == ()
    assert "lesson-00000001 (Engagement up is not health)" in warning(ignored(found, tags, "sha256:q"))
    assert warning(()) == ""


def test_the_newest_answer_counts() -> None:
    [found] = register(written(), seen(applies=False), seen(applies=True), seen(applies=False, about="r-1"))
    answer = found.answered("sha256:p")
    assert answer is not None
    assert answer.body.applies


def test_a_search_wants_every_word_and_every_tag() -> None:
    found = register(written(), written(2, title="Slack was dark", tags=("control:communication",)))
    assert [one.lesson_id for one in search(found, "ENGAGEMENT safety")] == ["lesson-00000001"]
    assert [one.lesson_id for one in search(found, "", ("control:communication",))] == ["lesson-00000002"]
    assert search(found, "engagement", ("control:communication",)) == ()


def test_lrn_17_a_lesson_with_a_scenario_or_an_accepted_risk_has_a_consequence() -> None:
    found = register(written(), written(2), used("scenario"), used("accepted_risk"))
    assert with_consequence(found) == (1, 2)


def test_lrn_17_what_is_made_of_a_lesson_names_it() -> None:
    [found] = register(written())
    assert "lesson-00000001" in stub(found, "scenario")
    assert "expected_decisions: []" in stub(found, "scenario")
    assert "shadow: true" in stub(found, "criterion")


def test_lrn_15_an_export_has_public_lessons_only_and_no_person_incident_or_erased_word() -> None:
    found = register(
        written(), written(2, share="internal", title="Only ours"), written(3, text=ERASED, title="Half is gone")
    )
    files = export(found, "Lessons")
    assert sorted(files) == ["feed.atom", "feed.json", "index.html", "lesson-00000001.html"]
    everything = "".join(files.values())
    for word in ("Only ours", "Half is gone", ERASED, "Maria", "maria", "inc-7f3a2c1d", "http://"):
        assert word not in everything.replace('xmlns="http://www.w3.org/2005/Atom"', ""), word
    assert "<b>" not in files["lesson-00000001.html"] + files["feed.atom"]
    assert "&lt;b&gt;too&lt;/b&gt;" in files["lesson-00000001.html"]
    assert [one["id"] for one in json.loads(files["feed.json"])["items"]] == ["lesson-00000001"]
    feed = ElementTree.fromstring(files["feed.atom"])  # noqa: S314  # our own text
    assert len(feed.findall("{http://www.w3.org/2005/Atom}entry")) == 1


def test_an_export_of_nothing_is_readable() -> None:
    assert sorted(export((), "Lessons")) == ["feed.atom", "feed.json", "index.html"]
