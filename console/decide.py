"""The one `decide()`: web, command line and Slack all end here (governance.md §14).

It knows the person, reads their roles now, builds and signs the Decision, records it, and hands it to the
workflow, which is the only judge of whether it counts. Every refusal is recorded, whoever spoke it.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from activities.obligation_ports import Duties
from activities.ports import Ledger, LedgerConflict, RoleDirectory
from console import consents, denying, hold_matter, investigations, release_acts, review_matter, window_matter
from console.cadence_matter import CadenceMatter
from console.denying import VersionMatter
from console.duty_matter import DutyMatter, refuse_silent_signature, refuse_unstated_need
from console.hold_matter import HoldMatter
from console.review_matter import ReviewMatter
from console.revoking import revoke
from console.rollout_matter import RolloutMatter
from console.step_up import StepUps
from console.temporal import Workflows
from console.threshold_matter import ThresholdMatter, keep
from console.window_matter import WindowMatter
from countermand.governance import declaring, investigation, mandates
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused, SignatureClass
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import DecisionMade, DecisionRefused
from countermand.ledger.commitment import SALT_BYTES
from countermand.messages.ask_card import ask_card
from countermand.messages.consent import ConsentView
from countermand.messages.facts import utc
from countermand.messages.incident import AskView, IncidentView, incident
from countermand.messages.release import ReleaseView, release
from countermand.playbook.terms import Severity
from countermand.rehearsal import windows
from countermand.rollout import authority
from workflows.decisions import Answer

#: Refusals per person and minute that are recorded; then the person has to wait.
MOST_REFUSALS = 10
VOTES = (
    DecisionKind.approve,
    DecisionKind.reject,
    DecisionKind.retract,
    DecisionKind.extend,
    DecisionKind.withdraw,
)


class Signer(Protocol):
    """The gateway key."""

    @property
    def key_id(self) -> str: ...

    def sign(self, decision: Decision) -> Decision: ...


class Shown(Protocol):
    """Remembers which bytes were shown to whom for which ask (GOV-63)."""

    async def issue(self, subject: str, ask_id: str, approval_digest: str, raw: bytes, media_type: str) -> str: ...

    async def was_shown(self, view_sha256: str, subject: str, approval_digest: str) -> bool: ...


class Act(BaseModel):
    """What a person wants to do. `decision_id` makes sending it twice count once.

    `incident_id` is empty for a consent that belongs to no incident, and for an act about a release; `terms` are what
    the kind needs beside a reason. `step_up`: id of their confirmation of `approval_digest` with a security key.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: DecisionKind
    incident_id: str = ""
    release_id: str | None = None
    ask_id: str | None = None
    approval_digest: str | None = None
    view_sha256: str | None = None
    reason: str = ""
    decision_id: str | None = None
    step_up: str | None = None
    terms: dict[str, str] = {}


#: What names the workflow or the lists that judge an act by itself.
Addressed = (
    VersionMatter
    | HoldMatter
    | RolloutMatter
    | DutyMatter
    | ReviewMatter
    | ThresholdMatter
    | CadenceMatter
    | WindowMatter
)
#: What an act is about.
Matter = IncidentView | ConsentView | ReleaseView | Addressed


class Person(BaseModel):
    """Who is signed in, and how strongly: `acr` as the identity provider says, `local` for a local account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    name: str
    acr: str = "local"


class Gate:
    """The door. Remembers nothing but how often somebody was refused lately."""

    def __init__(
        self,
        ledger: Ledger,
        people: RoleDirectory,
        shown: Shown,
        signer: Signer,
        workflows: Workflows,
        clock: Callable[[], datetime],
        step_ups: StepUps,
        duties: Duties,
    ) -> None:
        self._ledger = ledger
        self._people = people
        self._shown = shown
        self._signer = signer
        self._workflows = workflows
        self._clock = clock
        self._step_ups = step_ups
        self._duties = duties
        self._refusals: dict[str, list[datetime]] = {}

    async def decide(self, act: Act, person: Person, channel: Literal["web", "cli", "api", "slack"]) -> Answer:
        """Carry out one act of one person. Raises Refused (recorded) or OutcomeUnknown."""
        view = await self._matter(act)
        self._refuse_floods(person)
        try:
            decision = await self._known(act, person)
            if decision is None:
                await self._check_view(act, view, person)
                decision = await self._sign(act, view, person, channel)
                if isinstance(view, ReleaseView):
                    release_acts.check(decision, view, await self._people.snapshot())
                if isinstance(view, DutyMatter | ReviewMatter | WindowMatter):
                    view.check(decision, await self._people.snapshot())
                if act.kind is DecisionKind.sign_review:
                    await refuse_silent_signature(self._ledger, self._duties, decision, self._clock())
                decision = await self._record(decision, act, view, person)
            if isinstance(view, ReleaseView):
                return await release_acts.carry_out(self._ledger, self._workflows, decision, view)
            if isinstance(view, VersionMatter):
                return await denying.deny(self._ledger, decision, await self._people.snapshot())
            if isinstance(view, DutyMatter):
                return await self._workflows.keep_obligation(decision, view.release_id)
            if isinstance(view, ThresholdMatter) and act.kind is DecisionKind.review_thresholds:
                return await keep(self._ledger, decision, await self._people.snapshot(), self._clock())
            if isinstance(view, WindowMatter):
                return window_matter.opened(decision, await self._people.snapshot())
            if isinstance(view, HoldMatter):
                return await hold_matter.place(self._ledger, decision, await self._people.snapshot())
            if isinstance(view, ConsentView) and act.kind is DecisionKind.withdraw:
                return await revoke(self._ledger, view, decision, await self._people.snapshot())
            return await self._workflows.decide(decision)
        except Refused as refusal:
            await self._record_refusal(act, view, person, channel, refusal)
            raise

    async def _matter(self, act: Act) -> Matter:
        """What the act is about: a version, a release, a consent or an incident. Raises Refused when there is none."""
        if act.kind is DecisionKind.deny_version:
            return VersionMatter.of(act.terms)
        if act.kind is DecisionKind.keep_obligation:
            return await DutyMatter.of(self._ledger, self._duties, act.incident_id, self._clock())
        if act.kind in review_matter.KINDS:
            return await ReviewMatter.of(self._ledger, act.incident_id, self._clock())
        if act.kind is DecisionKind.place_hold:
            return HoldMatter()
        if act.kind is DecisionKind.open_window:
            return WindowMatter()
        if act.kind is DecisionKind.review_thresholds or "proposal" in act.terms:
            return await ThresholdMatter.of(self._ledger, act.terms)
        if act.kind is DecisionKind.do_duty:
            return await CadenceMatter.of(self._ledger, act.terms.get("duty", ""))
        if act.kind in authority.KINDS:
            return await RolloutMatter.of(self._ledger, act.release_id)
        if act.release_id is not None:
            found = release(await self._ledger.records(release_id=act.release_id))
            if found is None:
                raise Refused(Refusal.unknown_ask, f"there is no release {act.release_id!r}.", "List the releases.")
            return found
        consent = await consents.one(self._ledger, act.ask_id) if act.ask_id else None
        if consent is not None:
            return consent
        view = incident(await self._ledger.records(incident_id=act.incident_id)) if act.incident_id else None
        if view is None:
            about = f"incident {act.incident_id!r}" if act.incident_id else f"request {act.ask_id!r}"
            raise Refused(Refusal.unknown_ask, f"there is no {about}.", "List the incidents and your requests.")
        return view

    def _refuse_floods(self, person: Person) -> None:
        """Ten refusals a minute are a person who is confused; more are a flood that nobody has to record (GOV-60)."""
        now = self._clock()
        recent = [at for at in self._refusals.get(person.subject, ()) if at > now - timedelta(minutes=1)]
        self._refusals[person.subject] = recent
        if len(recent) >= MOST_REFUSALS:
            raise Refused(Refusal.rate_limited, "too many refused decisions in one minute.", "Wait a minute.")

    async def _record(self, decision: Decision, act: Act, view: Matter, person: Person) -> Decision:
        """Record the decision as it was signed. Two requests with one id at once: the first one's counts."""
        entry = DecisionMade(decision=decision).entry(
            f"decision/{decision.decision_id}",
            person.subject,
            incident_id=decision.incident_id or None,
            release_id=view.release_id or None,
        )
        try:
            await self._ledger.append(entry)
        except LedgerConflict:
            return await self._known(act, person) or decision
        return decision

    async def _known(self, act: Act, person: Person) -> Decision | None:
        """The decision already signed under this id, so that a retried request is the same decision."""
        record = await self._ledger.find(f"decision/{act.decision_id}") if act.decision_id else None
        if record is None:
            return None
        decision = DecisionMade.model_validate(record.body).decision
        said = (
            *(decision.actor.subject, decision.kind, decision.incident_id, record.release_id),
            *(decision.ask_id, decision.approval_digest, decision.terms),
        )
        about = (act.incident_id or decision.incident_id, act.release_id or record.release_id)
        if said != (person.subject, act.kind, *about, act.ask_id, act.approval_digest, act.terms):
            raise Refused(
                Refusal.stale,
                f"decision id {act.decision_id!r} was used for something else.",
                "Use a new id.",
            )
        return decision

    async def _check_view(self, act: Act, view: Matter, person: Person) -> None:
        """An approval counts only from somebody who was shown exactly this plan, whole (GOV-63, COM-32)."""
        if isinstance(view, ReleaseView | Addressed):
            return
        if isinstance(view, ConsentView):
            if act.kind is view.approving:
                await self._refuse_unseen(act, person, "document", "`countermand consent show`")
            return
        if act.kind not in VOTES:
            return
        ask = _ask(act, view)
        if ask.closed is not None:
            raise Refused(
                Refusal.expired if ask.status == "expired" else Refusal.already_decided,
                f"this request is already {ask.status} ({ask.closed.because}); its time limit was "
                f"{utc(ask.expires_at)}, it is now {utc(self._clock())}.",
                "Open the incident to see what happens now, or ask again there.",
            )
        if act.kind is not DecisionKind.approve:
            return
        card = ask_card(view, ask)
        if not card.complete:
            lacking = " and ".join(card.incomplete_because)
            raise Refused(
                Refusal.view_not_shown, f"{lacking} cannot be shown.", "Reject or hold until it can be shown."
            )
        await self._refuse_unseen(act, person, "plan", "`countermand ask show`")
        await refuse_unstated_need(self._ledger, self._duties, view.incident_id, act.terms, act.reason, self._clock())

    async def _refuse_unseen(self, act: Act, person: Person, what: str, command: str) -> None:
        if not act.view_sha256 or not await self._shown.was_shown(
            act.view_sha256, person.subject, act.approval_digest or ""
        ):
            raise Refused(
                Refusal.view_not_shown,
                f"you have not been shown this {what}.",
                f"Open the request (page, or {command}), read it, then approve.",
            )

    async def _signature_class(self, act: Act, person: Person) -> SignatureClass:
        """How strongly this person signs. Raises Refused when the confirmation they name is not theirs to use."""
        if act.step_up is None:
            return SignatureClass.standard
        if not await self._step_ups.used(act.step_up, person.subject, act.approval_digest or ""):
            raise Refused(
                Refusal.step_up_required,
                "this confirmation with a second factor was used, is too old, or is not for this request.",
                "Open the request in the console, confirm with your second factor, and decide again.",
            )
        return SignatureClass.step_up

    async def _sign(
        self, act: Act, view: Matter, person: Person, channel: Literal["web", "cli", "api", "slack"]
    ) -> Decision:
        directory = await self._people.snapshot()
        now = self._clock()
        decision_id = act.decision_id or str(uuid.uuid4())
        incident_id = view.incident_of(act.kind, decision_id) if isinstance(view, ReleaseView) else view.incident_id
        decision = Decision(
            decision_id=decision_id,
            kind=act.kind,
            addressed_to=_addressee(act, view),
            incident_id=incident_id,
            ask_id=act.ask_id,
            approval_digest=act.approval_digest,
            reason=act.reason.strip(),
            actor=mandates.actor(directory, person.subject, _wanted(act, view, directory), scope_of(view), now),
            channel=channel,
            acr=person.acr if act.step_up is None else "webauthn",
            view_sha256=act.view_sha256,
            decided_at=now,
            gateway_key_id=self._signer.key_id,
            signature_class=await self._signature_class(act, person),
            terms=act.terms,
        )
        return self._signer.sign(decision.bind(lambda: secrets.token_bytes(SALT_BYTES)))

    async def _record_refusal(self, act: Act, view: Matter, person: Person, channel: str, refusal: Refused) -> None:
        self._refusals.setdefault(person.subject, []).append(self._clock())
        await self._ledger.append(
            DecisionRefused(
                decision_kind=act.kind.value,
                ask_id=act.ask_id,
                subject=person.subject,
                channel=channel,
                code=refusal.code.value,
                detail=refusal.detail,
            ).entry(
                f"refused/{uuid.uuid4()}",
                person.subject,
                incident_id=view.incident_id or None,
                release_id=view.release_id or None,
            )
        )


def scope_of(view: Matter) -> Scope:
    """What is decided on, as far as delegations ask."""
    if not isinstance(view, IncidentView):
        return view.scope
    opened = view.opened
    return Scope(release=view.release_id, environment=opened.environment, severity=Severity(opened.severity))


def roles_here(directory: Directory, subject: str, view: Matter, at: datetime) -> tuple[str, ...]:
    """The roles this person may act with here, lent ones included."""
    held = mandates.effective_roles(directory, subject, scope_of(view), at)
    return tuple(dict.fromkeys(one.role for one in held))


def _wanted(act: Act, view: Matter, directory: Directory) -> tuple[str, ...]:
    """The roles that may do this; a lent one is used only by somebody who holds none of them."""
    if isinstance(view, ConsentView):
        return view.right.roles
    if isinstance(view, VersionMatter):
        return denying.right(directory).roles
    if isinstance(view, DutyMatter):
        return view.roles(act.terms, directory)
    if isinstance(view, ReviewMatter):
        return view.roles(act.kind, act.terms, directory)
    if isinstance(view, HoldMatter):
        return hold_matter.right(directory).roles
    if isinstance(view, WindowMatter):
        return windows.ROLES
    if isinstance(view, ThresholdMatter):
        return view.roles(act.kind, directory)
    if isinstance(view, CadenceMatter):
        return view.asked.asks
    if isinstance(view, RolloutMatter):
        return authority.right_to(act.kind, rights_in_force(directory.governance)).roles
    if isinstance(view, ReleaseView):
        mode = act.terms.get("mode", declaring.Mode.propose)
        return declaring.right_to(act.kind, min(Severity), rights_in_force(directory.governance), mode).roles
    if act.kind in investigation.KINDS:
        return investigations.roles(act.kind, view, directory)
    if act.kind in (DecisionKind.approve, DecisionKind.reject):
        return _ask(act, view).opened.need_roles
    return directory.governance.rights.get(act.kind, ())


def _addressee(act: Act, view: Matter) -> str:
    """The workflow that judges this act now."""
    if isinstance(view, ConsentView):
        return view.opened.workflow_id
    if isinstance(view, Addressed):
        return view.addressee
    if isinstance(view, ReleaseView):
        return view.addressee(act.kind)
    if act.kind in VOTES:
        return _ask(act, view).opened.workflow_id
    if act.kind in investigation.KINDS:
        return investigations.open_one(view).opened.workflow_id
    if act.kind is DecisionKind.break_glass and view.closed is None:
        return view.opened.workflow_id
    if view.closed is not None or view.phase is None:
        raise Refused(Refusal.wrong_state, "this incident is closed.", "Nothing can be commanded any more.")
    return view.phase.commands_to


def _ask(act: Act, view: IncidentView) -> AskView:
    """The ask this act is about; without an id, the newest one."""
    wanted = act.ask_id or (view.ask.opened.ask_id if view.ask else None)
    found = next((ask for ask in view.asks if ask.opened.ask_id == wanted), None)
    if found is None:
        raise Refused(Refusal.unknown_ask, f"there is no request {wanted!r} in this incident.", "List your requests.")
    return found
