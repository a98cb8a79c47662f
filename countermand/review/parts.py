"""The parts of a review that people write, and which of them a review needs (LRN-1, LRN-2)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, time
from enum import StrEnum

from countermand.ledger.review_bodies import ReviewForm
from countermand.obligations.calendar import business_days_after
from countermand.plan.target import Value
from countermand.playbook.terms import Severity


class Part(StrEnum):
    """What people write; the rest of a review is made from the record."""

    narrative = "narrative"
    factors = "factors"
    sense = "sense"
    surprises = "surprises"
    went_well = "went_well"
    went_poorly = "went_poorly"
    lucky = "lucky"
    misread = "misread"
    harms = "harms"
    open_questions = "open_questions"


class Asked(Value):
    """Heading of a part, and the question that it answers."""

    title: str
    question: str


ASKED: dict[Part, Asked] = {
    Part.narrative: Asked(title="What happened", question="Tell it in order, as people saw it then. Name roles."),
    Part.factors: Asked(
        title="Contributing factors",
        question="Which things had to come together? There is never only one: name at least two.",
    ),
    Part.sense: Asked(
        title="What made sense at the time",
        question="What did people know, see and aim for when they did what they did?",
    ),
    Part.surprises: Asked(title="Surprises", question="What did not behave as people believed it would?"),
    Part.went_well: Asked(title="Went well", question="What helped, and should stay?"),
    Part.went_poorly: Asked(title="Went poorly", question="What made it slower or harder?"),
    Part.lucky: Asked(title="Was lucky", question="What would have been worse on another day?"),
    Part.misread: Asked(
        title="Did automation misread it?",
        question="Where was a signal wrong, late or not believed, and what did people see instead?",
    ),
    Part.harms: Asked(
        title="Harms and fairness",
        question="Who was hurt, and how is it known? Which groups more than others: by language, disability, age, "
        "place? Did the way back move harm to somebody else?",
    ),
    Part.open_questions: Asked(title="Open questions", question="What is still not known, and who would know it?"),
}

#: Contributing factors that reviews share, so that one that comes again is noticed. People may add words of their own.
FACTORS: dict[str, str] = {
    "release_content": "what was released",
    "data": "data it was trained, tuned or tested with",
    "evaluation_gap": "an evaluation that could not see it",
    "signal_missing": "no signal for it",
    "signal_late": "a signal that came late",
    "limit_too_loose": "a limit that let it pass",
    "way_back": "the way back or its checks",
    "tooling": "tools",
    "staffing": "who was there, and who was not",
    "time_pressure": "time pressure",
    "handover": "handing over, within or between teams",
    "habit": "a habit that used to work",
    "unclear_ownership": "nobody knew whose it was",
    "outside_change": "a change outside of this organisation",
}
MIN_FACTORS = 2
#: A word for a factor that the list does not have.
OTHER = re.compile(r"[^\W_][\w -]{1,38}[^\W_]")

#: Ends after which nobody was moved, or nobody decided: a short form is enough.
NEAR_MISSES = frozenset({"rejected", "withdrawn", "expired", "aborted", "unresolved"})
#: Of these, the ends at which nobody had decided anything.
UNDECIDED = frozenset({"expired", "unresolved"})
_NEEDED: dict[ReviewForm, tuple[Part, ...]] = {
    "full": (Part.narrative, Part.factors, Part.sense, Part.surprises, Part.went_well, Part.went_poorly, Part.lucky),
    "near_miss": (Part.narrative, Part.factors),
}
#: People meet about it within so many working days.
MEET_WITHIN = 5


def form_of(outcome: str, *, broke_glass: bool, severity: Severity) -> ReviewForm:
    """The short form for a near miss; never where somebody acted first and was asked later, nor where serious harm
    went on because nobody decided."""
    missed = severity is Severity.sev1 and outcome in UNDECIDED
    return "near_miss" if outcome in NEAR_MISSES and not broke_glass and not missed else "full"


def required(form: ReviewForm, families: Collection[str]) -> tuple[Part, ...]:
    """The parts that have to be written before a review can be signed. families: of the signals that fired."""
    harms = (Part.harms,) if {"fairness", "safety"} & set(families) else ()
    return (*_NEEDED[form], *harms)


def meeting(drafted: datetime, due: datetime) -> datetime:
    """Until when people meet: the end of the fifth working day (UTC, no holidays), and not after the review is due."""
    day = business_days_after(drafted.astimezone(UTC).date(), MEET_WITHIN, ())
    return min(due, datetime.combine(day, time(17), tzinfo=UTC))


def other(word: str) -> str:
    """A factor in people's own words as it is compared: lower case, one space. Empty for what is no short tag."""
    plain = " ".join(word.lower().split())
    return plain if OTHER.fullmatch(plain) else ""


def spoken(factors: Iterable[str]) -> str:
    """Factors in words, with commas."""
    return ", ".join(FACTORS.get(one, one) for one in factors)
