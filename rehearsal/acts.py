"""What scripted people can do: each act of a scenario as the call that a person's click or command becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from adapters.database import utc_now
from adapters.ledger import SqlLedger
from console.temporal import OutcomeUnknown
from countermand.governance.break_glass import use_digest
from countermand.governance.decision import Refusal as Code
from countermand.governance.decision import Refused
from countermand.governance.denying import denial_digest
from countermand.governance.investigation_form import FIELDS
from countermand.ledger.record import Kind
from countermand.plan.model import Release
from countermand.rehearsal.run import subject_of
from countermand.rehearsal.scenario import ScriptedAct
from countermand.rehearsal.script import ActKind
from countermand.retention.placing import hold_digest
from rehearsal.people import Played, Refusal

#: Acts that are votes on the request that is open now, and commands to the incident.
_VOTES = ("approve", "reject", "retract", "withdraw", "extend")
_COMMANDS = ("hold", "resume", "abort", "reverse", "ask_again", "proceed_incomplete")
#: What the console's API calls a caller who is no person, and what a decision would be refused with.
_SAME = {"unauthenticated": "actor_not_a_person"}
_AUTOMATION = "automation"
#: How long newer evidence may take to become the next request, in real seconds.
_NEXT_REQUEST = 20.0


class Answered(NamedTuple):
    """How an act ended; `code` is empty when it counted."""

    accepted: bool
    code: str
    sentence: str


class NothingThere(Exception):
    """The act is about something that is not there, such as a request that nobody opened."""


class Acts:
    """Acts of one release's story."""

    def __init__(self, people: Played, ledger: SqlLedger, release: Callable[[], Release]) -> None:
        self._people = people
        self._ledger = ledger
        self._release = release

    async def do(self, act: ScriptedAct) -> Answered:
        """Never raises for what the console refuses: that is an answer too."""
        try:
            return Answered(True, "", await self._done(act))
        except Refused as refused:
            return Answered(False, refused.code.value, f"{refused.detail} {refused.next}")
        except Refusal as refusal:
            return Answered(False, _SAME.get(refusal.code, refusal.code), refusal.detail)
        except OutcomeUnknown as error:
            return Answered(False, "outcome_unknown", str(error))
        except NothingThere as error:
            return Answered(False, "wrong_state", str(error))

    async def _done(self, act: ScriptedAct) -> str:
        kind = act.act.value
        if act.who == _AUTOMATION:
            return await self._by_a_machine(act)
        who = subject_of(act.who)
        if kind in _VOTES:
            return await self._vote(who, act)
        if kind in _COMMANDS:
            return await self._people.command(who, await self._incident(), kind, act.reason)
        others: dict[ActKind, Callable[[str, ScriptedAct], Awaitable[str]]] = {
            ActKind.acknowledge: self._acknowledge,
            ActKind.declare: self._declare,
            ActKind.propose: self._declare,
            ActKind.raise_concern: self._concern,
            ActKind.break_glass: self._break_glass,
            ActKind.ratify: self._sign_consent,
            ActKind.finding: self._finding,
            ActKind.deny_version: self._deny,
            ActKind.place_hold: self._hold_evidence,
            ActKind.record_fact: self._about_clocks,
            ActKind.record_anchor: self._about_clocks,
            ActKind.file_report: self._about_clocks,
            ActKind.register_release: self._register_again,
            ActKind.sign_review: self._sign_review,
        }
        if act.act not in others:
            raise NothingThere(f"{kind!r} cannot be played by a script")
        return await others[act.act](who, act)

    async def _vote(self, who: str, act: ScriptedAct) -> str:
        """On the request that is open. Newer evidence ends one and opens the next: a person reads that one then."""
        async with asyncio.timeout(_NEXT_REQUEST):
            while True:
                try:
                    return await self._people.vote(who, await self._open_ask(), act.act.value, act.reason)
                except Refused as refused:
                    if act.expect != "accepted" or not await self._superseded(refused):
                        raise
                await asyncio.sleep(0.3)

    async def _superseded(self, refused: Refused) -> bool:
        """Whether it came too late only because the evidence had changed."""
        closed = await self._ledger.records(kinds=[Kind.ask_closed])
        gone = bool(closed) and closed[-1].body["status"] == "stale"
        return refused.code in (Code.stale, Code.already_decided) and (gone or refused.code is Code.stale)

    # --- the incident -------------------------------------------------------------------------------------------

    async def _by_a_machine(self, act: ScriptedAct) -> str:
        """What a leaked token of a signal source could try."""
        return await self._people.with_source_token("POST", f"/api/v1/asks/{await self._open_ask()}/decisions", act)

    async def _acknowledge(self, who: str, act: ScriptedAct) -> str:
        await self._people.call(who, "POST", f"/api/v1/asks/{await self._open_ask()}/acknowledgement")
        return act.reason

    async def _declare(self, who: str, act: ScriptedAct) -> str:
        body = {
            "mode": "emergency" if act.act is ActKind.declare else "propose",
            "severity": act.terms.get("severity", "sev1"),
            "harm": act.terms.get("harm", act.reason),
            "reason": act.reason,
        }
        path = f"/api/v1/releases/{self._release().release_id}/declarations"
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    async def _concern(self, who: str, act: ScriptedAct) -> str:
        body = {
            "severity": act.terms.get("severity", "sev2"),
            "reason": act.reason,
            "propose": act.terms.get("propose") == "yes",
        }
        path = f"/api/v1/releases/{self._release().release_id}/concerns"
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    async def _break_glass(self, who: str, act: ScriptedAct) -> str:
        incident = await self._incident()
        workflow = (await self._newest(Kind.incident_opened))["workflow_id"]
        body = {
            "emergency": act.terms.get("emergency", "stop"),
            "harm": act.terms.get("harm", act.reason),
            "reason": act.reason,
            "step_up": await self._people.step_up(who, use_digest(str(workflow))),
        }
        path = f"/api/v1/incidents/{incident}/break-glass"
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    async def _sign_consent(self, who: str, act: ScriptedAct) -> str:
        opened = await self._newest(Kind.consent_opened)
        return await self.sign(who, str(opened["consent_id"]), act.reason)

    async def sign(self, who: str, consent_id: str, reason: str) -> str:
        """Read a consent and sign it, with the played security key."""
        path = f"/api/v1/consents/{consent_id}"
        shown = await self._people.call(who, "GET", path)
        digest = shown["card"]["approval_digest"]
        body = {
            "kind": "approve",
            "approval_digest": digest,
            "view_sha256": shown["view_sha256"],
            "step_up": await self._people.step_up(who, digest),
            "reason": reason,
        }
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    async def _finding(self, who: str, act: ScriptedAct) -> str:
        """Fill in the form, then sign what it leads to."""
        path = f"/api/v1/incidents/{await self._incident()}/investigation"
        outcome = act.terms.get("outcome", "revert")
        words = {
            **{one.name: one.choices[0] if one.choices else act.reason for one in FIELDS},
            "protected": "no",
            "recommendation": outcome,
        }
        fields = words | {name: text for name, text in act.terms.items() if name in words}
        await self._people.call(who, "POST", f"{path}/form", json={"fields": fields})
        filled = await self._newest(Kind.investigation_filled)
        digest = str(filled["digest"])
        body = {
            "outcome": outcome,
            "digest": digest,
            "reason": act.reason,
            "adjustment": act.terms.get("adjustment", ""),
            "step_up": await self._people.step_up(who, digest),
        }
        return str((await self._people.call(who, "POST", f"{path}/finding", json=body))["sentence"])

    # --- beside it ----------------------------------------------------------------------------------------------

    async def _deny(self, who: str, act: ScriptedAct) -> str:
        release = self._release()
        which = release.candidate if act.terms.get("version") == "candidate" else release.baseline
        return await self.deny(who, which.digest, act.reason)

    async def deny(self, who: str, digest: str, reason: str) -> str:
        """Put a version on the deny list."""
        environment = self._release().environment
        body = {
            "environment": environment,
            "reason": reason,
            "step_up": await self._people.step_up(who, denial_digest(digest, environment)),
        }
        return str((await self._people.call(who, "POST", f"/api/v1/releases/{digest}/denials", json=body))["sentence"])

    async def _hold_evidence(self, who: str, act: ScriptedAct) -> str:
        incident = await self._incident()
        body = {
            "incidents": [incident],
            "matter": act.terms.get("matter", "rehearsed matter"),
            "reason": act.reason,
            "step_up": await self._people.step_up(who, hold_digest({"incidents": incident})),
        }
        return str((await self._people.call(who, "POST", "/api/v1/holds", json=body))["sentence"])

    async def _about_clocks(self, who: str, act: ScriptedAct) -> str:
        names = {ActKind.record_fact: "fact", ActKind.record_anchor: "anchor", ActKind.file_report: "file"}
        terms = dict(act.terms)
        if act.act is ActKind.record_anchor:
            terms = {"at": utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"), "zone": "UTC"} | terms
        body = {"act": names[act.act], "reason": act.reason, "terms": terms}
        path = f"/api/v1/incidents/{await self._incident()}/obligations/acts"
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    async def _register_again(self, who: str, act: ScriptedAct) -> str:
        """Somebody's pipeline ships the same bundle under another release id."""
        release = self._release()
        body = release.model_dump(mode="json", exclude={"registered_by"})
        body["release_id"] = act.terms.get("release_id", f"{release.release_id}-again")
        await self._people.call(who, "POST", "/api/v1/releases", json=body)
        return f"release {body['release_id']} is registered"

    async def _sign_review(self, who: str, act: ScriptedAct) -> str:
        path = f"/api/v1/reviews/{await self._incident()}/signatures"
        body = {"reason": act.reason, "undecided_regimes": act.terms.get("undecided_regimes", "all")}
        return str((await self._people.call(who, "POST", path, json=body))["sentence"])

    # --- what is there ------------------------------------------------------------------------------------------

    async def _open_ask(self) -> str:
        records = await self._ledger.records(kinds=[Kind.ask_opened, Kind.ask_closed])
        closed = {record.body["ask_id"] for record in records if record.kind is Kind.ask_closed}
        opened = [str(record.body["ask_id"]) for record in records if record.kind is Kind.ask_opened]
        if not opened:
            raise NothingThere("nobody was asked yet")
        # A request that is over is what a late click is about.
        return next((ask for ask in reversed(opened) if ask not in closed), opened[-1])

    async def _incident(self) -> str:
        records = await self._ledger.records(kinds=[Kind.incident_opened])
        if not records or records[-1].incident_id is None:
            raise NothingThere("there is no incident yet")
        return records[-1].incident_id

    async def _newest(self, kind: Kind) -> dict[str, object]:
        records = await self._ledger.records(kinds=[kind])
        if not records:
            raise NothingThere(f"there is no {kind.value.replace('.', ' ')} yet")
        return records[-1].body
