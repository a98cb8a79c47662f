"""Arms that say themselves whether they are healthy, for systems that do not know it."""

from __future__ import annotations

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_http import Lost, TargetHttp
from adapters.target_settings import HealthUrls
from countermand.detection.models import Arm


async def health_problems(http: TargetHttp, place: HealthUrls, arm: Arm) -> list[str]:
    """Why the arm is not healthy by its own endpoint; empty after any 2xx answer."""
    try:
        await http.send("GET", place.health(arm), None)
    except (TargetUnavailable, TargetRejected, Lost) as problem:
        return [f"the {arm} arm is not healthy: {problem}"]
    return []
