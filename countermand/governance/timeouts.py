"""What happens when nobody decides: the declared default, and when `proceed` becomes `hold` (GOV-23, GOV-24)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from countermand.governance.limits import TARGET_VERIFIED_FOR
from countermand.governance.standing import Validity
from countermand.plan.target import Value

Declared = Literal["proceed", "hold", "abort"]

LEAST_CHANNELS = 2


class TimeoutFacts(Value):
    """How the asking went, and how things stand at the time limit.

    delivered: channels on which the ask went out. received: those of them that returned a delivery receipt.
    stops: why nothing may happen without people, in words (`protection`).
    """

    delivered: tuple[str, ...]
    received: tuple[str, ...]
    target_verified_at: datetime | None
    fairness_pause: bool
    rehearsed_at: datetime | None
    fresh_for: timedelta
    stops: tuple[str, ...]


class Default(Value):
    """The branch that is taken. `degraded` says why it is not the declared one; empty when it is."""

    declared: Declared
    action: Declared
    degraded: tuple[str, ...] = ()


def default_on_timeout(declared: Declared, standing: Validity, facts: TimeoutFacts, now: datetime) -> Default:
    """The branch at the time limit. `hold` and `abort` always run as declared.

    `proceed` runs only under a standing authorisation, and only if people had a real chance to say no; else it
    degrades to `hold`, so that keeping people from deciding gains nothing (T20).
    """
    if declared != "proceed":
        return Default(declared=declared, action=declared)
    reasons = list(standing.reasons) if not standing.ok else []
    channels = set(facts.delivered)
    if len(channels) < LEAST_CHANNELS:
        reasons.append(f"the request went out on {len(channels)} channels, {LEAST_CHANNELS} are needed")
    if not channels & set(facts.received):
        reasons.append("no channel confirmed that the request arrived")
    verified = facts.target_verified_at
    if verified is None or not timedelta(0) <= now - verified <= TARGET_VERIFIED_FOR:
        reasons.append("the rollback target was not verified in the last 15 minutes")
    if facts.fairness_pause:
        reasons.append("a fairness question is under investigation")
    rehearsed = facts.rehearsed_at
    if rehearsed is None or not timedelta(0) <= now - rehearsed <= facts.fresh_for:
        reasons.append("this playbook was not rehearsed lately")
    reasons += facts.stops
    return Default(declared=declared, action="hold" if reasons else "proceed", degraded=tuple(reasons))
