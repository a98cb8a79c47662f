"""Whether users may be sent to a version now: read from the Ledger, judged by the pure rules (TGT-14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from activities.ports import KeyRing, Ledger
from countermand import ids
from countermand.governance.directory import Governance
from countermand.governance.eligible import (
    Alternative,
    Eligibility,
    Version,
    alternative_sentence,
    judge,
    next_eligible,
)
from countermand.governance.shipped import rights_in_force
from countermand.governance.version_lists import CONSENT_KINDS, KINDS, rests_on
from countermand.ledger.record import Record
from countermand.plan.model import Bundle


async def records_of_lists(ledger: Ledger) -> list[Record]:
    """All that the lists of versions are made of, with the consents they rest on."""
    records = await ledger.records(kinds=KINDS)
    opened = [await ledger.find(ids.consent_record(name, "opened")) for name in rests_on(records)]
    first = min((record.seq for record in opened if record is not None), default=None)
    return records if first is None else records + await ledger.records(kinds=CONSENT_KINDS, after_seq=first - 1)


class EligibleVersions:
    """Ports: Ledger, KeyRing; a clock. A Ledger that cannot be read raises, so that nothing is eligible meanwhile."""

    def __init__(self, ledger: Ledger, keys: KeyRing, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock = clock

    async def judge(self, version: Version, environment: str, governance: Governance) -> Eligibility:
        """Whether the version is eligible in the environment now, under the governance in force."""
        return judge(
            version,
            environment,
            await records_of_lists(self._ledger),
            self._keys.gateway_keys(),
            rights_in_force(governance),
            self._clock(),
            governance.limits.max_age,
        )

    async def alternative(
        self, besides: str, service: str, environment: str, governance: Governance
    ) -> Alternative | None:
        """The newest eligible version of the service beside the digest `besides`; None when there is none."""
        return next_eligible(
            service,
            environment,
            besides,
            await records_of_lists(self._ledger),
            self._keys.gateway_keys(),
            rights_in_force(governance),
            self._clock(),
            governance.limits.max_age,
        )

    async def lacking(self, bundle: Bundle, service: str, environment: str, governance: Governance) -> str:
        """Why users may not be sent to this bundle now, and what people may choose instead; empty when they may."""
        found = await self.judge(Version.of(bundle), environment, governance)
        if found.eligible:
            return ""
        instead = await self.alternative(bundle.digest, service, environment, governance)
        return f"{bundle.name} is not eligible: {found.because}. {alternative_sentence(service, environment, instead)}"
