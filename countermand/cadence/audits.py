"""What an audit finds, as pure rules: people and quorums, ways back, legal rows, retention (LRN §4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from countermand.governance.directory import Directory, unattainable, unheld
from countermand.governance.rights import unreachable
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import (
    ConsentClosed,
    ConsentOverdue,
    KeyAdded,
    KeyRotated,
    PurgeCertificate,
    parse_body,
)
from countermand.ledger.cadence_bodies import Finding
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import utc
from countermand.obligations.dataset import Dataset
from countermand.plan.target import Value
from countermand.playbook.model import Playbook
from countermand.retention.register import KINDS as HOLD_KINDS
from countermand.retention.register import holds_in_force

#: A signing key that is older is named.
OLD_KEY = timedelta(days=365)
#: A delegation that ends within this time is named.
ENDS_SOON = timedelta(days=7)
#: A way back that nobody looked at for so long is not known to be open.
LOOKED = timedelta(days=1)
#: A hold that is older is named, so that somebody asks whether it is still needed.
OLD_HOLD = timedelta(days=180)
#: The purge runs daily; without any certificate or hold for so long nothing follows, failures of this time are named.
LATELY = timedelta(days=31)

GOVERNANCE_KINDS = (Kind.key_added, Kind.key_rotated, Kind.consent_overdue, Kind.consent_closed)
RETENTION_KINDS = (*HOLD_KINDS, Kind.purge_certificate)


class Audited(Value):
    """What one audit found. not_looked: what could not be looked at; it is never taken for fine."""

    sentence: str
    findings: tuple[Finding, ...] = ()
    not_looked: tuple[Finding, ...] = ()

    @property
    def result(self) -> Literal["clean", "findings", "unknown"]:
        if self.findings:
            return "findings"
        return "unknown" if self.not_looked else "clean"

    @property
    def words(self) -> str:
        """For the record."""
        parts = []
        if self.findings:
            parts.append(f"{len(self.findings)} to look at")
        if self.not_looked:
            parts.append(f"{len(self.not_looked)} could not be looked at")
        return f"{self.sentence} {' and '.join(parts) or 'Nothing was found'}."


class Way(Value):
    """The version an open release goes back to. ready None: the target did not answer, or nobody looked."""

    release_id: str
    version: str
    eligible: bool
    because: str
    looked_at: datetime | None
    ready: bool | None
    said: str


def governance(
    directory: Directory, playbooks: Sequence[Playbook], records: Iterable[Record], now: datetime
) -> Audited:
    """Roles without people, quorums out of reach, delegations and exceptions, old keys.

    playbooks: the newest of each in use; records: of `GOVERNANCE_KINDS`, in order.
    """
    found = [Finding(about="people", sentence=one) for one in unheld(directory)]
    for playbook in playbooks:
        found += [Finding(about=playbook.name, sentence=one) for one in unattainable(playbook, directory)]
    people = [one for one in directory.governance.people if not directory.is_excluded(one.subject)]
    holders = {one.subject: directory.roles_of(one.subject) for one in people}
    for row in rights_in_force(directory.governance).rows:
        if row not in directory.governance.actions and (lacking := unreachable(row, holders)):
            said = f"Nobody is left to {row.does}; missing: {', '.join(lacking)}."
            found.append(Finding(about=row.action.value, sentence=said))
    found += _delegations(directory, now)
    found += _exceptions(directory, records := list(records))
    found += _keys(records, now)
    return Audited(
        sentence=f"{len(people)} people, {len(playbooks)} playbooks, {len(directory.governance.delegations)} "
        "delegations were looked at.",
        findings=tuple(dict.fromkeys(found)),
    )


def targets(ways: Sequence[Way], now: datetime) -> Audited:
    """The version each open release goes back to."""
    found, unseen = [], []
    for way in ways:
        if not way.eligible:
            said = f"{way.version} is not eligible: {way.because}."
            found.append(Finding(about=way.release_id, sentence=said))
        if way.looked_at is None or now - way.looked_at > LOOKED or way.ready is None:
            when = f"last looked at {utc(way.looked_at)}" if way.looked_at else "never looked at"
            unseen.append(Finding(about=way.release_id, sentence=f"The way back is {when}. {way.said}".strip()))
        elif not way.ready:
            found.append(Finding(about=way.release_id, sentence=f"Users could not go back: {way.said}"))
    return Audited(sentence=f"{len(ways)} watched releases.", findings=tuple(found), not_looked=tuple(unseen))


def obligations(dataset: Dataset, today: date) -> Audited:
    """Rows whose date to be checked again has passed."""
    late = dataset.unchecked(today)
    return Audited(
        sentence=f"{len(dataset.obligations)} rows, not legal advice.",
        findings=tuple(
            Finding(about=row.id, sentence=f"Check it again, it was due {row.recheck_by}: {row.title}") for row in late
        ),
    )


def retention(records: Sequence[Record], refused: str, now: datetime) -> Audited:
    """Failures of purges, and holds that are old. records: of `RETENTION_KINDS`; refused: why nothing is purged."""
    found = []
    deleted = held = 0
    for record in records:
        body = parse_body(record)
        if isinstance(body, PurgeCertificate) and record.at > now - LATELY:
            deleted, held = deleted + body.count, held + body.held
            for failure in body.failures:
                found.append(Finding(about=body.class_id, sentence=f"Record {record.seq}: {failure}"))
    for hold in holds_in_force(records):
        if now - hold.placed_at > OLD_HOLD:
            said = f"In force since {utc(hold.placed_at)}. Ask whoever placed it whether it is still needed."
            found.append(Finding(about=hold.hold_id, sentence=said))
    unread = (Finding(about="periods", sentence=f"Nothing is deleted now: {refused}"),) if refused else ()
    return Audited(
        sentence=f"{deleted} deleted and {held} kept under holds in {LATELY.days} days.",
        findings=(*unread, *found),
    )


def _delegations(directory: Directory, now: datetime) -> list[Finding]:
    found = []
    for one in directory.governance.delegations:
        if one.ends <= now:
            continue
        missing = [role for role in one.roles if role not in directory.roles_of(one.delegator)]
        if missing:
            said = f"Whoever lends {', '.join(missing)} does not hold it; it lends nothing."
            found.append(Finding(about=one.id, sentence=said))
        if directory.person(one.delegate) is None:
            found.append(Finding(about=one.id, sentence="Whoever it is for is not among the people, or may not act."))
        if one.not_before <= now and one.ends - now <= ENDS_SOON:
            found.append(Finding(about=one.id, sentence=f"It ends {utc(one.ends)}."))
    return found


def _exceptions(directory: Directory, records: Sequence[Record]) -> list[Finding]:
    found = []
    if directory.governance.playbooks.adoption == "open":
        said = "Releases may name a playbook that nobody signed (`playbooks.adoption: open`)."
        found.append(Finding(about="playbooks", sentence=said))
    overdue: dict[str, ConsentOverdue] = {}
    for record in records:
        match parse_body(record):
            case ConsentOverdue() as body:
                overdue[body.consent_id] = body
            case ConsentClosed() as body:
                overdue.pop(body.consent_id, None)
    for consent_id, body in overdue.items():
        said = f"An emergency is not ratified, it was due {utc(body.due)}; missing: {', '.join(body.missing)}."
        found.append(Finding(about=consent_id, sentence=said))
    return found


def _keys(records: Sequence[Record], now: datetime) -> list[Finding]:
    newest: dict[str, tuple[str, datetime]] = {}
    for record in records:
        match parse_body(record):
            case KeyAdded() | KeyRotated() as body:
                newest[body.purpose] = (body.key_id, record.at)
    return [
        Finding(about=key_id, sentence=f"The {purpose} key signs since {utc(since)}; rotate it.")
        for purpose, (key_id, since) in sorted(newest.items())
        if now - since > OLD_KEY
    ]
