"""The targets' own change logs beside the record of ours, member by member (EVD-14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_history import Histories
from adapters.target_http import Keep
from adapters.target_settings import TargetSettings
from countermand.evidence import reconciliation
from countermand.evidence.reconciliation import Compared
from countermand.ledger.record import Record

#: How far apart the two may have written down the same change: it is matched beyond the ends of the period too.
APART = timedelta(minutes=5)


async def compared_logs(
    records: Sequence[Record],
    settings: Mapping[str, TargetSettings],
    keep: Keep,
    since: datetime,
    until: datetime,
) -> list[Compared]:
    """One comparison for each member that a plan moves; what is missing is only what belongs to the period.

    records: the whole Ledger. A log that is not kept or cannot be read is said to be so.
    """
    ours = [one for one in reconciliation.effects(records) if since - APART <= one.at < until + APART]
    leases = reconciliation.leases(records)
    histories = Histories(settings, keep)
    found: list[Compared] = []
    try:
        for name, member in sorted(reconciliation.members_in(records).items()):
            mine = [one for one in ours if one.member == name]
            inside = [one for one in mine if since <= one.at < until]
            history, why = histories.of(member.target)
            if history is None:
                found.append(reconciliation.not_compared(name, len(inside), why))
                continue
            try:
                theirs = [one for one in await history.changes(member, since - APART) if one.at < until + APART]
            except (TargetUnavailable, TargetRejected) as error:
                found.append(reconciliation.not_compared(name, len(inside), f"its log cannot be read: {error}"))
                continue
            whole = reconciliation.compare(name, mine, theirs, leases)
            they_miss = tuple(one for one in whole.they_miss if since <= one.at < until)
            found.append(
                whole.model_copy(
                    update={
                        "ours": len(inside),
                        "theirs": sum(since <= one.at < until for one in theirs),
                        "agree": len(inside) - len(they_miss),
                        "they_miss": they_miss,
                        "we_miss": tuple(one for one in whole.we_miss if since <= one.at < until),
                    }
                )
            )
    finally:
        await histories.close()
    return found
