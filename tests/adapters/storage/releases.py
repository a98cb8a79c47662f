"""Releases, playbooks and labelled outputs for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.signal_ports import Batch, LabelledOutput
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from countermand.plan.model import Release
from countermand.playbook.load import parse
from countermand.playbook.signals import SignalSpec
from tests import cases

START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
BLOCK = timedelta(seconds=60)
SIGNALS = ("complaints", "failures", "refusals")


def playbook(**changes: Any) -> bytes:
    """A playbook that parses: `failures` and `refusals` from the source `judge`, `complaints` from `people`."""
    document = cases.playbook_document()
    detection = document["detection"]
    (signal,) = detection["signals"].values()
    detection["signals"] = dict.fromkeys(SIGNALS, signal) | {"complaints": signal | {"source": "people"}}
    detection["triggers"][0]["any"][0]["signal"] = "failures"
    document["verification"]["time_limit"] = "10s"
    for evidence in document["verification"]["signals"]:
        evidence["signal"] = "failures"
    return json.dumps(document | changes).encode()


async def registered(db: Database, release_id: str, **changes: Any) -> Release:
    """Register a release of the test playbook."""
    catalogue = SqlCatalogue(db)
    release = cases.release().model_copy(
        update={
            "release_id": release_id,
            "playbook_digest": await catalogue.put_playbook(playbook()),
            **changes,
        }
    )
    return (await catalogue.put_release(release, START)).release


def signals() -> dict[str, SignalSpec]:
    """The signals of the playbook."""
    return parse(playbook()).detection.signals


def batch(batch_id: str, *items: LabelledOutput, **changes: Any) -> Batch:
    """A batch whose body is its id."""
    return Batch(**{"batch_id": batch_id, "body_sha256": batch_id, "items": items} | changes)


def anywhere(_release: str, _environment: str) -> bool:
    """A credential without limits."""
    return True


def output(number: int = 0, **changes: Any) -> LabelledOutput:
    """A labelled output of `rel-1` in the first block."""
    fields = {
        "observation_id": f"o-{number}",
        "release_id": "rel-1",
        "arm": "candidate",
        "signal": "failures",
        "event_time": START + timedelta(milliseconds=number),
        "outcome": "ok",
    }
    return LabelledOutput.model_validate(fields | changes)
