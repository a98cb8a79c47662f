"""Versions as people see them: may users be sent there; denying one, and asking to allow it again."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Literal

from activities.eligible import EligibleVersions
from console.decide import Act, Person
from console.deps import Console
from console.problems import Problem
from countermand import ids
from countermand.canonical import digest, instant
from countermand.governance.decision import DecisionKind
from countermand.governance.denying import Denial, denial_digest
from countermand.governance.directory import Directory
from countermand.governance.eligible import Eligibility, Version, alternative_sentence
from countermand.governance.rights import Action, Condition, unreachable
from countermand.governance.shipped import rights_in_force
from countermand.governance.version_lists import allowance, lifting
from countermand.ledger.bodies import QuarantineLifted, ReleaseRefused, VersionQuarantined, parse_body
from countermand.ledger.record import Kind
from countermand.messages.facts import spoken
from countermand.plan.model import Bundle, Release
from countermand.playbook.terms import Severity
from workflows.consent import ConsentInput
from workflows.decisions import Answer

#: So long people may take to sign.
TIME_LIMIT = timedelta(days=7)


async def judged(deps: Console, digest: str, environment: str) -> Eligibility:
    """Whether this version is eligible in the environment now; its parts are known when a release named the bundle.

    Raises GovernanceInvalid.
    """
    releases = [status.release for status in await deps.catalogue.releases()]
    bundles = [bundle for release in releases for bundle in (release.candidate, release.baseline)]
    known = next((bundle for bundle in bundles if bundle.digest == digest), None)
    version = Version(digest=digest) if known is None else Version.of(known)
    return await _judged(deps, version, environment, await deps.people.snapshot())


async def of_release(deps: Console, release: Release, people: Directory) -> list[tuple[Bundle, Eligibility]]:
    """Both bundles of a release, the baseline first, and whether users may be sent to them."""
    return [
        (bundle, await _judged(deps, Version.of(bundle), release.environment, people))
        for bundle in (release.baseline, release.candidate)
    ]


async def instead(deps: Console, release: Release, people: Directory) -> str:
    """What people may go back to when the baseline of a release is not eligible; empty while it is."""
    lists = EligibleVersions(deps.ledger, deps.keys, deps.clock)
    baseline, where = release.baseline, release.environment
    if (await lists.judge(Version.of(baseline), where, people.governance)).eligible:
        return ""
    found = await lists.alternative(baseline.digest, release.service, where, people.governance)
    return alternative_sentence(release.service, where, found)


async def _judged(deps: Console, version: Version, environment: str, people: Directory) -> Eligibility:
    lists = EligibleVersions(deps.ledger, deps.keys, deps.clock)
    return await lists.judge(version, environment, people.governance)


async def refuse_barred(deps: Console, release: Release) -> None:
    """Raise Problem, and record it, when nobody may be sent to the candidate of a release that is to be registered.

    Raises GovernanceInvalid.
    """
    candidate = release.candidate
    people = await deps.people.snapshot()
    found = await _judged(deps, Version.of(candidate), release.environment, people)
    if found.word != "denied" and found.word != "quarantined":
        return
    body = ReleaseRefused(
        release_id=release.release_id,
        environment=release.environment,
        service=release.service,
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        word=found.word,
        because=found.because,
        asked_by=release.registered_by,
    )
    await deps.ledger.append(body.entry(ids.release_refused(release.release_id, digest(body)), release.registered_by))
    ask = f"`countermand release allow DIGEST --environment {release.environment} --reason …`"
    raise Problem(
        409,
        f"candidate_{found.word}",
        f"{candidate.name} may not be given to users in {release.environment!r}: {found.because}.",
        f"Release a version without what is named here; or have people sign that it is safe now: {ask}.",
    )


def eligibility_json(found: Eligibility) -> dict[str, Any]:
    """`countermand.eligibility/v1`."""
    return {
        "schema": "countermand.eligibility/v1",
        "eligible": found.eligible,
        "because": found.because,
        **found.model_dump(mode="json"),
    }


async def deny(
    deps: Console,
    person: Person,
    channel: Literal["web", "api"],
    said: Denial,
    *,
    reason: str,
    decision_id: str | None,
    step_up: str | None,
) -> Answer:
    """Put a version on the deny list, at once. Raises Refused."""
    act = Act(
        kind=DecisionKind.deny_version,
        approval_digest=denial_digest(said.digest, said.environment),
        reason=reason,
        decision_id=decision_id,
        step_up=step_up,
        terms=said.terms,
    )
    return await deps.gate.decide(act, person, channel)


async def _document(
    deps: Console, digest: str, environment: str, because: str
) -> tuple[Action, dict[str, Any], tuple[Condition, ...]]:
    """(the right it needs, what people sign, what makes it need more people). Raises Problem when nothing stands
    against the version itself."""
    word = (await judged(deps, digest, environment)).word
    if word == "denied":
        return Action.allow_version, allowance(digest, environment, because), ()
    records = await deps.ledger.records(kinds=[Kind.version_quarantined, Kind.quarantine_lifted])
    bodies = [parse_body(record) for record in records]
    lifted = {body.by_incident for body in bodies if isinstance(body, QuarantineLifted) and body.digest == digest}
    for record, body in zip(records, bodies, strict=True):
        if isinstance(body, VersionQuarantined) and (body.digest, body.environment) == (digest, environment):
            incident_id = record.incident_id or ""
            if incident_id not in lifted:
                fairness: tuple[Condition, ...] = ("fairness_fired",) if body.fairness else ()
                return Action.re_release, lifting(digest, environment, incident_id, because), fairness
    raise Problem(
        409,
        "wrong_state",
        f"{digest!r} itself is neither denied nor in quarantine in {environment!r}.",
        "Nothing has to be allowed; a part of it may be: `countermand release eligible` names it.",
    )


async def ask_to_allow(deps: Console, person: Person, digest: str, environment: str, because: str) -> dict[str, Any]:
    """Ask people to take a version off the deny list, or out of quarantine. Raises Problem, OutcomeUnknown."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    action, document, conditions = await _document(deps, digest, environment, because)
    right = rights_in_force(directory.governance).row(action, Severity.sev1).under(conditions)
    asker = directory.principal_of(person.subject)
    others = [one for one in directory.holders(*right.roles) if one.subject != asker]
    if lacking := unreachable(right, {one.subject: one.roles for one in others}):
        raise Problem(
            422,
            "quorum_unattainable",
            f"without you, who ask for it, nobody is left to sign as {spoken(lacking)}.",
            "Let somebody else ask for it, or add people to the governance file.",
        )
    consent_id = f"allow-{uuid.uuid4().hex[:8]}"
    await deps.workflows.start_allowing(
        ConsentInput(
            consent_id=consent_id,
            right=right,
            subject=f"May {digest} be used again in {environment}?",
            document=document,
            requester=asker,
            excluded=(),
            incident_id=None,
            release_id=None,
            environment=environment,
            time_limit=TIME_LIMIT,
            overdue="lapse",
            directory=directory,
            keys=deps.keys.gateway_keys(),
        )
    )
    return {
        "consent_id": consent_id,
        "status": "pending",
        "sentence": f"{spoken(tuple(one.name for one in others))} are asked to sign "
        f"until {instant(deps.clock() + TIME_LIMIT)}.",
    }
