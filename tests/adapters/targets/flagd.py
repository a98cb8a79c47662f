"""A flag file. Nothing runs behind it here; test_flagd.py asks an OpenFeature provider what users get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from adapters.flagd_target import FlagdTarget
from adapters.target_http import Keep
from adapters.target_settings import FlagdMember
from countermand.plan.target import Member
from tests.adapters.targets.harness import Shares, Wire
from tests.adapters.targets.upstreams import Upstreams

_FILE_WRITE = "a write is a rename of a file on this machine, which has no answer that could be lost"
_NOTHING_RUNS = "a file is its own state; nothing runs behind it"
_NOBODY_COUNTS = "a file counts nobody"
CANDIDATE, BASELINE = "sha256:" + "c" * 64, "sha256:" + "b" * 64


def flags(candidate_bp: int) -> dict[str, Any]:
    """A file as a team might have it: the flag of the release, and one that is nobody's business here."""
    bucketing = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}
    rule = [bucketing, ["canary", candidate_bp], ["stable", 10_000 - candidate_bp]]
    return {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "flags": {
            "assistant": {
                "state": "ENABLED",
                "variants": {
                    "canary": {"bundle": "next", "digest": CANDIDATE},
                    "stable": {"bundle": "current", "digest": BASELINE},
                },
                "defaultVariant": "stable",
                "targeting": {"fractional": rule},
            },
            "greeting": {"state": "ENABLED", "variants": {"on": 1.5, "off": 0}, "defaultVariant": "on"},
        },
    }


class FlagdHarness:
    """One file and two arms with health endpoints."""

    name = "flagd"
    lacks: ClassVar[Mapping[str, str]] = {
        "halt": _NOTHING_RUNS,
        "lost response": _FILE_WRITE,
        "no answer": _FILE_WRITE,
        "status codes": "there is no HTTP",
        "twice": _FILE_WRITE,
        "stale reads": _NOTHING_RUNS,
        "unreadable": _NOTHING_RUNS,
        "killed before": _FILE_WRITE,
        "killed after": _FILE_WRITE,
        "transcript": "writes to a file leave no transcript",
        "native compare": "a file compares nothing; it is compared under a lock of ours",
        "reader": "the right to write is the right to write the file; see test_target_file.py",
        "credentials": "there are none",
        "missing arm": "a rule without the arm is refused when it is read; see test_flagd.py",
        "counters": _NOBODY_COUNTS,
        "users": _NOBODY_COUNTS,
        "fixed routing": _NOBODY_COUNTS,
        "stuck router": _NOBODY_COUNTS,
        "restricted": "the right to write is the right to write the file, with every flag in it",
    }
    shares = Shares()
    patience = 0.4
    stranger: Literal["external", "unknown"] = "unknown"
    unknown_member = "no member"
    denied = ""
    failing = "failing"
    counters_path = ""
    wire: Wire
    member = Member(target="flagd", name="chat", candidate_digest=CANDIDATE, baseline_digest=BASELINE)

    @classmethod
    def missing(cls) -> str | None:
        return None

    @classmethod
    def version(cls) -> str:
        return "(file)"

    async def start(self, folder: Path) -> None:
        self.file = folder / "flags.json"
        self._targets: list[FlagdTarget] = []
        self.upstreams = Upstreams()
        await self.upstreams.start()
        self.file.write_text(json.dumps(flags(6_000)))
        self._seeded = 0

    async def halt(self) -> None:
        raise AssertionError(self.lacks["halt"])

    async def restart(self) -> None:
        raise AssertionError(self.lacks["halt"])

    async def stop(self) -> None:
        for target in self._targets:
            await target.close()
        await self.upstreams.stop()

    async def seed(self, candidate_bp: int) -> None:
        self.upstreams.set({})
        await self.external_edit(candidate_bp)
        self._seeded = self._generation()

    def target(self, *, keep: Keep | None = None) -> FlagdTarget:
        health = {f"{arm}_health": f"http://127.0.0.1:{up.port}/healthz" for arm, up in self.upstreams.arms.items()}
        chat = FlagdMember(flag="assistant", candidate="canary", baseline="stable", **health)
        target = FlagdTarget(self.file, {"chat": chat}, keep=keep)
        self._targets.append(target)
        return target

    def reader(self) -> FlagdTarget:
        raise AssertionError(self.lacks["reader"])

    def strangers(self) -> tuple[FlagdTarget, tuple[str, ...]]:
        raise AssertionError(self.lacks["credentials"])

    def transcript(self) -> list[str]:
        raise AssertionError(self.lacks["transcript"])

    async def external_edit(self, candidate_bp: int) -> None:
        """As a person would with an editor: our mark stays as it was."""
        document = json.loads(self.file.read_text())
        document["flags"]["assistant"]["targeting"] = flags(candidate_bp)["flags"]["assistant"]["targeting"]
        self.file.write_text(json.dumps(document))

    async def fault(self, **script: object) -> None:
        if not set(script) <= {"arms"}:
            raise KeyError(sorted(script))
        arms = script.get("arms", {})
        assert isinstance(arms, dict)
        self.upstreams.set(arms)

    async def traffic(self, users: int) -> dict[str, int]:
        raise AssertionError(self.lacks["counters"])

    async def effects(self, key: str) -> int:
        return self._generation() - self._seeded if self._mark().get("key") == key else 0

    def shows(self, candidate_bp: int) -> bytes:
        return str(candidate_bp).encode()

    def _mark(self) -> dict[str, Any]:
        entry = json.loads(self.file.read_text())["flags"]["assistant"]
        mark: dict[str, Any] = json.loads(entry.get("metadata", {}).get("countermand", "{}"))
        return mark

    def _generation(self) -> int:
        return int(self._mark().get("generation", 0))
