"""What people write to ask for a standing authorisation, and the exact document that is signed (GOV-28)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from countermand.governance.standing import LONGEST, StandingAuthorisation, StandingStage
from countermand.playbook.model import Playbook
from countermand.playbook.source import read
from countermand.playbook.terms import Faults, Name, Severity, Strict
from countermand.playbook.units import BasisPoints, Positive, format_duration, within
from countermand.playbook.wording import dotted, path_of

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class StandingDraft(Strict):
    """`countermand.standing/v1`. The stages are those of the playbook: others could never be covered."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["countermand.standing/v1"] = Field(alias="schema")
    playbook_digest: Digest
    environment: Name
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)]
    triggers: Annotated[tuple[str, ...], Field(min_length=1)]
    targets: Annotated[tuple[Digest, ...], Field(min_length=1)]
    max_exposure: Annotated[BasisPoints, within(1, 10_000)]
    valid_for: Positive
    runs_per_day: Annotated[int, Field(ge=1, le=10, strict=True)] = 1


class DraftProblem(Strict):
    """One thing wrong: where, and what would be accepted."""

    where: str
    message: str


class DraftInvalid(ValueError):
    """A draft that cannot be signed; `problems` holds everything found."""

    def __init__(self, problems: list[DraftProblem]) -> None:
        super().__init__("; ".join(f"{one.where}: {one.message}" for one in problems))
        self.problems = problems


def parse_draft(raw: bytes) -> StandingDraft:
    """The draft in these bytes, YAML or JSON. Raises DraftInvalid with every problem."""
    written, flaws = read(raw)
    if written is None or flaws:
        raise DraftInvalid([DraftProblem(where=f"line {flaw.line}", message=flaw.message) for flaw in flaws])
    try:
        return StandingDraft.model_validate(written.value)
    except ValidationError as error:
        raise DraftInvalid(
            [
                DraftProblem(where=dotted(path_of(found)) or "the file", message=_message(found["msg"], found["input"]))
                for found in error.errors(include_url=False)
                # A list whose entries were refused one by one is not too short as well.
                if found["type"] != "too_short" or not written.size_at(path_of(found))
            ]
        ) from error


def authorisation_of(
    draft: StandingDraft, playbook: Playbook, authorisation_id: str, at: datetime
) -> StandingAuthorisation:
    """The document to sign, without signers. Raises DraftInvalid with everything that does not fit the playbook."""
    faults = Faults()
    severities = {trigger.id: trigger.severity for trigger in playbook.detection.triggers}
    for place, name in enumerate(draft.triggers):
        if name not in severities:
            known = " or ".join(map(repr, sorted(severities)))
            faults.add(f"{name!r} is no trigger of this playbook; write {known}", "triggers", place)
        elif severities[name] not in draft.severities:
            faults.add(
                f"{name!r} is {severities[name].value}, which is not among `severities`; add it there",
                "triggers",
                place,
            )
    if draft.valid_for > LONGEST:
        faults.add(f"{format_duration(draft.valid_for)!r} is too long; write at most {LONGEST.days}d", "valid_for")
    if faults:
        raise DraftInvalid([DraftProblem(where=dotted(place), message=message) for place, message in faults])
    return StandingAuthorisation(
        authorisation_id=authorisation_id,
        playbook_digest=draft.playbook_digest,
        environment=draft.environment,
        severities=draft.severities,
        triggers=draft.triggers,
        targets=draft.targets,
        max_exposure_bp=draft.max_exposure,
        stages=tuple(StandingStage(give_back_bp=stage.give_back, soak=stage.soak) for stage in playbook.revert.stages),
        runs_per_day=draft.runs_per_day,
        issued_at=at,
        expires_at=at + draft.valid_for,
        signers=(),
    )


def _message(said: str, value: Any) -> str:
    shown = repr(value)
    return f"{said} (got {shown if len(shown) <= 60 else shown[:59] + '…'})"
