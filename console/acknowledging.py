"""“I am on it”: no vote, but reminders leave this person alone and others see that somebody looks (GOV-25)."""

from __future__ import annotations

from typing import Literal

from console.decide import Person
from console.deps import Console
from console.slack_rules import check_acknowledge
from countermand.governance.directory import Directory
from countermand.ledger.bodies import AskAcknowledged
from countermand.messages.incident import AskView, IncidentView


async def acknowledge(
    deps: Console,
    person: Person,
    view: IncidentView,
    ask: AskView,
    directory: Directory,
    channel: Literal["slack", "web", "api"],
) -> None:
    """Record it and renew the cards; a second time changes nothing. Raises Refused."""
    check_acknowledge(view, ask, directory, person.subject, deps.clock())
    name = directory.name_of(person.subject)
    body = AskAcknowledged(ask_id=ask.opened.ask_id, subject=person.subject, name=name, channel=channel)
    key = f"{ask.opened.ask_id}/acknowledged/{person.subject}"
    await deps.ledger.append(body.entry(key, person.subject, incident_id=view.incident_id, release_id=view.release_id))
    await deps.workflows.show_again(ask.opened.workflow_id)
