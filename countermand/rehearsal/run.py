"""What one run of a scenario left behind: the sandbox's Ledger and what people, target and channels did (LRN-19)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from countermand.ledger.record import Record
from countermand.plan.target import WHOLE, Value

#: scripted: the people of the scenario act by its script. people: real ones. tabletop: people only, no sandbox.
Mode = Literal["scripted", "people", "tabletop"]
#: Seconds since the start of the run, by the sandbox's clock.
Offset = Annotated[float, Field(ge=0)]

_SUBJECTS = "rehearsal|"


def subject_of(person: str) -> str:
    """The account of a person of the scenario in the sandbox's directory and Ledger."""
    return _SUBJECTS + person


def person_of(subject: str) -> str:
    """The person behind an account; accounts of the sandbox itself keep their name."""
    return subject.removeprefix(_SUBJECTS)


class Act(Value):
    """One act of a person, of the script or of the sandbox's automation, and how it was answered.

    kind: as in `script.ActKind`. code: why it was refused, empty when it counted.
    """

    at: Offset
    who: str
    kind: str
    accepted: bool
    code: str = ""
    sentence: str = ""


class InjectDone(Value):
    """One inject as it was played. number: its place in the scenario, from 1; 0 = added while it ran."""

    at: Offset
    number: int
    kind: str
    to: str
    channel: str
    content: str
    shown: bool


class EffectSeen(Value):
    """What the sandbox's target really did, whatever it answered. candidate_bp: the share after it."""

    at: Offset
    member: str
    candidate_bp: Annotated[int, Field(ge=0, le=WHOLE)]
    result: Literal["applied", "already", "conflict", "rejected", "ambiguous", "external"]


class Delivery(Value):
    """One try to bring one message to one person or place. attempt: from 1."""

    at: Offset
    channel: str
    audience: str
    step: str
    to: str
    delivered: bool
    attempt: Annotated[int, Field(ge=1)]


class Facilitated(Value):
    """One thing that a facilitator did, or that reached the run from outside. do: as people type it: `skip` …"""

    at: Offset
    do: str
    words: str = ""


class Run(Value):
    """Everything the oracle and the score need. `records`: the complete Ledger of the sandbox, in order.

    Their `at`, like every other time here, is the story's: waits of machines as long as they would have been, people's
    times as they are. Their lines hold the sandbox's own clock.
    time_scale: by how much waits of machines were shortened; people's times are as they were.
    pack_word: what verifying the evidence pack said; None when no pack was made.
    facilitated: what a facilitator did, in order. seal: see `seal.py`; empty where nothing sealed it.
    """

    scenario_id: str
    scenario_digest: str
    playbook_digest: str
    rendition_digest: str
    seed: int
    mode: Mode
    time_scale: Annotated[int, Field(ge=1, le=100_000)]
    started: AwareDatetime
    ended: AwareDatetime
    ledger_head: str
    records: tuple[Record, ...] = ()
    acts: tuple[Act, ...] = ()
    injects: tuple[InjectDone, ...] = ()
    effects: tuple[EffectSeen, ...] = ()
    messages: tuple[Delivery, ...] = ()
    pack_sha256: str | None = None
    pack_word: str | None = None
    facilitated: tuple[Facilitated, ...] = ()
    seal: str = ""

    def offset(self, at: datetime) -> float:
        """Seconds from the start of the run to an instant."""
        return (at - self.started) / timedelta(seconds=1)
