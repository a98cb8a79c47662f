"""What may be asked about an incident: every fact that a trigger rests on, with the answers it accepts."""

from __future__ import annotations

from typing import Literal

from countermand.governance.decision import Refusal, Refused
from countermand.obligations.dataset import Dataset
from countermand.obligations.predicates import AnyOf, Contains, Gte, In, Is, Lt, NonEmpty, leaves
from countermand.plan.target import Value


class Question(Value):
    """One fact. `words`: the accepted ones of a choice or a list."""

    path: str
    kind: Literal["yes_no", "number", "choice", "list"]
    words: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def accepts(self) -> str:
        """For people."""
        match self.kind:
            case "yes_no":
                return "yes or no"
            case "number":
                return "a whole number"
            case "choice":
                return f"one of {', '.join(self.words)}"
            case "list":
                return f"any of {', '.join(self.words)}, with commas between them, or none"


def questions(dataset: Dataset) -> dict[str, Question]:
    """All facts by name, in the order of the file. What our own records answer is left out."""
    found: dict[str, Question] = {}
    for row in dataset.obligations:
        for leaf in leaves(row.trigger):
            if leaf.path in _OURS:
                continue
            known = found.get(leaf.path, Question(path=leaf.path, kind="yes_no"))
            words = tuple(dict.fromkeys((*known.words, *_words(leaf))))
            rows = tuple(dict.fromkeys((*known.rows, row.id)))
            found[leaf.path] = Question(path=leaf.path, kind=_kind(leaf), words=words, rows=rows)
    return found


#: Facts that the record of the incident shows by itself.
_OURS = ("severity", "break_glass_used", "fairness_paused", "threshold_proposed")


def _kind(leaf: object) -> Literal["yes_no", "number", "choice", "list"]:
    match leaf:
        case Contains() | AnyOf() | NonEmpty():
            return "list"
        case Gte() | Lt():
            return "number"
        case In():
            return "choice"
        case _:
            return "yes_no"


def _words(leaf: object) -> tuple[str, ...]:
    match leaf:
        case Contains():
            return (leaf.contains,)
        case AnyOf():
            return leaf.any_of
        case In():
            return leaf.in_
        case Is() if isinstance(leaf.is_, str):
            return (leaf.is_,)
        case _:
            return ()


def answer(dataset: Dataset, path: str, said: str) -> bool | int | str | tuple[str, ...]:
    """What somebody says about a fact, read from text. Raises Refused."""
    asked = questions(dataset)
    question = asked.get(path)
    if question is None:
        raise Refused(Refusal.wrong_state, f"no clock asks for {path!r}.", f"Accepted: {', '.join(asked)}.")
    text = said.strip().lower()
    match question.kind:
        case "yes_no" if text in ("yes", "no"):
            return text == "yes"
        case "number" if text.isdigit() and len(text) < 10:
            return int(text)
        case "choice" if text in question.words:
            return text
        case "list":
            parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip() and part != "none"))
            if set(parts) <= set(question.words):
                return parts
    raise Refused(Refusal.wrong_state, f"{path} = {said!r} is not accepted.", f"Write {question.accepts}.")
