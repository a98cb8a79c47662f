"""Duties that a machine does: each audit looks, says what it found, and what it could not look at."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.cadence import newest_playbook, subjects_in_use
from activities.eligible import EligibleVersions
from activities.heartbeat import heartbeating
from activities.obligation_ports import Duties
from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from countermand import ids
from countermand.cadence import audits
from countermand.cadence.audits import Audited
from countermand.canonical import canonical
from countermand.governance.eligible import Version
from countermand.ledger.bodies import CadenceDone, DestinationChecked
from countermand.ledger.cadence_bodies import Finding
from countermand.ledger.record import Kind
from countermand.plan.target import Value

#: Most findings that stand in the record; the report has them all.
MOST = 40

Audit = Callable[[datetime], Awaitable[Audited]]


class AuditRequest(Value):
    """Which duty, in which run."""

    duty: str
    workflow_id: str
    now: datetime


class Done(Value):
    """What was recorded."""

    result: str
    sentence: str


class AuditingActivities:
    """Ports: Ledger, and the audit of each duty of a machine."""

    def __init__(self, ledger: Ledger, audits: Mapping[str, Audit]) -> None:
        self._ledger = ledger
        self._audits = audits

    @activity.defn(name="audit")
    async def audit(self, request: AuditRequest) -> Done:
        """Do it and record what was found. A repeated run answers with what was recorded first."""
        key = ids.cadence_record(request.workflow_id, "over")
        known = await self._ledger.find(key)
        if known is None:
            body = await self._done(request)
            [known] = await self._ledger.append(body.entry(key, "worker"))
        body = CadenceDone.model_validate(known.body)
        return Done(result=body.result, sentence=body.sentence)

    async def _done(self, request: AuditRequest) -> CadenceDone:
        audit = self._audits.get(request.duty)
        if audit is None:
            known = ", ".join(sorted(self._audits))
            raise ApplicationError(f"nothing does {request.duty!r}; known are {known}", non_retryable=True)
        began = time.monotonic()
        async with heartbeating():
            found = await audit(request.now)
        report = canonical(found.model_dump(mode="json"))
        both = (*found.findings, *found.not_looked)
        return CadenceDone(
            duty=request.duty,
            subject="",
            workflow_id=request.workflow_id,
            result=found.result,
            sentence=found.words,
            findings=both[:MOST],
            left_out=max(0, len(both) - MOST),
            seconds=round(time.monotonic() - began),
            report_sha256=await self._ledger.put_blob(report, "application/json"),
        )


class RecordedAudits:
    """The audits that need nothing but what is stored. Ports: Ledger, Catalogue, RoleDirectory, KeyRing, Duties."""

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, people: RoleDirectory, keys: KeyRing, duties: Duties
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._duties = duties

    def by_duty(self) -> dict[str, Audit]:
        """Each audit by the duty it does."""
        return {
            "governance_audit": self.governance,
            "target_audit": self.targets,
            "obligation_recheck": self.obligations,
            "retention_audit": self.retention,
        }

    async def governance(self, now: datetime) -> Audited:
        """Roles, quorums, delegations, exceptions, keys."""
        directory = await self._people.snapshot()
        playbooks = [
            found
            for subject in await subjects_in_use(self._ledger, self._catalogue)
            if (found := await newest_playbook(self._ledger, self._catalogue, subject.name)) is not None
        ]
        return audits.governance(directory, playbooks, await self._ledger.records(kinds=audits.GOVERNANCE_KINDS), now)

    async def targets(self, now: datetime) -> Audited:
        """The version that each open release goes back to, and whether the way there was open lately."""
        directory = await self._people.snapshot()
        eligible = EligibleVersions(self._ledger, self._keys, lambda: now)
        judge = partial(eligible.judge, governance=directory.governance)
        looked = {}
        for record in await self._ledger.records(kinds=(Kind.destination_checked,)):
            looked[record.release_id] = (record.at, DestinationChecked.model_validate(record.body))
        ways = []
        for status in await self._catalogue.releases():
            if status.closed_at is not None:
                continue
            release = status.release
            found = await judge(Version.of(release.baseline), release.environment)
            ways.append(
                audits.Way(
                    release_id=release.release_id,
                    version=release.baseline.name,
                    eligible=found.eligible,
                    because=found.because,
                    looked_at=looked[release.release_id][0] if release.release_id in looked else None,
                    ready=looked[release.release_id][1].ready if release.release_id in looked else None,
                    said=looked[release.release_id][1].sentence if release.release_id in looked else "",
                )
            )
        return audits.targets(ways, now)

    async def obligations(self, now: datetime) -> Audited:
        """Rows of reporting clocks that have to be checked again."""
        try:
            dataset, _ = await self._duties.read()
        except ValueError as error:
            return Audited(
                sentence="The rows cannot be read.", not_looked=(Finding(about="rows", sentence=str(error)),)
            )
        return audits.obligations(dataset, now.date())

    async def retention(self, now: datetime) -> Audited:
        """What was purged, kept under holds, and failed since the audit before."""
        refused = ""
        try:
            await self._duties.read()
        except ValueError as error:
            refused = str(error)
        records = await self._ledger.records(kinds=audits.RETENTION_KINDS)
        return audits.retention(records, refused, now)
