"""What traffic really does: users, requests and errors per generation of the split, and metrics."""

from __future__ import annotations

from datetime import UTC, datetime

from countermand.detection.models import Arm
from countermand.plan.target import Value
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Seen(Value):
    """Counted since the generation took effect (or since the process started, if that was later)."""

    generation: int
    candidate_users: int
    baseline_users: int
    requests: int
    errors: int
    since: datetime
    at: datetime


class Observed:
    """Counts what was served, never what was configured. Lives in memory: a restart begins at zero."""

    def __init__(self, digests: dict[Arm, str]) -> None:
        self._users: dict[Arm, set[str]] = {arm: set() for arm in Arm}
        self._registry = CollectorRegistry()
        requests = Counter("demo_requests", "Requests served.", ("arm", "digest", "outcome"), registry=self._registry)
        self._served = {
            (arm, ok): requests.labels(arm, digest, "ok" if ok else "error")
            for arm, digest in digests.items()
            for ok in (True, False)
        }
        self._generation_gauge = Gauge("demo_split_generation", "Generation of the split.", registry=self._registry)
        self._users_gauge = Gauge("demo_users", "Distinct users in this generation.", ("arm",), registry=self._registry)

    def start(self, generation: int) -> None:
        """Begin a new generation."""
        self._generation = generation
        self._since = datetime.now(UTC)
        self._requests = self._errors = 0
        for users in self._users.values():
            users.clear()

    def count(self, arm: Arm, user: str, *, ok: bool) -> None:
        """One request was served by this arm."""
        self._users[arm].add(user)
        self._requests += 1
        self._errors += not ok
        self._served[arm, ok].inc()

    def seen(self) -> Seen:
        return Seen(
            generation=self._generation,
            candidate_users=len(self._users[Arm.candidate]),
            baseline_users=len(self._users[Arm.baseline]),
            requests=self._requests,
            errors=self._errors,
            since=self._since,
            at=datetime.now(UTC),
        )

    def metrics(self) -> bytes:
        """Prometheus text exposition."""
        self._generation_gauge.set(self._generation)
        for arm, users in self._users.items():
            self._users_gauge.labels(arm).set(len(users))
        return generate_latest(self._registry)
