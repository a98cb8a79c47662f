"""May users be sent to this version: the deny list, the quarantine, and what served before (GOV-44…48, TGT-14).

`RULES` names the version of these rules; it stands in every answer. The lists are those of one environment: what a
rehearsal in a sandbox does there says nothing about production.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from countermand.canonical import instant
from countermand.governance.decision import GatewayKeys
from countermand.governance.rights import RightsTable
from countermand.governance.version_lists import Served, VersionLists
from countermand.ledger.record import Record
from countermand.plan.model import Bundle
from countermand.plan.target import CheckWord, Value
from countermand.playbook.units import format_duration

RULES = "eligible/3"


class Version(Value):
    """What is asked about: a bundle by its digest, with its parts where they are known, or one part by its digest."""

    digest: str
    parts: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, bundle: Bundle) -> Version:
        return cls(digest=bundle.digest, parts=bundle.model_dump(exclude={"name"}))

    def is_or_has(self, other: str) -> bool:
        """Whether `other` is this version or one of its parts."""
        return other == self.digest or other in self.parts.values()

    def shares(self, members: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the members that are parts of this version, or this version itself."""
        return tuple(name for name, value in members.items() if value == self.digest or self.parts.get(name) == value)


CheckName = Literal["deny_list", "quarantine", "served", "age"]
Word = Literal["eligible", "denied", "quarantined", "unknown", "too_old"]


class Finding(Value):
    """One check. `records`: sequence numbers of the Ledger records it rests on; none when there are none."""

    name: CheckName
    word: CheckWord
    sentence: str
    records: tuple[int, ...]


class Eligibility(Value):
    """The answer with every check. Only `eligible` lets anybody through; what is not known is not eligible."""

    digest: str
    environment: str
    word: Word
    checks: tuple[Finding, ...]
    rules: str = RULES

    @property
    def eligible(self) -> bool:
        return self.word == "eligible"

    @property
    def barred(self) -> bool:
        """Whether nobody may be sent to it at all: neither back to it, nor forward as a candidate."""
        return self.word in ("denied", "quarantined")

    @property
    def because(self) -> str:
        """Why it is not, in words; what speaks for it when it is."""
        told = [one for one in self.checks if self.eligible or one.word is not CheckWord.passed]
        return "; ".join(one.sentence for one in told)


class Alternative(Value):
    """An eligible version that users could be sent to instead; people choose it, nothing does so for them."""

    name: str
    found: Eligibility


def judge(
    version: Version,
    environment: str,
    records: Sequence[Record],
    keys: GatewayKeys,
    rights: RightsTable,
    now: datetime,
    max_age: timedelta | None = None,
) -> Eligibility:
    """Whether the version is an eligible target in the environment at `now`.

    records: those of `KINDS`, and those of `CONSENT_KINDS` of the consents that `rests_on` names. Deny beats allow.
    max_age: how long ago it may have been known to serve; None: age is not looked at.
    """
    return _judged(VersionLists(environment, records, keys, rights), version, now, max_age)


def next_eligible(
    service: str,
    environment: str,
    besides: str,
    records: Sequence[Record],
    keys: GatewayKeys,
    rights: RightsTable,
    now: datetime,
    max_age: timedelta | None = None,
) -> Alternative | None:
    """The newest eligible version of the service in the environment that is not `besides`; None when there is none.

    A version whose parts are not on record is passed over: whether one of them is denied would not be known.
    Arguments are those of `judge`.
    """
    lists = VersionLists(environment, records, keys, rights)
    for one in reversed(lists.served):
        if one.service != service or one.digest == besides or not one.parts:
            continue
        version = Version(digest=one.digest, parts=one.parts)
        found = _judged(lists, version, now, max_age)
        if found.eligible:
            return Alternative(name=one.name, found=found)
    return None


def alternative_sentence(service: str, environment: str, found: Alternative | None) -> str:
    """What people may choose instead, or that there is nothing."""
    if found is None:
        return f"No other version of {service} is known to be eligible in {environment!r}."
    short = found.found.digest.removeprefix("sha256:")[:12]
    return (
        f"The newest eligible version of {service} in {environment!r} is {found.name} ({short}); to go back there, "
        "register a release that has it as its baseline. Nothing is chosen for you."
    )


def _judged(lists: VersionLists, version: Version, now: datetime, max_age: timedelta | None) -> Eligibility:
    denied, quarantined, served = _denied(lists, version, now), _quarantined(lists, version), _served(lists, version)
    aged = None if max_age is None or served.word is not CheckWord.passed else _aged(lists, version, now, max_age)
    word: Word = "eligible"
    if denied.word is not CheckWord.passed:
        word = "denied"
    elif quarantined.word is not CheckWord.passed:
        word = "quarantined"
    elif served.word is not CheckWord.passed:
        word = "unknown"
    elif aged is not None and aged.word is not CheckWord.passed:
        word = "too_old"
    checks = (denied, quarantined, served, *([aged] if aged else []))
    return Eligibility(digest=version.digest, environment=lists.environment, word=word, checks=checks)


def _denied(lists: VersionLists, version: Version, now: datetime) -> Finding:
    found = [
        (seq, body)
        for seq, body in lists.denials
        if version.is_or_has(body.digest)
        and body.not_before <= now
        and (body.not_after is None or now < body.not_after)
    ]
    if not found:
        return _passed("deny_list", f"it is not on the deny list of {lists.environment!r}")
    said = [
        f"{body.name} denied {_which(version, body.digest)} in {lists.environment!r} "
        f"from {instant(body.not_before)} {f'until {instant(body.not_after)}' if body.not_after else 'on'} "
        f"(record {seq} says why)"
        for seq, body in found
    ]
    return _failed("deny_list", said, [seq for seq, _ in found])


def _quarantined(lists: VersionLists, version: Version) -> Finding:
    said, seqs = [], []
    for seq, incident_id, body in lists.quarantines:
        shared = version.shares(body.members)
        if body.digest == version.digest:
            said.append(f"incident {incident_id} put it into quarantine in {lists.environment!r}")
        elif shared:
            what = ", ".join(part.replace("_", " ") for part in shared)
            said.append(
                f"incident {incident_id} put its {what} into quarantine in {lists.environment!r}, with {body.name}"
            )
        else:
            continue
        seqs.append(seq)
    if not said:
        return _passed("quarantine", f"it is not in quarantine in {lists.environment!r}")
    return _failed("quarantine", said, seqs)


def _served(lists: VersionLists, version: Version) -> Finding:
    """Strongest proof first: users got it and it was measured to be healthy; else a person's word for it."""
    found = _known(lists, version)
    if not found:
        why = f"no release in {lists.environment!r} had it as its baseline, so whether it serves well is not known"
        return Finding(name="served", word=CheckWord.unknown, sentence=why, records=())
    healthy = [one for one in found if one.measured]
    if healthy:
        newest = healthy[-1]
        if newest.rollout_id is not None:
            said = (
                f"it was rolled out to everybody in rollout {newest.rollout_id} ({instant(newest.at)}) in "
                f"{lists.environment!r} and shown to be healthy"
            )
            return _passed("served", said, (newest.seq,))
        said = (
            f"users went back to it in incident {newest.incident_id} ({instant(newest.at)}) in {lists.environment!r} "
            "and it was shown to be healthy"
        )
        return _passed("served", said, (newest.seq,))
    recent = found[-3:]
    names = ", ".join(dict.fromkeys(one.release_id for one in recent))
    who = ", ".join(dict.fromkeys(one.registered_by for one in recent))
    said = f"it is the baseline of {names} in {lists.environment!r} on the word of {who}, who registered it there"
    return _passed("served", said, tuple(one.seq for one in recent))


def _aged(lists: VersionLists, version: Version, now: datetime, max_age: timedelta) -> Finding:
    newest = _known(lists, version)[-1]
    since = f"it was last known to serve at {instant(newest.at)}; up to {format_duration(max_age)} ago is accepted"
    old = now - newest.at > max_age
    return Finding(
        name="age", word=CheckWord.failed if old else CheckWord.passed, sentence=since, records=(newest.seq,)
    )


def _known(lists: VersionLists, version: Version) -> list[Served]:
    return [one for one in lists.served if one.digest == version.digest]


def _which(version: Version, denied: str) -> str:
    """What was denied, as seen from the version: itself or a part of it."""
    part = next((name for name, value in version.parts.items() if value == denied), None)
    return "it" if part is None or denied == version.digest else f"its {part.replace('_', ' ')}"


def _passed(name: CheckName, sentence: str, records: tuple[int, ...] = ()) -> Finding:
    return Finding(name=name, word=CheckWord.passed, sentence=sentence, records=records)


def _failed(name: CheckName, said: Sequence[str], records: Sequence[int]) -> Finding:
    return Finding(name=name, word=CheckWord.failed, sentence="; ".join(said), records=tuple(records))
