"""`/countermand emergency`, `propose`, `unfairness`, `concern`: a form opens; what is sent goes through the one door.

Nothing is decided from the text of a command (SLK-25).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.directory_file import GovernanceInvalid
from adapters.slack_check import view_problems
from adapters.slack_inbox import Inbound
from adapters.slack_links import SlackUser
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear
from console import emergencies
from console.decide import Person
from console.slack_people import TurnedAway
from console.temporal import OutcomeUnknown
from countermand.governance.decision import Refused
from countermand.governance.declaring import Declaration, Mode
from countermand.messages.slack_start import (
    HARM,
    RELEASE,
    SEVERITY,
    STARTS,
    Starts,
    start_dialog,
    started_dialog,
)
from countermand.playbook.terms import Severity
from workflows.decisions import Answer

if TYPE_CHECKING:
    from console.slack_desk import SlackDesk

_FAILURES = (SlackRefused, SlackBusy, SlackUnclear)


class SlackStarting:
    """Forms that open for a linked person, and what becomes of them."""

    def __init__(self, desk: SlackDesk) -> None:
        self._desk = desk

    async def open(self, kind: Starts, user: SlackUser, home_team: str, trigger_id: str, channel: str | None) -> str:
        """Open the form; returns what the person reads beside it. Raises TurnedAway."""
        await self._desk.people.person(user, home_team)
        statuses = await self._desk.deps.catalogue.releases()
        watched = [
            (one.release.release_id, one.release.candidate.name) for one in reversed(statuses) if one.closed_at is None
        ]
        if not watched:
            return "No release is watched, so there is nothing to say here."
        dialog = start_dialog(kind, watched, channel)
        if problems := view_problems(dialog):
            return f"Slack cannot show this form ({problems[0]}). Use the console: {self._desk.console_url}"
        try:
            await self._desk.web.open_view(trigger_id, dialog)
        except _FAILURES as error:
            return f"Slack did not open the form ({error}). Type it again, or use the console."
        return "The form is open."

    async def carry_out(self, inbound: Inbound) -> None:
        """Carry out a form that was sent, under an id made of the dialog's: sending it twice is the same decision."""
        release_id = inbound.terms[RELEASE]
        address = f"{self._desk.console_url}/releases/{release_id}"
        try:
            person = await self._desk.people.person(inbound.user, inbound.home_team)
            answer, incident_id = await self._say(inbound, person, release_id)
        except (Refused, TurnedAway) as no:
            if isinstance(no, TurnedAway):
                await self._desk.answers.record(inbound, no)
            await self._result(inbound, started_dialog("Not done", f"{no.detail} {no.next}", address), no.detail)
        except GovernanceInvalid as error:
            words = f"{error} Nobody can decide until this file is repaired."
            await self._result(inbound, started_dialog("Not done", words, address), words)
        except OutcomeUnknown as unknown:
            words = f"{unknown}; it may still be counted. Look at the console before you send it again."
            await self._result(inbound, started_dialog("Not known yet", words, address), words)
        else:
            where = f"{self._desk.console_url}/incidents/{incident_id}" if incident_id else address
            words = f"{answer.sentence[:1].upper()}{answer.sentence[1:]}"
            await self._result(inbound, started_dialog("Recorded", words, where), f"Recorded. {words}")

    async def _say(self, inbound: Inbound, person: Person, release_id: str) -> tuple[Answer, str | None]:
        shared: dict[str, Any] = {
            "release_id": release_id,
            "reason": inbound.reason,
            "decision_id": f"slack.{inbound.user.team_id}.{inbound.view_id}",
        }
        severity = Severity(inbound.terms[SEVERITY])
        if inbound.action == "concern":
            return await emergencies.raise_concern(self._desk.deps, person, "slack", severity=severity, **shared)
        said = Declaration(mode=Mode(inbound.action), severity=severity, harm=inbound.terms[HARM].strip())
        return await emergencies.declare(self._desk.deps, person, "slack", said=said, **shared)

    async def _result(self, inbound: Inbound, dialog: Json, sentence: str) -> None:
        await self._desk.result(inbound, dialog, sentence)


def starts(word: str) -> Starts | None:
    """Which form a typed word opens; None when it opens none."""
    return next((kind for kind in STARTS if kind == word.lower()), None)
