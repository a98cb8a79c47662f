"""When has a stage happened, and when is the service well again: answers from traffic and signals. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from countermand.detection.models import Arm, BlockState, Row
from countermand.detection.positive import n_min, share_interval, upper_bound
from countermand.messages.fencing import fenced
from countermand.plan.model import MemberKind, says
from countermand.plan.target import CheckResult, CheckWord, Observation, Preflight, Split, TargetState
from countermand.playbook.integrity import DestinationHealthy, DigestServed, ErrorRate, TargetCheck
from countermand.playbook.model import HealthEvidence
from countermand.playbook.units import format_percent, plain

#: Users needed before an observed share above zero is judged (TGT-11).
MIN_USERS = 200


def users_needed(desired: Split, residual_bp: int) -> int:
    """Users that must be seen before the observed share says anything (TGT-11)."""
    return MIN_USERS if desired.candidate_bp else n_min(residual_bp / 10_000)


def judge_configured(desired: Split, state: TargetState, kind: MemberKind = "split") -> CheckResult:
    """Does the system say what was asked of it? Read back from the system, never from our own record."""
    said = says(kind, state.split)
    if state.split == desired:
        return CheckResult(
            name="configured",
            word=CheckWord.passed,
            sentence=f"the target says: {said}, as asked (revision {short_revision(state.revision)}).",
            raw_sha256=state.raw_sha256,
        )
    return CheckResult(
        name="configured",
        word=CheckWord.failed,
        sentence=f"the target says: {said}, instead of {says(kind, desired)}: "
        f"somebody or something else changed it (revision {short_revision(state.revision)}).",
        raw_sha256=state.raw_sha256,
    )


def short_revision(revision: str) -> str:
    """A revision as people can compare it: digests of contents are long."""
    return revision if len(revision) <= 24 else f"{revision[:24]}…"


def judge_traffic(desired: Split, seen: Observation, revision: str, residual_bp: int) -> CheckResult:
    """Does traffic follow? Users where routing is sticky; requests where each is routed for itself.

    0 % desired: pass iff no user of n ≥ n_min is on the candidate; p > 0: pass iff p lies in the exact
    99.9 % interval of k/n (Clopper & Pearson 1934). Too few users, another revision, or a
    system that cannot say: unknown.
    """

    def answer(word: CheckWord, sentence: str) -> CheckResult:
        return CheckResult(name="observed", word=word, sentence=sentence)

    users = seen.candidate_users + seen.baseline_users
    needed = users_needed(desired, residual_bp)
    if seen.unknown is not None:
        return answer(CheckWord.unknown, seen.unknown)
    if seen.revision != revision:
        return answer(CheckWord.unknown, f"the router still counts revision {seen.revision}, not {revision}.")
    if seen.neither is not None:
        return answer(
            CheckWord.failed,
            f"{fenced(seen.neither, 100)} was served, which is neither the candidate nor the baseline.",
        )
    if desired.candidate_bp == 0 and seen.candidate_users:
        return answer(
            CheckWord.failed, f"{seen.candidate_users} of {users} {seen.counts} were still served by the candidate."
        )
    if users < needed:
        return answer(
            CheckWord.unknown,
            f"only {users} of the {needed} {seen.counts} needed were seen; no traffic is not success.",
        )
    if desired.candidate_bp == 0:
        return answer(CheckWord.passed, f"none of {users} {seen.counts} was served by the candidate.")
    low, high = share_interval(seen.candidate_users, users)
    sentence = (
        f"{seen.candidate_users} of {users} {seen.counts} were served by the candidate "
        f"({100 * seen.candidate_users / users:.1f} %, asked {format_percent(desired.candidate_bp)})."
    )
    inside = low <= desired.candidate_bp / 10_000 <= high
    return answer(CheckWord.passed if inside else CheckWord.failed, sentence)


def judge_check(check: TargetCheck, preflight: Preflight, seen: Observation, expected_digest: str) -> CheckResult:
    """One readiness check of the destination."""

    def answer(word: CheckWord, sentence: str) -> CheckResult:
        return CheckResult(name=check.id, word=word, sentence=sentence)

    match check:
        case DestinationHealthy():
            if preflight.ready:
                return answer(CheckWord.passed, "the destination answers and is healthy.")
            return answer(CheckWord.failed, "; ".join(preflight.problems) or "the destination is not ready.")
        case DigestServed():
            if preflight.destination_digest is None:
                return answer(CheckWord.unknown, "the destination does not say which bundle it serves.")
            same = preflight.destination_digest == expected_digest
            got, want = (text.removeprefix("sha256:")[:12] for text in (preflight.destination_digest, expected_digest))
            return answer(
                CheckWord.passed if same else CheckWord.failed,
                f"the destination serves bundle {got}" + (", the one approved." if same else f", approved was {want}."),
            )
        case ErrorRate():
            limit = check.max_error_rate
            if seen.requests == 0:
                why = seen.unknown or "no requests were seen, so errors are unknown."
                return answer(CheckWord.unknown, why)
            rate = Decimal(seen.errors) / seen.requests
            return answer(
                CheckWord.passed if rate <= limit else CheckWord.failed,
                f"{seen.errors} of {seen.requests} requests failed; up to {plain(limit * 100)} % is accepted.",
            )


def judge_health(evidence: HealthEvidence, rows: Iterable[Row], confidence: Decimal) -> CheckResult:
    """Is a signal shown to be good on the baseline arm? Positive evidence only (GOV-31).

    The first rows that together hold `min_scored` labelled outputs decide, once: passing needs the exact
    upper confidence bound of the bad rate to be at most `at_most`. Fewer outputs: unknown, never healthy.
    """
    bad = scored = 0
    for row in rows:
        block = row.find(evidence.signal, Arm.baseline)
        if block is not None and block.state is BlockState.ok:
            bad, scored = bad + block.bad, scored + block.scored
        if scored >= evidence.min_scored:
            break
    name = evidence.signal
    if scored < evidence.min_scored:
        return CheckResult(
            name=name,
            word=CheckWord.unknown,
            sentence=f"{scored} of the {evidence.min_scored} labelled answers needed since the last stage.",
        )
    upper = upper_bound(bad, scored, confidence)
    word = CheckWord.passed if upper <= float(evidence.at_most) else CheckWord.failed
    return CheckResult(
        name=name,
        word=word,
        sentence=f"{bad} bad of {scored} labelled answers since the last stage; at most {100 * upper:.2f} % "
        f"with {plain(confidence * 100)} % confidence, accepted is {plain(evidence.at_most * 100)} %.",
    )
