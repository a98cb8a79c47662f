"""The tabletop form (R24): people answer the turning points of a scenario, and then hear what is right and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from countermand.plan.target import Value
from countermand.playbook.source import read
from countermand.playbook.terms import Name, Strict, Text
from countermand.rehearsal.report import in_a_line
from countermand.rehearsal.scenario import Scenario


class Answer(Strict):
    """One answer of one person. `because` is what they say about it."""

    turn: Name
    answer: Name
    who: Text
    because: Text | None = None


class AnswersInvalid(ValueError):
    """Answers that cannot be judged; the message names the question, the value and what is accepted."""


class Judged(Value):
    """One answer held against the oracle."""

    turn: str
    role: str
    question: str
    said: str
    held: bool
    right: tuple[str, ...]
    why: str
    who: str
    because: str | None


def judged(scenario: Scenario, answers: Iterable[Answer]) -> tuple[Judged, ...]:
    """Every question with the answer that was given; one without an answer has failed. Raises AnswersInvalid."""
    given: dict[str, Answer] = {}
    for one in answers:
        if one.turn in given:
            raise AnswersInvalid(f"{one.turn!r} is answered twice; one answer to each question is accepted")
        given[one.turn] = one
    turns = {turn.id: turn for turn in scenario.tabletop}
    for name, one in given.items():
        if name not in turns:
            raise AnswersInvalid(f"{name!r} is no question of {scenario.id!r}; write {', '.join(turns)}")
        if one.answer not in turns[name].answers:
            accepted = ", ".join(turns[name].answers)
            raise AnswersInvalid(f"{name}: {one.answer!r} is no answer to it; write {accepted}")
    found = []
    for turn in scenario.tabletop:
        answer = given.get(turn.id)
        found.append(
            Judged(
                turn=turn.id,
                role=turn.role,
                question=turn.question,
                said=turn.answers[answer.answer] if answer else "no answer",
                held=answer is not None and answer.answer in turn.right,
                right=tuple(turn.answers[name] for name in turn.right),
                why=turn.why,
                who=answer.who if answer else "",
                because=answer.because if answer else None,
            )
        )
    return tuple(found)


def parse_answers(raw: bytes) -> tuple[Answer, ...]:
    """Answers from YAML: under `answers`, entries with turn, answer, who, perhaps because. Raises AnswersInvalid."""
    written, flaws = read(raw)
    if written is None or flaws:
        raise AnswersInvalid("; ".join(f"line {flaw.line}: {flaw.message}" for flaw in flaws))
    listed = written.value.get("answers") if isinstance(written.value, Mapping) else None
    if not isinstance(listed, list) or set(written.value) != {"answers"}:
        raise AnswersInvalid(
            f"{sorted(written.value)!r} is not accepted; write one key, `answers`, with a list below it"
        )
    found = []
    for index, one in enumerate(listed):
        try:
            found.append(Answer.model_validate(one))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise AnswersInvalid(
                f"answers[{index}].{place}: {first['input']!r} is not accepted; write turn, answer, who and because"
            ) from error
    return tuple(found)


def as_markdown(scenario: Scenario, found: Iterable[Judged]) -> str:
    """The report of a tabletop; what people and the scenario say makes no heading of its own."""
    lines = list(found)
    right = sum(one.held for one in lines)
    text = [
        f"# Tabletop: {in_a_line(scenario.title)}",
        "",
        in_a_line(scenario.point) + ".",
        "",
        f"{right} of {len(lines)} questions right.",
        "",
    ]
    for one in lines:
        text += [
            f"## {in_a_line(one.question)}",
            "",
            f"* Role: {one.role.replace('_', ' ')}" + (f", {in_a_line(one.who)}" if one.who else ""),
        ]
        text += [f"* Said: {in_a_line(one.said)}. {'Right' if one.held else 'Not right'}."]
        text += [f"* Right: {in_a_line(' or '.join(one.right))}. {in_a_line(one.why)}"]
        text += [f"* Their reason: {in_a_line(one.because)}"] if one.because else []
        text.append("")
    text += [
        "A tabletop shows what people know. It does not show that the way back works; only a run in a sandbox does."
    ]
    return "\n".join(text) + "\n"
