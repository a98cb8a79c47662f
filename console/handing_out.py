"""Who may have which evidence pack, and the record of every pack that was made in the open or taken away (EVD-27)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from activities.evidence_ports import CheckpointFailed
from activities.ports import Ledger
from console.decide import Person
from console.deps import Console
from console.packs import NothingToShow, Packs, Sealed, SealingStopped
from console.problems import Problem
from console.submit import directory
from countermand.evidence.manifest import Profile, Scope
from countermand.governance.ballot import MIN_REASON
from countermand.ledger.bodies import EvidenceDownloaded, EvidenceReleased
from countermand.ledger.record import Kind, Record

#: Who may have a redacted pack made, and who one with every word in it.
REDACTED_BY = ("compliance_officer", "legal_counsel", "executive", "incident_commander")
FULL_BY = ("compliance_officer", "legal_counsel")


@dataclass(frozen=True)
class Asked:
    """What somebody wants a pack of: an incident, or the period from `since` up to `until`."""

    incident_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    profile: Profile = "redacted"
    reason: str = ""


@dataclass(frozen=True)
class Made:
    """A pack that was made: its seal, who let the words out, and who took a copy."""

    seal: Record
    released: list[Record] = field(default_factory=list)
    downloads: list[Record] = field(default_factory=list)

    @property
    def scope(self) -> Scope:
        return Scope.model_validate(self.seal.body["scope"])

    @property
    def manifest_sha256(self) -> str:
        return str(self.seal.body["manifest_sha256"])


async def roles_of(deps: Console, subject: str) -> tuple[str, ...]:
    """The roles of a person now; none for an account that may not take part, and while nobody knows who holds which."""
    people = await directory(deps)
    return people.roles_of(subject) if people and not people.is_excluded(subject) else ()


def may_build(roles: Sequence[str], profile: Profile = "redacted") -> bool:
    """Whether somebody with these roles may have such a pack."""
    return not set(roles).isdisjoint(FULL_BY if profile == "full" else REDACTED_BY)


async def build(deps: Console, asked: Asked, person: Person) -> Sealed:
    """The pack, and for one with every word in it the record of who had it made and why. Raises Problem."""
    packs, roles = packs_of(deps), await allowed(deps, person, asked.profile)
    if asked.profile == "full" and len(asked.reason.strip()) < MIN_REASON:
        raise Problem(
            422,
            "reason_too_short",
            f"The reason {asked.reason!r} is too short; {MIN_REASON} characters or more are accepted.",
            "Say who needs every word, and for what.",
        )
    try:
        if asked.incident_id:
            scope = await packs.incident_scope(asked.incident_id)
        elif asked.since is not None and asked.until is not None and asked.since < asked.until:
            scope = await packs.period_scope(asked.since, asked.until)
        else:
            detail = (
                f"An incident, or a period that begins before it ends, is needed; got {asked.since} to {asked.until}."
            )
            raise Problem(422, "no_scope", detail, "Name an incident, or two days.")
    except NothingToShow as nothing:
        raise Problem(404, "nothing_to_show", f"{nothing}.", "/population lists what there is.") from None
    try:
        sealed = await packs.build(scope, asked.profile, asked.since, asked.until)
    except SealingStopped as stopped:
        next_ = "Find out which history is right before anybody relies on a pack; appending goes on."
        raise Problem(409, "history_disputed", str(stopped), next_) from None
    except CheckpointFailed as failed:
        raise Problem(503, "no_checkpoint", str(failed), "Then ask for the pack again.") from None
    if asked.profile == "full":
        body = EvidenceReleased(
            scope=scope.model_dump(mode="json"),
            profile="full",
            manifest_sha256=sealed.manifest_sha256,
            subject=person.subject,
            name=person.name,
            roles=roles,
            reason=asked.reason.strip(),
        )
        key = f"evidence/released/{sealed.manifest_sha256}/{person.subject}/{uuid.uuid4()}"
        await deps.ledger.append(body.entry(key, person.subject))
    return sealed


async def download(deps: Console, manifest_sha256: str, person: Person, channel: Literal["web", "api"]) -> Sealed:
    """The bytes of a pack that was made, after the record that this person takes them. Raises Problem."""
    packs = packs_of(deps)
    made = next((one for one in await every(deps.ledger) if one.manifest_sha256 == manifest_sha256), None)
    if made is None:
        raise Problem(404, "unknown_pack", f"No pack has the manifest {manifest_sha256!r}.", "/evidence lists them.")
    profile: Profile = made.seal.body["profile"]
    roles = await allowed(deps, person, profile)
    if profile == "full" and not any(one.body["subject"] == person.subject for one in made.released):
        detail = "You have not said why you need every word of this pack."
        raise Problem(403, "not_released", detail, "Have it made on /evidence with your own reason.")
    sealed = await packs.again(made.seal)
    if sealed is None:
        detail = "This pack cannot be made again: words in it were erased since, or the product was changed."
        raise Problem(410, "pack_is_gone", detail, "Have it made anew on /evidence; the old seal stays in the ledger.")
    body = EvidenceDownloaded(
        manifest_sha256=manifest_sha256,
        profile=profile,
        subject=person.subject,
        name=person.name,
        roles=roles,
        channel=channel,
    )
    await deps.ledger.append(body.entry(f"evidence/downloaded/{uuid.uuid4()}", person.subject))
    return sealed


async def every(ledger: Ledger) -> list[Made]:
    """Every pack that was made, the newest first."""
    kinds = (Kind.evidence_sealed, Kind.evidence_released, Kind.evidence_downloaded)
    found: dict[str, Made] = {}
    for record in await ledger.records(kinds=kinds):
        manifest = record.body["manifest_sha256"]
        match record.kind:
            case Kind.evidence_sealed:
                found[manifest] = Made(record)
            case Kind.evidence_released if manifest in found:
                found[manifest].released.append(record)
            case Kind.evidence_downloaded if manifest in found:
                found[manifest].downloads.append(record)
    return list(reversed(found.values()))


async def allowed(deps: Console, person: Person, profile: Profile) -> tuple[str, ...]:
    """The person's roles. Raises Problem unless they may have such a pack."""
    roles = await roles_of(deps, person.subject)
    if not may_build(roles, profile):
        needed = " or ".join(FULL_BY if profile == "full" else REDACTED_BY)
        held = ", ".join(roles) or "no role"
        detail = f"A {profile} pack needs the role {needed}; you have {held}."
        raise Problem(403, "not_your_role", detail, "Ask somebody who has it.")
    return roles


def packs_of(deps: Console) -> Packs:
    """What makes packs. Raises Problem where this console has no ledger key."""
    if deps.packs is None:
        raise Problem(503, "no_ledger_key", "This console has no ledger key, so it cannot seal a pack.", "console init")
    return deps.packs
