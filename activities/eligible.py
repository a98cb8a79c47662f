"""Whether users may be sent to a version now: read from the Ledger, judged by the pure rules (TGT-14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from activities.ports import KeyRing, Ledger
from countermand import ids
from countermand.governance.eligible import Eligibility, Version, judge
from countermand.governance.rights import RightsTable
from countermand.governance.version_lists import CONSENT_KINDS, KINDS, rests_on


class EligibleVersions:
    """Ports: Ledger, KeyRing; a clock. A Ledger that cannot be read raises, so that nothing is eligible meanwhile."""

    def __init__(self, ledger: Ledger, keys: KeyRing, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock = clock

    async def judge(self, version: Version, environment: str, rights: RightsTable) -> Eligibility:
        """Whether the version is eligible in the environment now. `rights`: the table in force."""
        records = await self._ledger.records(kinds=KINDS)
        opened = [await self._ledger.find(ids.consent_record(name, "opened")) for name in rests_on(records)]
        first = min((record.seq for record in opened if record is not None), default=None)
        if first is not None:
            records = records + await self._ledger.records(kinds=CONSENT_KINDS, after_seq=first - 1)
        return judge(version, environment, records, self._keys.gateway_keys(), rights, self._clock())
