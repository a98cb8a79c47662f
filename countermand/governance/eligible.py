"""May users be sent to this version: the deny list, the quarantine, and what served before (GOV-44…48, TGT-14).

`RULES` names the version of these rules; it stands in every answer. The lists are those of one environment: what a
rehearsal in a sandbox does there says nothing about production.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from countermand.canonical import instant
from countermand.governance.decision import GatewayKeys
from countermand.governance.rights import RightsTable
from countermand.governance.version_lists import VersionLists
from countermand.ledger.record import Record
from countermand.plan.model import Bundle
from countermand.plan.target import CheckWord, Value

RULES = "eligible/1"


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


class Finding(Value):
    """One check. `records`: sequence numbers of the Ledger records it rests on; none when there are none."""

    name: Literal["deny_list", "quarantine", "served"]
    word: CheckWord
    sentence: str
    records: tuple[int, ...]


class Eligibility(Value):
    """The answer with every check. Only `eligible` lets anybody through; what is not known is not eligible."""

    digest: str
    environment: str
    word: Literal["eligible", "denied", "quarantined", "unknown"]
    checks: tuple[Finding, ...]
    rules: str = RULES

    @property
    def eligible(self) -> bool:
        return self.word == "eligible"

    @property
    def because(self) -> str:
        """Why it is not, in words; what speaks for it when it is."""
        told = [one for one in self.checks if self.eligible or one.word is not CheckWord.passed]
        return "; ".join(one.sentence for one in told)


def judge(
    version: Version,
    environment: str,
    records: Sequence[Record],
    keys: GatewayKeys,
    rights: RightsTable,
    now: datetime,
) -> Eligibility:
    """Whether the version is an eligible target in the environment at `now`.

    records: those of `KINDS`, and those of `CONSENT_KINDS` of the consents that `rests_on` names. Deny beats allow.
    """
    lists = VersionLists(environment, records, keys, rights)
    denied, quarantined, served = _denied(lists, version, now), _quarantined(lists, version), _served(lists, version)
    word: Literal["eligible", "denied", "quarantined", "unknown"] = "eligible"
    if denied.word is not CheckWord.passed:
        word = "denied"
    elif quarantined.word is not CheckWord.passed:
        word = "quarantined"
    elif served.word is not CheckWord.passed:
        word = "unknown"
    return Eligibility(digest=version.digest, environment=environment, word=word, checks=(denied, quarantined, served))


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
        f"from {instant(body.not_before)} {f'until {instant(body.not_after)}' if body.not_after else 'on'}: "
        f"“{body.reason}”"
        for _, body in found
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
    found = [(seq, name) for seq, name, body in lists.baselines if body.baseline_digest == version.digest]
    if not found:
        why = f"no release in {lists.environment!r} had it as its baseline, so whether it serves well is not known"
        return Finding(name="served", word=CheckWord.unknown, sentence=why, records=())
    names = ", ".join(dict.fromkeys(name for _, name in found[-3:]))
    return _passed(
        "served", f"it is the baseline of {names} in {lists.environment!r}", tuple(seq for seq, _ in found[-3:])
    )


def _which(version: Version, denied: str) -> str:
    """What was denied, as seen from the version: itself or a part of it."""
    part = next((name for name, value in version.parts.items() if value == denied), None)
    return "it" if part is None or denied == version.digest else f"its {part.replace('_', ' ')}"


def _passed(
    name: Literal["deny_list", "quarantine", "served"], sentence: str, records: tuple[int, ...] = ()
) -> Finding:
    return Finding(name=name, word=CheckWord.passed, sentence=sentence, records=records)


def _failed(name: Literal["deny_list", "quarantine"], said: Sequence[str], records: Sequence[int]) -> Finding:
    return Finding(name=name, word=CheckWord.failed, sentence="; ".join(said), records=tuple(records))
