"""What the organisation declares about itself: every answer with who, when and by which document (OBL-8…10).

An answer that nobody gave is `undeclared`, never no. Nothing is inferred from anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from countermand.canonical import digest
from countermand.obligations.counting import Reckoning
from countermand.obligations.dataset import Dataset
from countermand.obligations.predicates import Answer, In, leaves
from countermand.playbook.terms import Strict

UNDECLARED = "undeclared"
#: Answers that no row of a dataset asks for by name, or only a part of them.
_ACCEPTED: dict[str, tuple[str, ...] | None] = {
    "eu_ai_act.role": ("provider", "deployer", "both", "none"),
    "nis2.entity": ("essential", "important", "none"),
    "dora.entity_type": (
        *("credit_institution", "central_counterparty", "trading_venue", "payment_institution"),
        *("electronic_money_institution", "investment_firm", "insurer", "other"),
    ),
    "dora.relief_withdrawn_by_authority": None,
    "uk_fca.reporter_class": ("standard", "enhanced"),
}
#: Delegated Regulation 2025/301 Art. 5(5): no weekend relief for the first two reports of these.
_NO_RELIEF = ("credit_institution", "central_counterparty", "trading_venue")
_LISTS = ("nis2.member_states",)


class ProfileInvalid(ValueError):
    """A profile that cannot be used; the message names file, answer, value and what is accepted."""


class Declared(Strict):
    """One answer: by whom, since when, resting on which document."""

    value: bool | str
    by: Annotated[str, Field(min_length=2, max_length=200)]
    at: date
    document: Annotated[str, Field(min_length=2, max_length=500)]

    @property
    def words(self) -> str:
        """For people."""
        said = {True: "yes", False: "no"}.get(self.value, self.value) if isinstance(self.value, bool) else self.value
        return f"“{said}”, declared by {self.by} on {self.at:%Y-%m-%d} ({self.document})"


class _File(Strict):
    profile: dict[str, Any]


class Profile(Strict):
    """`present` False: there is no profile, or nobody declared anything in it."""

    present: bool
    declared: Mapping[str, Declared] = {}
    member_states: tuple[str, ...] = ()
    jurisdiction_tz: str = "Europe/Paris"
    calendars: Mapping[str, frozenset[date]] = {}

    def answer(self, path: str) -> Answer:
        """What was declared under a path; None: nobody did."""
        found = self.declared.get(path)
        return found.value if found else None

    def reckoning(self, counting: str) -> Reckoning:
        """Where and with which calendars periods of a row with this counting are counted."""
        relief = self._relief(final=counting == "dora_art5_final") if counting.startswith("dora_art5") else None
        return Reckoning(zone=self.jurisdiction_tz, calendars=self.calendars, relief=relief)

    def _relief(self, *, final: bool) -> bool | None:
        if self.answer("dora.relief_withdrawn_by_authority") is True:
            return False
        if final:
            return True
        kind, entity = self.answer("dora.entity_type"), self.answer("nis2.entity")
        if kind in _NO_RELIEF or entity in ("essential", "important"):
            return False
        return None if kind is None else True

    @property
    def sha256(self) -> str:
        plain = self.model_dump(mode="json")
        plain["calendars"] = {name: sorted(days) for name, days in plain["calendars"].items()}
        plain["declared"] = [{"path": path} | said for path, said in sorted(plain["declared"].items())]
        return digest(plain)


#: No profile file: one line for people, and no clock.
NOBODY_DECLARED = Profile(present=False)


def accepted(dataset: Dataset) -> dict[str, tuple[str, ...] | None]:
    """Every path that a profile can declare, and its accepted words; None: yes or no."""
    asked: dict[str, tuple[str, ...] | None] = {}
    for row in dataset.obligations:
        for leaf in leaves(row.scope):
            asked[leaf.path] = (*leaf.in_, "none") if isinstance(leaf, In) else None
    return asked | _ACCEPTED


def parse(text: str, name: str, dataset: Dataset) -> Profile:
    """The profile in a YAML text. Raises ProfileInvalid; `name` is the file people have to change."""
    try:
        plain = _File.model_validate(YAML(typ="safe", pure=True).load(text)).profile
        zone = str(plain.pop("jurisdiction_tz", "Europe/Paris"))
        ZoneInfo(zone)
        calendars = TypeAdapter(dict[str, frozenset[date] | None]).validate_python(plain.pop("calendars", {}) or {})
    except (YAMLError, ValidationError, ValueError, OSError, KeyError) as error:
        raise ProfileInvalid(f"{name}: not a profile: {error}. It begins with `profile:`.") from error
    wanted, declared = accepted(dataset), {}
    states: tuple[str, ...] = ()
    for path, value in _leaves(plain, name):
        if path in _LISTS:
            states = TypeAdapter(tuple[str, ...]).validate_python(value)
        elif path not in wanted:
            raise ProfileInvalid(f"{name}: {path}: no row asks for it; accepted: {', '.join(sorted(wanted))}")
        elif value != UNDECLARED:
            declared[path] = _one(name, path, value, wanted[path])
    return Profile(
        present=bool(declared),
        declared=declared,
        member_states=states,
        jurisdiction_tz=zone,
        calendars={key: days for key, days in calendars.items() if days is not None},
    )


def _leaves(plain: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    found = []
    for regime, flags in plain.items():
        if not isinstance(flags, dict):
            raise ProfileInvalid(f"{name}: {regime}: {flags!r} is not accepted; write its answers below it")
        found += [(f"{regime}.{flag}", value) for flag, value in flags.items()]
    return found


def _one(name: str, path: str, value: Any, words: tuple[str, ...] | None) -> Declared:
    shape = "{value: …, by: NAME, at: 2026-11-20, document: …}"
    try:
        said = Declared.model_validate(value)
    except ValidationError as error:
        wrong = error.errors()[0]
        at = "/".join(str(part) for part in wrong["loc"])
        raise ProfileInvalid(
            f"{name}: {path}: {value!r} is not accepted ({at or 'the answer'}: {wrong['msg']}); "
            f"write `{UNDECLARED}` or {shape}"
        ) from error
    if isinstance(said.value, bool) if words is not None else not isinstance(said.value, bool):
        raise ProfileInvalid(f"{name}: {path}: {said.value!r} is not accepted; {_words(words)}")
    if words is not None and said.value not in words:
        raise ProfileInvalid(f"{name}: {path}: {said.value!r} is not accepted; {_words(words)}")
    return said


def _words(words: tuple[str, ...] | None) -> str:
    return "write true or false" if words is None else f"write one of {', '.join(words)}"
