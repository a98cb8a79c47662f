"""The small world most tests share: one service, one playbook, three people, one release."""

from __future__ import annotations

from typing import Any

from activities.ports import Ledger
from countermand.governance.directory import Governance
from countermand.governance.eligible import Version
from countermand.ledger.bodies import ReleaseRegistered
from countermand.plan.model import Bundle, Release
from countermand.playbook.model import Playbook

MARIA, JONAS, AMIRA, LENA = "local|maria", "local|jonas", "local|amira", "local|lena"


def governance(**changes: Any) -> Governance:
    everybody = ["incident_commander", "release_owner", "safety_lead"]
    document: dict[str, Any] = {
        "schema": "countermand.governance/v1",
        "playbooks": {"adoption": "open"},
        "people": [
            {"subject": MARIA, "name": "Maria Keller", "roles": ["safety_lead", "product_owner"]},
            {"subject": JONAS, "name": "Jonas Weber", "roles": ["release_owner", "incident_commander"]},
            {"subject": AMIRA, "name": "Amira Haddad", "roles": ["executive", "safety_lead"]},
            {"subject": LENA, "name": "Lena Ortiz", "roles": ["release_owner"]},
        ],
        "rights": {
            "withdraw": ["incident_commander"],
            "hold": everybody,
            "resume": ["incident_commander"],
            "abort": ["incident_commander"],
            "reverse": ["incident_commander"],
            "ask_again": everybody,
        },
    }
    return Governance.model_validate(document | changes)


def with_a_glass_breaker() -> Governance:
    """Lena may break the glass."""
    document = governance().model_dump(mode="json", by_alias=True)
    lena = next(person for person in document["people"] if person["subject"] == LENA)
    lena["roles"] = [*lena["roles"], "break_glass"]
    return Governance.model_validate(document)


def playbook_document() -> dict[str, Any]:
    """A playbook with times short enough for tests on a real clock; tests change parts of it."""
    approval = {
        "quorum": {
            "roles": [{"role": "safety_lead", "min": 1}, {"role": "release_owner", "min": 1}],
            "distinct_people": 2,
        },
        "ladder": [
            {"after": "0s", "do": "ask", "to": ["safety_lead", "release_owner"]},
            {"after": "5m", "do": "remind", "to": ["safety_lead", "release_owner"]},
            {"after": "10m", "do": "escalate", "to": ["executive"]},
            {"after": "30m", "do": "default", "action": "hold"},
        ],
        "ask_again_every": "60m",
    }
    everyone = ["operator", "approver", "exec", "support", "customer"]
    told = {
        "incident_opened": ["operator", "approver"],
        "approval_asked": ["operator", "approver"],
        "approval_reminded": ["operator", "approver"],
        "approval_decided": ["operator", "approver"],
        "default_taken": ["operator", "approver", "exec"],
        "stage_completed": ["operator"],
        "revert_stopped": ["operator", "approver", "exec"],
        "reverted": everyone,
        "all_clear": everyone,
        "not_verified": ["operator", "approver", "exec"],
        "review_drafted": ["operator", "approver"],
    }
    return {
        "schema": "countermand.playbook/v1",
        "name": "test-bot",
        "version": 1,
        "context": "conversational_agent",
        "service": "test-bot",
        "summary": "A playbook for tests.",
        "owner": "release_owner",
        "legal": {"duties": [], "none_because": "a test serves nobody"},
        "detection": {
            "block": "1s",
            "watch": "1h",
            "sustain": "5s",
            "lateness": "0s",
            "dispersion": 1,
            "false_alarms": {"per_release": 0.01, "reserve": 0},
            "signals": {
                "hallucinations": {
                    "kind": "rate",
                    "bad": "higher",
                    "expect": 0.02,
                    "family": "model_quality",
                    "meaning": "answers that say what is not so",
                    "source": "judge",
                }
            },
            "triggers": [
                {
                    "id": "truth",
                    "severity": "sev2",
                    "protects": {"kind": "user_impact", "what": "users get true answers"},
                    "any": [{"signal": "hallucinations", "tolerate": {"ratio": 1.5}}],
                }
            ],
        },
        "approvals": {"sev2": approval},
        "emergency": {"page": ["incident_commander"], "say": "Answers are wrong."},
        "evidence_freeze": {"time_limit": "60s"},
        "data_integrity": {
            "checks": [
                {"id": "digest_served", "kind": "digest_served", "meaning": "the approved bundle is served"},
                {
                    "id": "destination_healthy",
                    "kind": "destination_healthy",
                    "meaning": "the baseline answers",
                },
            ],
            "before": ["digest_served", "destination_healthy"],
            "between": ["destination_healthy"],
            "after": ["digest_served", "destination_healthy"],
        },
        "revert": {
            "target": "fake",
            "member": "test-bot",
            "stages": [
                {"give_back": "10%", "soak": "100ms"},
                {"give_back": "50%", "soak": "100ms"},
                {"give_back": "100%", "soak": "100ms"},
            ],
            "stage_time_limit": "120s",
            "traffic": {"residual": "2%", "settle": "10ms", "time_limit": "2s"},
        },
        "verification": {
            "signals": [{"signal": "hallucinations", "at_most": 0.05, "min_scored": 400}],
            "time_limit": "4s",
        },
        "communications": [{"step": step, "audiences": audiences} for step, audiences in told.items()],
        "review": {
            "owner": "release_owner",
            "sign_off": {"roles": [{"role": "safety_lead", "min": 1}], "distinct_people": 1},
            "due": "5d",
        },
        "incident_time_limit": "24h",
    }


def playbook() -> Playbook:
    return Playbook.model_validate(playbook_document())


def bundle(name: str, **changes: str) -> Bundle:
    parts = {part: f"sha256:{part}-1" for part in Bundle.model_fields if part != "name"}
    return Bundle(name=name, **(parts | changes))


def release() -> Release:
    return Release(
        release_id="test-bot-v7",
        environment="test",
        service="test-bot",
        candidate=bundle("test-bot v7", index="sha256:index-2", decoding="sha256:decoding-2"),
        baseline=bundle("test-bot v6"),
        playbook_digest="sha256:" + "a" * 64,
        registered_by="local|deployer",
        owner=JONAS,
    )


async def register(ledger: Ledger, release: Release) -> None:
    """What the console writes when somebody registers this release."""
    body = ReleaseRegistered(
        environment=release.environment,
        service=release.service,
        candidate_name=release.candidate.name,
        candidate_digest=release.candidate.digest,
        baseline_name=release.baseline.name,
        baseline_digest=release.baseline.digest,
        playbook_digest=release.playbook_digest,
        registered_by=release.registered_by,
        owner=release.owner,
        baseline_parts=Version.of(release.baseline).parts,
    )
    entry = body.entry(f"{release.release_id}/registered", release.registered_by, release_id=release.release_id)
    await ledger.append(entry)
