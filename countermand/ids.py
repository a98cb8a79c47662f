"""Names of workflows, asks and effects. Each is a function, so that an id is never put together twice."""

from __future__ import annotations

import hashlib
from datetime import datetime


def watch_workflow(environment: str, release_id: str) -> str:
    return f"watch/{environment}/{release_id}"


def rollout_workflow(environment: str, release_id: str) -> str:
    """One id per release and environment: one rollout of it at a time."""
    return f"rollout/{environment}/{release_id}"


def rollout_record(rollout: str, what: str) -> str:
    """Idempotency key of one record of a rollout."""
    return f"{rollout}/{what}"


def sandbox_schedule(environment: str, release_id: str) -> str:
    """The schedule that starts a sandbox of a release again and again."""
    return f"sandbox/{environment}/{release_id}"


def scheduled_rollout(workflow_id: str) -> str:
    """The rollout that one run of a schedule starts: the same one if that run is repeated."""
    return f"rollout-{hashlib.sha256(workflow_id.encode()).hexdigest()[:8]}"


def incident_workflow(environment: str, service: str, release_id: str) -> str:
    """One id per release and environment: the server admits one running Incident of that id (I1)."""
    return f"incident/{environment}/{service}/{release_id}"


def incident_id(environment: str, service: str, release_id: str, number: int) -> str:
    """Short enough to say on the phone: `inc-7f3a2c1d`."""
    name = f"{incident_workflow(environment, service, release_id)}/{number}"
    return f"inc-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def declared_incident_id(environment: str, service: str, release_id: str, decision_id: str) -> str:
    """The id of an incident that a person's decision opens; it never meets those that a watch counts."""
    name = f"{incident_workflow(environment, service, release_id)}/declared/{decision_id}"
    return f"inc-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def cards_workflow(approval: str) -> str:
    """The workflow that keeps the cards of an approval."""
    return f"{approval}/cards"


def approval_workflow(incident: str, number: int) -> str:
    return f"{incident}/approval/{number}"


def ask_id(incident: str, number: int) -> str:
    return f"{incident}-ask-{number}"


def matter_of(ask: str) -> str:
    """The incident of a request for approval; any other request is a matter of its own."""
    return ask.split("-ask-", 1)[0]


def investigation_workflow(incident: str, number: int) -> str:
    """Looks into a pattern of unfairness before anything is changed; the first one has no number."""
    return f"{incident}/investigation" if number == 1 else f"{incident}/investigation/{number}"


def investigation_id(incident: str, number: int) -> str:
    return f"{incident}-investigation" if number == 1 else f"{incident}-investigation-{number}"


def revert_workflow(incident: str, number: int) -> str:
    return f"{incident}/revert/{number}"


def review_workflow(incident: str) -> str:
    return f"review/{incident}"


def messages_workflow(incident: str) -> str:
    """The workflow that tells people about an incident, one audience beside the other."""
    return f"messages/{incident}"


def correction_workflow(correction: str) -> str:
    return f"correction/{correction}"


def obligations_workflow(incident: str) -> str:
    """The workflow that looks after the clocks of one incident; it outlives the incident by months."""
    return f"{incident}/obligations"


def consent_workflow(consent: str) -> str:
    return f"consent/{consent}"


def consent_record(consent: str, what: str) -> str:
    """Idempotency key of one record of a consent; `opened` is its first."""
    return f"consent/{consent}/{what}"


def ratification(decision: str) -> str:
    """The consent by which others ratify a use of break-glass."""
    return f"ratify-{decision}"


def standing_workflow(authorisation: str) -> str:
    """Asks for a standing authorisation, and issues it when it is signed."""
    return f"standing/{authorisation}"


def standing_consent(authorisation: str) -> str:
    """The consent that a standing authorisation rests on."""
    return f"{authorisation}-consent"


def standing_issued(authorisation: str) -> str:
    """Idempotency key of the record that it was issued."""
    return f"standing/{authorisation}/issued"


def standing_revoked(authorisation: str) -> str:
    """Idempotency key of the record that it was revoked."""
    return f"standing/{authorisation}/revoked"


def version(environment: str, digest: str) -> str:
    """What a decision about one version is addressed to: the lists of its environment."""
    return f"version/{environment}/{digest}"


def version_denied(decision: str) -> str:
    """Idempotency key of the record that a version was denied."""
    return f"version/denied/{decision}"


def playbook_adopted(consent: str) -> str:
    """Idempotency key of the record that a playbook was adopted."""
    return f"playbook/adopted/{consent}"


def threshold_workflow(proposal: str) -> str:
    """Leads one proposed change of thresholds from its backtest to its comparison."""
    return f"threshold/{proposal}"


def threshold_record(proposal: str, what: str) -> str:
    """Idempotency key of one record of a proposed change of thresholds."""
    return f"threshold/{proposal}/{what}"


def threshold_consent(proposal: str) -> str:
    """The consent by which people adopt a proposed change of thresholds."""
    return f"{proposal}-adopt"


def threshold_review(playbook: str) -> str:
    """What a decision that the thresholds of a playbook stay as they are is addressed to."""
    return f"thresholds/{playbook}"


def version_allowed(consent: str) -> str:
    """Idempotency key of the record that a version was allowed again."""
    return f"version/allowed/{consent}"


def version_quarantined(incident: str, digest: str) -> str:
    """Idempotency key of the record that an incident put a version into quarantine: once, whatever is planned anew."""
    return f"{incident}/quarantine/{digest}"


#: What a decision about a legal hold is for.
HOLDS = "holds"
REHEARSAL_WINDOWS = "rehearsal-windows"


def hold_placed(decision: str) -> str:
    """Idempotency key of the record that a hold was placed."""
    return f"hold/placed/{decision}"


def hold_released(consent: str) -> str:
    """Idempotency key of the record that a hold was released."""
    return f"hold/released/{consent}"


def releasing_workflow(consent: str) -> str:
    """Asks whether a hold may be released, and releases it when it is signed."""
    return f"release-hold/{consent}"


#: Purges what is due; one at a time.
RETENTION_RUN = "retention/run"
#: Starts it every day.
RETENTION_SCHEDULE = "retention/daily"


def cadence_schedule(duty: str) -> str:
    """The schedule that starts the runs of a duty."""
    return f"cadence/{duty}"


def cadence_workflow(duty: str, subject: str, number: int) -> str:
    """One run in which people are asked, counted for each duty and what it is about."""
    return f"cadence/{duty}/{subject}/{number}" if subject else f"cadence/{duty}/{number}"


def cadence_by_hand(duty: str, word: str) -> str:
    """A run that a person wanted outside of the schedule."""
    return f"cadence/{duty}/by-hand-{word}"


def cadence_record(workflow_id: str, what: str) -> str:
    """Idempotency key of one record of a run."""
    return f"{workflow_id}/{what}"


def cadence_missed(duty: str, subject: str, due: datetime) -> str:
    """Idempotency key of the record that no run took place: once for each time it was due."""
    return f"cadence/{duty}/{subject}/missed/{due:%Y%m%dT%H%M%S}"


def cadence_planned(duty: str, number: int) -> str:
    """Idempotency key of the record of how often a duty is done, and of each change of it."""
    return f"cadence/{duty}/planned/{number}"


def lesson(lesson_id: str, what: str) -> str:
    """Idempotency key of one record about a lesson."""
    return f"lesson/{lesson_id}/{what}"


def release_refused(release_id: str, what: str) -> str:
    """Idempotency key of the record that a release was not registered: once for each reason."""
    return f"{release_id}/refused/{what}"


def guard_workflow(incident: str) -> str:
    """Looks whether what an incident took users from comes back."""
    return f"guard/{incident}"


def breach_incident_id(incident: str) -> str:
    """The incident that the guard of another one opens: one guard finds one breach and hands over."""
    return f"inc-{hashlib.sha256(guard_workflow(incident).encode()).hexdigest()[:8]}"


def preflight_workflow(environment: str, release_id: str) -> str:
    """Looks every hour whether the way back of a release is open."""
    return f"preflight/{environment}/{release_id}"


def version_marked(incident: str, digest: str, status: str, member: str) -> str:
    """Idempotency key of the record that a registry was asked to tag a version."""
    return f"{incident}/marked/{status}/{member}/{digest}"


def adopting_workflow(consent: str) -> str:
    """Asks whether a playbook may be used, and adopts it when it is signed."""
    return f"adopt/{consent}"


def allowing_workflow(consent: str) -> str:
    """Asks whether a version may be used again, and takes it off the deny list when it is signed."""
    return f"allow/{consent}"


def effect_key(workflow_id: str, plan_digest: str, stage: int | str, member: str) -> str:
    """Idempotency key of one effect (I7): never an attempt number."""
    return f"{workflow_id}/{plan_digest.removeprefix('sha256:')[:16]}/{stage}/{member}"


def fence(before: int, stage: int) -> int:
    """Grows with every stage, and past whatever fence the target held when the plan was made, so that a delayed
    write of an earlier stage, plan or incident is refused by the target (TGT-3)."""
    return before + stage


#: Stage number that the way back to the recorded state uses for its fence and records.
REVERSE_STAGE = 999
