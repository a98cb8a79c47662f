"""A world in which a rollback may start without asking: serious harm that two sources see, an authorisation that two
people signed, and a rehearsal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activities.ports import Ledger
from countermand import ids
from countermand.governance import consent_record
from countermand.governance.consent import ConsentRequest, ConsentState, apply
from countermand.governance.decision import Actor, Decision, DecisionKind, SignatureClass
from countermand.governance.directory import Directory, Governance
from countermand.governance.rights import Action, Right
from countermand.governance.shipped import shipped_rights
from countermand.governance.standing import StandingAuthorisation, StandingStage
from countermand.ledger.bodies import DecisionMade, RehearsalPassed, StandingIssued, StandingRevoked
from countermand.plan.model import Release
from countermand.playbook.model import Playbook, Severity
from tests import cases
from tests.fakes import FakeKeys

#: Stages of tests are short.
LIMITS = {"first_stage_soak": "100ms"}


def governance(**limits: Any) -> Governance:
    return cases.governance(limits=LIMITS | limits)


def serious_playbook(**changes: Any) -> Playbook:
    """`truth` is sev1, and fires when two signals from two sources are worse."""
    document = cases.playbook_document() | changes
    signals = document["detection"]["signals"]
    signals["complaints"] = signals["hallucinations"] | {"source": "feedback", "family": "user_experience"}
    (trigger,) = document["detection"]["triggers"]
    trigger["severity"] = "sev1"
    trigger["all"] = [{"signal": name, "tolerate": {"ratio": 1.5}} for name in signals]
    del trigger["any"]
    document["approvals"]["sev1"] = document["approvals"]["sev2"]
    return Playbook.model_validate(document)


def proceeding(playbook: Playbook) -> Playbook:
    """The same playbook; when nobody decides, the plan is carried out."""
    document = playbook.model_dump(mode="python", by_alias=True, exclude_unset=True)
    for policy in document["approvals"].values():
        policy["ladder"][-1]["action"] = "proceed"
    return Playbook.model_validate(document)


def an_authorisation(release: Release, playbook: Playbook, now: datetime, **changes: Any) -> StandingAuthorisation:
    """It covers the way back of this release under this playbook."""
    given: dict[str, Any] = {
        "authorisation_id": "sa-harm",
        "playbook_digest": release.playbook_digest,
        "environment": release.environment,
        "severities": (Severity.sev1,),
        "triggers": ("truth",),
        "targets": (release.baseline.digest,),
        "max_exposure_bp": 5_000,
        "stages": tuple(
            StandingStage(give_back_bp=stage.give_back, soak=stage.soak) for stage in playbook.revert.stages
        ),
        "issued_at": now - timedelta(hours=1),
        "expires_at": now + timedelta(days=30),
        "signers": (),
    }
    return StandingAuthorisation.model_validate(given | changes)


async def issue(
    ledger: Ledger,
    keys: FakeKeys,
    authorisation: StandingAuthorisation,
    people: Directory,
    now: datetime,
    signers: tuple[str, ...] = (cases.MARIA, cases.AMIRA),
) -> None:
    """Write what a consent leaves in the Ledger, signed by `signers`."""
    name = authorisation.authorisation_id
    request = ConsentRequest(
        consent_id=f"{name}-consent", workflow_id=f"consent/{name}", subject="May serious harm be rolled back?",
        right=shipped_rights().row(Action.standing_authorisation, Severity.sev1), document=authorisation.document,
        requester=cases.LENA, excluded=(), incident_id="", release_id="", environment=authorisation.environment,
        opened_at=now - timedelta(hours=1), expires_at=now + timedelta(days=7), overdue="lapse", directory=people,
        keys=keys.gateway_keys(),
    )  # fmt: skip
    await _sign(ledger, keys, request, people, now, signers)
    body = StandingIssued(authorisation=authorisation.model_dump(mode="json"), consent_id=request.consent_id)
    await ledger.append(body.entry(f"standing/{name}/issued", "worker"))


async def revoke(ledger: Ledger, authorisation_id: str) -> None:
    body = StandingRevoked(
        authorisation_id=authorisation_id, consent_id=f"{authorisation_id}-consent", reason="not any more",
        decision_id="d", name="Maria Keller",
    )  # fmt: skip
    await ledger.append(body.entry(f"standing/{authorisation_id}/revoked", "worker"))


async def rehearse(ledger: Ledger, playbook_digest: str) -> None:
    body = RehearsalPassed(playbook_digest=playbook_digest, scenario="two sources see harm")
    await ledger.append(body.entry(f"rehearsal/{playbook_digest}", "worker"))


async def give(
    ledger: Ledger,
    keys: FakeKeys,
    people: Directory,
    right: Right,
    document: dict[str, Any],
    name: str,
    now: datetime,
    signers: tuple[str, ...],
) -> str:
    """Write what a consent to `document` leaves in the Ledger, signed by `signers`; returns its id."""
    request = ConsentRequest(
        consent_id=name, workflow_id=f"consent/{name}", subject="May this be done?", right=right, document=document,
        requester="local|asker", excluded=(), incident_id="", release_id="", environment="test",
        opened_at=now - timedelta(hours=1), expires_at=now + timedelta(days=7), overdue="lapse", directory=people,
        keys=keys.gateway_keys(),
    )  # fmt: skip
    await _sign(ledger, keys, request, people, now, signers)
    return name


async def _sign(
    ledger: Ledger, keys: FakeKeys, request: ConsentRequest, people: Directory, now: datetime, signers: tuple[str, ...]
) -> None:
    name = request.consent_id
    state = ConsentState()
    await ledger.append(consent_record.opened(request).entry(ids.consent_record(name, "opened"), "worker"))
    for who in signers:
        decision = keys.sign(
            Decision(
                decision_id=f"{name}-by-{who}", kind=DecisionKind.approve, addressed_to=request.workflow_id,
                incident_id="", ask_id=request.consent_id, approval_digest=request.approval_digest,
                reason="read it and agreed", channel="web", acr="local", view_sha256=None, decided_at=now,
                gateway_key_id=keys.key_id, signature_class=SignatureClass.step_up,
                actor=Actor(
                    subject=who, printed_name=people.name_of(who), principal="person", roles=people.roles_of(who),
                    role_source="test", role_as_of=now,
                ),
            )
        )  # fmt: skip
        state = apply(request, state, decision, now)
        await ledger.append(
            DecisionMade(decision=decision).entry(f"decision/{decision.decision_id}", who),
            consent_record.vote(request, state, decision).entry(f"{name}/vote/{who}", "worker"),
        )
