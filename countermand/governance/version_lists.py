"""The deny list, the quarantine and the baselines of one environment, as the Ledger and people's signatures say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from countermand.canonical import digest
from countermand.governance.decision import Decision, GatewayKeys
from countermand.governance.register import signers_of
from countermand.governance.rights import Action, Condition, Right, RightsTable
from countermand.ledger.bodies import (
    ConsentOpened,
    ConsentVote,
    DecisionMade,
    IncidentClosed,
    QuarantineLifted,
    ReleaseRegistered,
    RolloutEnded,
    VersionAllowed,
    VersionDenied,
    VersionQuarantined,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.playbook.terms import Severity

#: The kinds of record that the lists are made of.
KINDS = (
    Kind.release_registered,
    Kind.version_denied,
    Kind.version_allowed,
    Kind.version_quarantined,
    Kind.quarantine_lifted,
    Kind.incident_closed,
    Kind.rollout_ended,
)
#: The kinds that show who signed an allowance or a lifted quarantine.
CONSENT_KINDS = (Kind.consent_opened, Kind.consent_vote, Kind.decision)


def allowance(version: str, environment: str, because: str) -> dict[str, Any]:
    """The document that people sign to take a version off the deny list."""
    return {
        "act": Action.allow_version.value,
        "digest": version,
        "environment": environment,
        "because": because,
    }


def lifting(version: str, environment: str, incident_id: str, because: str) -> dict[str, Any]:
    """The document that people sign to let a version out of the quarantine of one incident.

    because: why the version is safe now (GOV-48).
    """
    return {
        "act": Action.re_release.value,
        "digest": version,
        "environment": environment,
        "incident_id": incident_id,
        "because": because,
    }


def rests_on(records: Sequence[Record]) -> tuple[str, ...]:
    """The consents by which something was allowed or lifted: `judge` has to be given their records too."""
    bodies = [parse_body(record) for record in records]
    found = [body.consent_id for body in bodies if isinstance(body, VersionAllowed | QuarantineLifted)]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Served:
    """Why a version is known to serve: `registered_by` registered it as a baseline, users went back to it and it was
    shown to be healthy in `incident_id`, or it was given to everybody and shown to be healthy in `rollout_id`.

    `seq` and `at` are those of the record that says so. parts: empty where they are not on record.
    """

    seq: int
    at: datetime
    release_id: str
    service: str
    name: str
    digest: str
    parts: dict[str, str]
    registered_by: str
    incident_id: str | None = None
    rollout_id: str | None = None

    @property
    def measured(self) -> bool:
        """Whether it was shown to be healthy, and not only named by a person."""
        return self.incident_id is not None or self.rollout_id is not None


def _baseline(record: Record, body: ReleaseRegistered) -> Served:
    return Served(
        seq=record.seq,
        at=record.at,
        release_id=record.release_id or "",
        service=body.service,
        name=body.baseline_name,
        digest=body.baseline_digest,
        parts=body.baseline_parts,
        registered_by=body.registered_by,
    )


class VersionLists:
    """What stands on the lists of one environment, each with the `seq` of its record.

    A denial or quarantine counts whoever wrote it: it can only narrow. It ends by a later record only where enough
    people of the table in force (`rights`) signed that, as their signatures say, in a request that came after it.
    """

    def __init__(self, environment: str, records: Sequence[Record], keys: GatewayKeys, rights: RightsTable) -> None:
        self.environment = environment
        self._keys = keys
        self._rights = rights
        self._opened: dict[str, tuple[int, ConsentOpened]] = {}
        self._votes: list[ConsentVote] = []
        self._signed: dict[str, Decision] = {}
        self.denials: list[tuple[int, VersionDenied]] = []
        self.quarantines: list[tuple[int, str, VersionQuarantined]] = []
        self.served: list[Served] = []
        self._registered: dict[str, ReleaseRegistered] = {}
        for record in sorted(records, key=lambda one: one.seq):
            self._take(record)

    def _take(self, record: Record) -> None:
        match parse_body(record):
            case ConsentOpened() as body:
                self._opened.setdefault(body.consent_id, (record.seq, body))
            case ConsentVote() as body:
                self._votes.append(body)
            case DecisionMade(decision=decision):
                self._signed.setdefault(decision.decision_id, decision)
            case ReleaseRegistered() as body if body.environment == self.environment:
                self._registered[record.release_id or ""] = body
                self.served.append(_baseline(record, body))
            case IncidentClosed(outcome="reverted"):
                known = self._registered.get(record.release_id or "")
                if known is not None:
                    self.served.append(replace(_baseline(record, known), incident_id=record.incident_id))
            case RolloutEnded(outcome="done", candidate_bp=10_000) as body if body.environment == self.environment:
                known = self._registered.get(record.release_id or "")
                if known is not None and known.candidate_digest == body.candidate_digest:
                    self.served.append(
                        replace(
                            _baseline(record, known),
                            name=known.candidate_name,
                            digest=body.candidate_digest,
                            parts=body.candidate_parts,
                            rollout_id=body.rollout_id,
                        )
                    )
            case VersionDenied() as body if body.environment == self.environment:
                self.denials.append((record.seq, body))
            case VersionQuarantined() as body if body.environment == self.environment:
                self.quarantines.append((record.seq, record.incident_id or "", body))
            case VersionAllowed() as body if body.environment == self.environment:
                self.denials = [one for one in self.denials if not self._allows(body, *one)]
            case QuarantineLifted() as body if body.environment == self.environment:
                self.quarantines = [one for one in self.quarantines if not self._lifts(body, *one)]

    def _allows(self, allowed: VersionAllowed, seq: int, denied: VersionDenied) -> bool:
        if denied.digest != allowed.digest:
            return False
        agreed = self._agreed(
            allowed.consent_id,
            self._rights.row(Action.allow_version, Severity.sev1),
            lambda because: allowance(denied.digest, denied.environment, because),
        )
        return seq < agreed

    def _lifts(self, lifted: QuarantineLifted, seq: int, incident_id: str, body: VersionQuarantined) -> bool:
        if (lifted.digest, lifted.by_incident) != (body.digest, incident_id):
            return False
        agreed = self._agreed(
            lifted.consent_id,
            self._rights.row(Action.re_release, Severity.sev1),
            lambda because: lifting(body.digest, body.environment, incident_id, because),
            ("fairness_fired",) if body.fairness else (),
        )
        return seq < agreed

    def _agreed(
        self,
        consent_id: str,
        right: Right,
        document: Callable[[str], dict[str, Any]],
        conditions: tuple[Condition, ...] = (),
    ) -> int:
        """`seq` of the request that enough people signed; of what came later they did not know. -1: not enough did."""
        if consent_id not in self._opened:
            return -1
        seq, asked = self._opened[consent_id]
        votes = [vote for vote in self._votes if vote.consent_id == consent_id]
        wanted = digest(document(str(asked.document.get("because", ""))))
        signers = signers_of(wanted, asked, votes, self._signed, self._keys)
        lacking = right.missing({one.subject: one.roles for one in signers}, conditions)
        return -1 if lacking else seq
