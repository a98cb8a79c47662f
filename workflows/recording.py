"""One record of one incident, appended by an activity; every workflow of an incident shares this."""

from __future__ import annotations

from temporalio import workflow

from activities.recording import RecordingActivities, RecordRequest
from countermand.ledger.bodies import Body
from workflows import policies


async def record(incident_id: str, release_id: str, key: str, body: Body, summary: str) -> None:
    """`key` names an event of the incident once and for all: the same key is never recorded twice."""
    entry = body.entry(f"{incident_id}/{key}", "worker", incident_id=incident_id, release_id=release_id)
    await workflow.execute_activity_method(
        RecordingActivities.record, RecordRequest(entries=(entry,)), summary=summary, **policies.RECORD
    )
