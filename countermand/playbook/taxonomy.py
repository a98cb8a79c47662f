"""The signal taxonomy: ready-made signals with meaning, unit, direction, lag, source and weaknesses (R11).

`python -m countermand.playbook.taxonomy` writes docs/signals.md from taxonomy.yaml.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

from countermand.playbook.criteria import Criterion
from countermand.playbook.plain_words import words
from countermand.playbook.signals import SignalFamily, SignalSpec, Tolerance
from countermand.playbook.source import read
from countermand.playbook.terms import Faults, SignalName, Strict, Text, repeated
from countermand.playbook.units import plain
from countermand.playbook.worse import beyond

FILE = Path(__file__).with_name("taxonomy.yaml")
PAGE = Path(__file__).parents[2] / "docs" / "signals.md"

FAMILIES = {
    SignalFamily.user_experience: "Do people get what they came for, as far as they tell or show it?",
    SignalFamily.model_quality: "Are the outputs true, useful and what was asked for?",
    SignalFamily.operational_health: "Does the service answer, in time, and is it seen what it does?",
    SignalFamily.safety: "Is anybody exposed to what the policy or the law forbids?",
    SignalFamily.fairness: "Is one group of people served worse than others?",
    SignalFamily.cost: "What does it take to serve an output?",
}


class Definition(Strict):
    """One ready-made signal. `playbook` and `tolerate` are what a playbook would say, with numbers to start from."""

    id: SignalName
    family: SignalFamily
    meaning: Text = Field(description="What is counted.")
    unit: Text = Field(description="What the number is.")
    lag: Text = Field(description="How long after an output its label arrives.")
    source: Text = Field(description="Who usually labels it.")
    weaknesses: Text = Field(description="What it does not see, and what moves it without harm.")
    beside: tuple[SignalName, ...] = Field((), description="Signals to read together with it.")
    playbook: SignalSpec
    tolerate: Tolerance

    @property
    def direction(self) -> str:
        """Which way is worse, in words."""
        match self.playbook.kind:
            case "latency":
                return "higher is worse"
            case "gap":
                return "wider is worse"
            case "categories":
                return "any change counts"
            case _:
                return f"{self.playbook.bad} is worse"

    @property
    def worse(self) -> str:
        """What counts as worse with the usual tolerance, in words."""
        return beyond(Criterion(signal=self.id, tolerate=self.tolerate), {self.id: self.playbook})

    @model_validator(mode="before")
    @classmethod
    def _said_once(cls, value: Any) -> Any:
        """Family and meaning stand in the definition; the playbook part needs them too."""
        if isinstance(value, dict) and isinstance(value.get("playbook"), dict):
            shared = {name: value[name] for name in ("family", "meaning") if name in value}
            return {**value, "playbook": {**shared, **value["playbook"]}}
        return value


class Taxonomy(Strict):
    """All definitions, in the order in which people read them."""

    schema_: Literal["countermand.taxonomy/v1"] = Field(alias="schema")
    signals: tuple[Definition, ...]

    @model_validator(mode="after")
    def _whole(self) -> Taxonomy:
        faults, ids = Faults(), [one.id for one in self.signals]
        for i in repeated(ids):
            faults.add(f"{ids[i]!r} is defined twice", "signals", i, "id")
        for i, one in enumerate(self.signals):
            for name in (*one.beside, *([one.playbook.of] if one.playbook.of else [])):
                if name not in ids:
                    faults.add(f"{one.id!r} names {name!r}, which is not defined", "signals", i)
        faults.refuse()
        return self


class Known(NamedTuple):
    """What is known about a playbook's signal beyond the playbook's own keys; None where nothing is."""

    lag: str | None
    weaknesses: str | None


@cache
def taxonomy() -> dict[str, Definition]:
    """The shipped definitions by id, family by family. Raises ValueError when the file is not one."""
    written, flaws = read(FILE.read_bytes())
    if written is None or flaws:
        raise ValueError(f"{FILE.name} cannot be read: {flaws!r}")
    return {one.id: one for one in Taxonomy.model_validate(written.value).signals}


def of_family(family: SignalFamily) -> list[Definition]:
    """The definitions of one family, in the file's order."""
    return [one for one in taxonomy().values() if one.family is family]


def known(name: str, spec: SignalSpec) -> Known:
    """Lag and weaknesses of a playbook's signal: as written there, else of the definition of the same name."""
    defined = taxonomy().get(name)
    return Known(
        spec.lag or (defined.lag if defined else None), spec.weaknesses or (defined.weaknesses if defined else None)
    )


def fragment(one: Definition) -> list[str]:
    """Lines to paste below `detection.signals` of a playbook."""
    fields = one.playbook.model_dump(mode="json", exclude_unset=True)
    return [f"    {one.id}:", *(f"      {name}: {_yaml(value)}" for name, value in fields.items())]


def criterion(one: Definition) -> str:
    """The line of a trigger that uses it."""
    tolerate = ", ".join(f"{name}: {plain(value)}" for name, value in one.tolerate.given.items())
    return f"{{signal: {one.id}, tolerate: {{{tolerate}}}}}"


def page() -> str:
    """The content of docs/signals.md."""
    lines = [
        "# Signals",
        "",
        "Ready-made signals by family. Each says what is counted, in which unit, which way is worse, how late its",
        "labels come, who usually gives them, and what it does not see. `countermand signals NAME` prints the lines",
        "for a playbook; the console shows the same under *Signals*. Made from `countermand/playbook/taxonomy.yaml` by",
        "`make schema`.",
        "",
        "A playbook may define any other signal. Then it says `lag` and `weaknesses` itself; `countermand playbook",
        "check` warns where nobody has. Tolerances are a start: how much worse is acceptable is a value choice.",
    ]
    for family, question in FAMILIES.items():
        lines += ["", f"## {words(family).capitalize()}", "", question]
        for one in of_family(family):
            beside = ", ".join(f"[{name}](#{name})" for name in one.beside)
            lines += [
                "",
                f"### {one.id}",
                "",
                f"{one.meaning}.",
                "",
                f"* Unit: {one.unit}; {one.direction}. Worse when: {one.worse}.",
                f"* Lag: {_sentence(one.lag)}",
                f"* Source: {_sentence(one.source)}",
                f"* Weaknesses: {one.weaknesses}",
                *([f"* Read beside: {beside}."] if beside else []),
            ]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _yaml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_yaml, value))}]"
        case _:
            return str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
