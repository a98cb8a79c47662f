"""Where clicks from Slack are carried out: show the plan in a dialog, take the decision to the one door, answer.

Nothing here edits a card: cards change from the Ledger alone, by the worker (SLK-3). Nothing is kept in memory about
requests: every click is judged by what the Ledger says when it comes (SLK-8).
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import get_args

from adapters.directory_file import GovernanceInvalid
from adapters.slack_check import view_problems
from adapters.slack_inbox import Inbound, SlackInbox
from adapters.slack_links import SlackLinks
from adapters.slack_settings import SlackSettings
from adapters.slack_web import Json, SlackBusy, SlackRefused, SlackUnclear, SlackWeb
from console import views
from console.acknowledging import acknowledge
from console.decide import Act, Person
from console.deps import Console
from console.slack_answers import SlackAnswers
from console.slack_people import SlackPeople, TurnedAway
from console.slack_rules import check_decision, late_buttons
from console.slack_starting import SlackStarting, starts
from console.slack_turns import Turns
from console.temporal import OutcomeUnknown
from countermand.canonical import canonical
from countermand.governance.decision import DecisionKind, Refusal, Refused, SignatureClass
from countermand.governance.directory import Directory
from countermand.messages.ask_card import ask_card
from countermand.messages.facts import in_words, utc
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import ACKNOWLEDGE, complete_in_slack
from countermand.messages.slack_dialog import (
    Kind,
    decision_dialog,
    loading_dialog,
    recorded_dialog,
    refused_dialog,
    step_up_dialog,
)

_log = logging.getLogger(__name__)

#: Slack's trigger lives for 3 seconds: a dialog whose content takes longer than this opens without it (SLK-21).
OPEN_WITHIN = 1.5
#: Slack has to take the answer to a submission before the dialog is replaced again.
SETTLE = 0.2
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
#: What is said to a request; the rest is said to its incident.
_TO_REQUEST = ("approve", "reject", "extend")
_FAILURES = (SlackRefused, SlackBusy, SlackUnclear)
_RETRY = "It is tried again by itself; the console shows whether it counted."


class SlackDesk:
    """One console's hands for Slack."""

    def __init__(self, deps: Console, settings: SlackSettings, web: SlackWeb) -> None:
        self.web = web
        self.deps = deps
        self.console_url = deps.settings.console_url
        self.links = SlackLinks(deps.database, deps.clock)
        self.inbox = SlackInbox(deps.database, deps.clock)
        self.turns = Turns()
        self.people = SlackPeople(settings, web, self.links)
        self.answers = SlackAnswers(web, deps.ledger, self.console_url, deps.clock)
        self.starting = SlackStarting(self)

    async def carry_out(self, inbound: Inbound) -> None:
        """Carry out one click or submission and answer it. What fails on our side stays in the inbox and is retried."""
        await self.turns.work()
        try:
            if inbound.what == "submission" and starts(inbound.action):
                await self.starting.carry_out(inbound)
            elif inbound.what == "submission":
                await self._decide(inbound)
            elif inbound.action == ACKNOWLEDGE:
                await self._acknowledge(inbound)
            else:
                await self._open(inbound, _KINDS[inbound.action])
        except TurnedAway as away:
            await self.answers.refuse(inbound, away)
        except Exception:
            _log.exception("%s of %s could not be carried out", inbound.what, inbound.key)
            await self.answers.tell(inbound, "Not done: something went wrong on our side; it is in the log.", _RETRY)
            return
        await self.inbox.done(inbound.key)

    async def sweep(self) -> None:
        """Carry out what a process that is gone left behind."""
        for inbound in await self.inbox.take_abandoned():
            if inbound.what == "submission" or inbound.action == ACKNOWLEDGE:
                await self.carry_out(inbound)
            else:  # its trigger is long dead: no dialog can be opened for it
                await self.answers.tell(inbound, "Your click was lost: the console was restarted.", "Click again.")
                await self.inbox.done(inbound.key)

    # --- I'm on it ------------------------------------------------------------------------------------------

    async def _acknowledge(self, inbound: Inbound) -> None:
        person = await self.people.person(inbound.user, inbound.home_team)
        view, ask = await self._ask(inbound)
        directory = await self._directory(person)
        try:
            await acknowledge(self.deps, person, view, ask, directory, "slack")
        except Refused as refusal:
            raise TurnedAway.of(refusal, person.subject, late_buttons(view, ask)) from refusal
        quiet = directory.governance.limits.ack_quiet
        have = f"{ask.have} of {ask.opened.need_people} people approved"
        await self.answers.tell(
            inbound,
            f"Noted: you are looking at it. Reminders leave you alone for {in_words(quiet)}.",
            f"This is not a vote. {have}; decide by {utc(ask.expires_at)}.",
        )

    # --- the dialog -----------------------------------------------------------------------------------------

    async def _open(self, inbound: Inbound, kind: Kind) -> None:
        """Open the dialog at once; when the plan takes long to read, open it empty and fill it."""
        build = asyncio.create_task(self._dialog(inbound, kind))
        await asyncio.wait({build}, timeout=OPEN_WITHIN)
        trigger = inbound.trigger_id or ""
        try:
            if build.done():
                await self.web.open_view(trigger, build.result())
                return
            view_id = str((await self.web.open_view(trigger, loading_dialog()))["id"])
        except _FAILURES as error:
            build.cancel()
            await self.answers.tell(inbound, f"Slack did not open the dialog ({error}).", "Click again.")
            return
        try:
            dialog = await build
        except TurnedAway as away:
            await self.answers.record(inbound, away)
            dialog = refused_dialog(away.detail, away.next, self.console_url, _incident_of(inbound))
        await self.web.update_view(view_id, dialog)

    async def _dialog(self, inbound: Inbound, kind: Kind) -> Json:
        """The dialog with its proof of what it shows, for a person who may decide this now. Raises TurnedAway."""
        person = await self.people.person(inbound.user, inbound.home_team)
        view, ask = await self._ask(inbound)
        directory = await self._directory(person)
        try:
            check_decision(kind, view, ask, directory, person.subject, self.deps.clock())
            return await self._shown(inbound, kind, view, ask, person)
        except Refused as refusal:
            raise TurnedAway.of(refusal, person.subject, late_buttons(view, ask)) from refusal

    async def _shown(self, inbound: Inbound, kind: Kind, view: IncidentView, ask: AskView, person: Person) -> Json:
        """The dialog, after its exact bytes were kept as what this person saw (GOV-63). Raises Refused."""
        card = ask_card(view, ask)
        if kind == "approve" and card.signature_class is SignatureClass.step_up:
            return step_up_dialog(card, self.console_url)
        whole = complete_in_slack(view, ask, self.console_url)
        dialog = decision_dialog(kind, view, card, whole=whole)
        if view_problems(dialog) or (kind == "approve" and not whole):
            raise Refused(
                Refusal.view_incomplete,
                "this plan cannot be shown completely in Slack.",
                "Open the console, read it there and decide.",
            )
        view_sha256 = await self.deps.shown.issue(
            person.subject, ask.opened.ask_id, card.approval_digest, canonical(dialog), "application/json"
        )
        return dialog | {"private_metadata": _keep(inbound, kind, card.approval_digest, view_sha256)}

    # --- the decision ---------------------------------------------------------------------------------------

    async def _decide(self, inbound: Inbound) -> None:
        """To the one door, under an id made of the dialog's: sending it twice is the same decision."""
        incident_id = _incident_of(inbound)
        vote = inbound.action in ("approve", "reject")
        to_request = inbound.action in _TO_REQUEST
        act = Act(
            kind=DecisionKind(inbound.action),
            incident_id=incident_id,
            ask_id=inbound.ask_id if to_request else None,
            approval_digest=inbound.approval_digest if to_request else None,
            view_sha256=inbound.view_sha256 if vote else None,
            reason=inbound.reason,
            decision_id=f"slack.{inbound.user.team_id}.{inbound.view_id}",
        )
        try:
            person = await self.people.person(inbound.user, inbound.home_team)
            answer = await self.deps.gate.decide(act, person, "slack")
        except Refused as refusal:  # the door has recorded it
            await self._no(inbound, refusal.detail, refusal.next)
        except TurnedAway as away:
            await self.answers.record(inbound, away)
            await self._no(inbound, away.detail, away.next)
        except GovernanceInvalid as error:
            await self._no(inbound, str(error), "Nobody can decide until this file is repaired.")
        except OutcomeUnknown as unknown:
            await self.result(inbound, await self._once_more(inbound, unknown), f"Not known yet: {unknown}.")
        else:
            count = f"{answer.have} of {answer.need} people approved." if vote else ""
            said = f"{_sentence(answer.sentence)} {count}".strip()
            await self.result(inbound, recorded_dialog(said, self.console_url, incident_id), f"Recorded. {said}")

    async def _once_more(self, inbound: Inbound, unknown: OutcomeUnknown) -> Json:
        """The same dialog with the same reason: sending it again is the same decision, so it counts once."""
        view, ask = await self._ask(inbound)
        kind = _KINDS[inbound.action]
        notice = f"Not known yet: {unknown}. Your decision may still be counted. Sending it again is safe."
        dialog = decision_dialog(kind, view, ask_card(view, ask), notice=notice, reason=inbound.reason)
        kept = _keep(inbound, kind, inbound.approval_digest, inbound.view_sha256)
        return dialog | {"private_metadata": kept}

    async def _no(self, inbound: Inbound, why: str, next_: str) -> None:
        shown = refused_dialog(why, next_, self.console_url, _incident_of(inbound))
        await self.result(inbound, shown, f"Not done: {why} {next_}")

    async def result(self, inbound: Inbound, dialog: Json, sentence: str) -> None:
        """Show the result in the dialog; if it is closed by now, say it where the click was."""
        await asyncio.sleep(SETTLE)
        try:
            await self.web.update_view(inbound.view_id or "", dialog)
        except _FAILURES as error:
            _log.info("the dialog is not there any more: %s", error)
            await self.answers.tell(inbound, sentence)

    async def _ask(self, inbound: Inbound) -> tuple[IncidentView, AskView]:
        found = await views.one_ask(self.deps, inbound.ask_id)
        if found is None:
            raise TurnedAway("unknown_ask", f"there is no request {inbound.ask_id!r}.", "Open the console.")
        return found[0], found[1]

    async def _directory(self, person: Person) -> Directory:
        try:
            return await self.deps.people.snapshot()
        except GovernanceInvalid as error:
            repair = "Nobody can decide until this file is repaired."
            raise TurnedAway("directory_unavailable", str(error), repair, person.subject) from error


def _keep(inbound: Inbound, kind: Kind, approval_digest: str | None, view_sha256: str | None) -> str:
    """What comes back with a submission: ids only, each checked again then."""
    kept = {"ask_id": inbound.ask_id, "action": kind, "channel": inbound.channel}
    return json.dumps(kept | {"approval_digest": approval_digest, "view_sha256": view_sha256})


def _incident_of(inbound: Inbound) -> str:
    return inbound.ask_id.rpartition("-ask-")[0]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
