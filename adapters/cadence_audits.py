"""The audits of machines that read the database and the targets themselves: ledger, change logs, self-check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from activities.auditing import Audit
from activities.cadence import Cadence, note_missed, states_now
from activities.ports import Catalogue
from adapters.anchor_settings import anchor_settings
from adapters.change_logs import APART, compared_logs
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.head_keeping import configured_anchors
from adapters.ledger import SqlLedger, verify
from adapters.ledger_checks import shown, stopping
from adapters.outside import missing_records
from adapters.selfcheck import SelfCheck, selfcheck
from adapters.settings import Settings, SettingsInvalid
from adapters.target_settings import target_settings
from countermand.cadence.audits import Audited
from countermand.evidence.reconciliation import Compared
from countermand.ledger.cadence_bodies import Finding
from countermand.ledger.record import ChainBroken
from countermand.messages.facts import utc

#: How much of the past is compared each day: two days, so that nothing falls between two runs.
PAST = timedelta(days=2)


class StoredAudits:
    """One installation's database, heads and targets."""

    def __init__(
        self,
        db: Database,
        ledger: SqlLedger,
        heads: SqlCheckpoints,
        catalogue: Catalogue,
        cadence: Cadence,
        settings: Settings,
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._heads = heads
        self._catalogue = catalogue
        self._cadence = cadence
        self._settings = settings

    def by_duty(self) -> dict[str, Audit]:
        """Each audit by the duty it does."""
        return {"ledger_audit": self.ledger, "change_log_audit": self.change_logs, "self_check": self.checks}

    async def ledger(self, now: datetime) -> Audited:
        """Every record hashed again, the newest signed head, and what places outside have seen."""
        found: list[Finding] = []
        count = await self._ledger.head() + 1
        try:
            count, _ = await verify(self._db)
        except ChainBroken as broken:
            found.append(Finding(about=f"record {broken.seq}", sentence=f"The Ledger does not hold: {broken}"))
        found += _bad(await stopping(self._db, self._settings))
        found += _bad([one for one in await shown(self._db, self._settings, now) if one.name != "intents"])
        unseen: list[Finding] = []
        try:
            anchors = configured_anchors(anchor_settings(self._settings.anchors), self._db)
        except SettingsInvalid as error:
            anchors = ()
            unseen.append(Finding(about="anchors", sentence=str(error)))
        else:
            missing = await missing_records(self._ledger, self._heads, anchors)
            found += [Finding(about="outside", sentence=one) for one in missing]
            if not anchors:
                unseen.append(Finding(about="outside", sentence="No place outside holds a head of this Ledger."))
        return Audited(sentence=f"{count} records were hashed again.", findings=tuple(found), not_looked=tuple(unseen))

    async def change_logs(self, now: datetime) -> Audited:
        """Both ways: what the targets do not know of ours, and what we do not know of theirs."""
        until = now - APART
        since = until - PAST
        try:
            settings = target_settings(self._settings.targets)
        except SettingsInvalid as error:
            return Audited(
                sentence="The targets file cannot be used.",
                not_looked=(Finding(about="targets", sentence=str(error)),),
            )
        compared = await compared_logs(await self._ledger.records(), settings, self._ledger.put_blob, since, until)
        return logs_in_words(compared)

    async def checks(self, now: datetime) -> Audited:
        """Every self-check, and every duty that did not take place when it was due."""
        answers = await selfcheck(self._db, lambda: now)
        answers += await stopping(self._db, self._settings)
        answers += await shown(self._db, self._settings, now)
        planned, refused = await self._cadence.read()
        found = await states_now(self._ledger, self._catalogue, [one.duty for one in planned], now)
        others = [one for one in found if one.duty.id != "self_check"]
        late = await note_missed(self._ledger, others, now)
        findings = _bad(answers)
        if refused:
            findings.append(Finding(about="cadence", sentence=f"The shipped intervals are used: {refused}"))
        findings += [
            Finding(about=one.duty.id, sentence=f"{one.title}: due {utc(one.due)}, and no run took place.")
            for one in late
            if one.due is not None
        ]
        return Audited(sentence=f"{len(answers)} checks, {len(others)} duties.", findings=tuple(findings))


def logs_in_words(compared: Sequence[Compared]) -> Audited:
    """The comparison as findings; a log that was not compared is never taken for agreement."""
    found = [
        Finding(
            about=one.member,
            sentence=f"{len(one.they_miss)} changes of ours are not in its log, {len(one.we_miss)} changes in its log "
            "are not on record.",
        )
        for one in compared
        if one.why is None and not one.clean
    ]
    unread = [Finding(about=one.member, sentence=one.why) for one in compared if one.why is not None]
    return Audited(sentence=f"{len(compared)} members of targets.", findings=tuple(found), not_looked=tuple(unread))


def _bad(checks: Sequence[SelfCheck]) -> list[Finding]:
    return [Finding(about=one.name, sentence=f"{one.sentence} {one.repair}") for one in checks if not one.ok]
