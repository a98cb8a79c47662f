"""Real packs, as the console makes them, under the verifier: whole, and with random changes."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.evidence_pdf import PdfUnavailable
from console import packs as packs_module
from countermand.evidence.manifest import Profile
from countermand.evidence.verify import CONSISTENT, REJECTED, Anchors, Bad, Report, unzip, verify
from tests.console.packing import packs, reverted
from tests.console.world import BASE, INCIDENT, World
from tests.rules.evidence.mutations import OF_ANY_PACK, changed

NOW = BASE.timestamp() + 86_400
CHANGES = 1_000 if os.environ.get("COUNTERMAND_FULL") else 80


def read(raw: bytes, line: str) -> Report:
    """What a reviewer who holds the ledger's key is told."""
    try:
        return verify(unzip(raw), Anchors(log_vkey=line), NOW)
    except Bad as bad:
        return Report(REJECTED, bad)


@pytest.mark.timeout(1_800)
async def test_real_packs_are_intact_and_no_random_change_of_them_is(
    tell: Callable[..., Awaitable[World]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> bytes:
        raise PdfUnavailable("not drawn in this test")

    monkeypatch.setattr(packs_module, "render_pdf", none)
    maker = packs(await tell(reverted), tmp_path)
    since, until = BASE - timedelta(days=1), BASE + timedelta(days=1)
    made = []
    profiles: tuple[Profile, ...] = ("full", "redacted")
    for profile in profiles:
        made.append((await maker.build(await maker.incident_scope(INCIDENT), profile)).content)
        made.append((await maker.build(await maker.period_scope(since, until), profile, since, until)).content)
    seen: Counter[str] = Counter()
    for whole in made:
        line = unzip(whole)["keys/log.vkey"].decode().strip()
        report = read(whole, line)
        assert (report.verdict, report.findings) == (CONSISTENT, []), str(report.first_bad)
    for seed in range(CHANGES):
        whole = made[seed % len(made)]
        files = unzip(whole)
        name, raw = changed(random.Random(seed), whole, files)  # noqa: S311
        report = read(raw, files["keys/log.vkey"].decode().strip())
        assert report.verdict == REJECTED, f"seed {seed}: {name} was not found"
        assert report.first_bad is not None
        assert report.first_bad.file, f"seed {seed}: {name} has no place"
        seen[name] += 1
    assert len(seen) >= len(set(OF_ANY_PACK)) - 1, f"kinds of change that never came up: {seen}"
