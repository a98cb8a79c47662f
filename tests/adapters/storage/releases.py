"""Releases, playbooks and labelled outputs for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.ports import LabelledOutput
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from countermand.plan.model import Release
from tests import cases

START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
BLOCK = timedelta(seconds=60)
SIGNALS = ("failures", "refusals")


def playbook(**changes: Any) -> bytes:
    """A playbook that parses, with the signals `failures` and `refusals`."""
    document = cases.playbook_document()
    detection = document["detection"]
    (signal,) = detection["signals"].values()
    detection["signals"] = dict.fromkeys(SIGNALS, signal)
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
