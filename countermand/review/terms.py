"""Terms of an act, read: texts, factors, a person, a day. Every refusal says what would be accepted."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from countermand.governance.decision import Refusal, Refused
from countermand.governance.directory import Directory, Member
from countermand.review.parts import FACTORS, other

#: Nobody is called about an action before it is due.
LONGEST = timedelta(days=730)
MAX_TEXT = 20_000
MIN_TEXT = 10
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LINK = re.compile(r"[\w:/.?#@%+=~-]{1,200}")


def text(terms: dict[str, str], name: str) -> str:
    """What somebody wrote under this name."""
    said = terms.get(name, "").strip()
    if not MIN_TEXT <= len(said) <= MAX_TEXT:
        raise Refused(
            Refusal.wrong_state,
            f"the {name} {said[:40]!r} has {len(said):,} characters.",
            f"Write {MIN_TEXT} to {MAX_TEXT:,}.",
        )
    return said


def factors(terms: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Factors of the list, and words of people; each once."""
    named = [one.strip() for one in terms.get("factors", "").split(",") if one.strip()]
    wrong = [one for one in named if one not in FACTORS]
    if wrong:
        raise Refused(Refusal.wrong_state, f"factor {wrong[0]!r} is not known.", f"Accepted: {', '.join(FACTORS)}.")
    said = [one.strip() for one in terms.get("others", "").split(",") if one.strip()]
    words = [other(one) for one in said]
    if "" in words:
        raise Refused(
            Refusal.wrong_state, f"{said[words.index('')][:60]!r} is no short tag.", "Use 3 to 40 letters and digits."
        )
    return tuple(dict.fromkeys(named)), tuple(dict.fromkeys(words))


def owner(said: str, directory: Directory) -> Member:
    """The person who answers for it. A team or a role does not."""
    found = directory.person(said)
    if found is None:
        names = ", ".join(f"{one.subject} ({one.name})" for one in directory.governance.people)
        raise Refused(Refusal.wrong_state, f"owner {said!r} is no person of the directory.", f"Accepted: {names}.")
    return found


def due_day(said: str, now: datetime) -> datetime:
    """The end of a day, UTC."""
    try:
        due = datetime.combine(date.fromisoformat(said), time(23, 59, 59), tzinfo=UTC)
    except ValueError as error:
        raise Refused(Refusal.wrong_state, f"due {said!r} is no day.", "Write 2026-12-20.") from error
    if due <= now:
        raise Refused(Refusal.wrong_state, f"due {said!r} is over.", "Write a day that is to come.")
    if due > now + LONGEST:
        raise Refused(
            Refusal.wrong_state, f"due {said!r} is too far away.", f"Write a day before {now + LONGEST:%Y-%m-%d}."
        )
    return due


def yes(terms: dict[str, str], name: str) -> bool:
    """Whether they said yes; no when they said nothing."""
    said = terms.get(name, "") or "no"
    if said not in ("yes", "no"):
        raise Refused(Refusal.wrong_state, f"{name} {said!r} is not known.", "Accepted: yes, no.")
    return said == "yes"


def link(terms: dict[str, str]) -> str:
    """What an action is about, by its name or address; empty when nobody says."""
    said = terms.get("link", "").strip()
    if said and not _LINK.fullmatch(said):
        raise Refused(
            Refusal.wrong_state,
            f"{said[:60]!r} is no link.",
            "Name a control, playbook, criterion or clock, without spaces.",
        )
    return said


def kept_digest(terms: dict[str, str]) -> str | None:
    """The digest of attached bytes."""
    said = terms.get("sha256") or None
    if said and not _SHA256.fullmatch(said):
        raise Refused(Refusal.wrong_state, f"{said!r} is no digest.", "Give the file; its digest is made for you.")
    return said
