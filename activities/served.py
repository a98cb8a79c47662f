"""What users get from a target now: its split, the digest that each arm serves, and whether traffic follows."""

from __future__ import annotations

from activities.ports import Leases, Target, TargetRejected, TargetUnavailable
from countermand.plan.evidence import judge_configured, judge_traffic
from countermand.plan.target import WHOLE, CheckResult, CheckWord, Member, Split, TargetState
from countermand.plan.traffic import TrafficJudgement, traffic_suffices
from countermand.playbook.way_back import TrafficVerification
from countermand.rollout.plan import ServedState


async def served(target: Target, member: Member) -> tuple[TargetState, ServedState]:
    """Raises TargetUnavailable, TargetRejected. A preflight towards an arm tells what that arm serves; where everybody
    has the candidate already there is no such preflight, and its digest is not known."""
    state = await target.read(member)
    now = state.split.candidate_bp
    back = await target.preflight(member, Split.candidate(0))
    candidate = None
    if now < WHOLE:
        more = min(now + target.capabilities.granularity_bp, WHOLE)
        candidate = (await target.preflight(member, Split.candidate(more))).destination_digest
    return state, ServedState(split=state.split, candidate_digest=candidate, baseline_digest=back.destination_digest)


async def traffic(
    target: Target, member: Member, desired: Split, wanted: TrafficVerification, *, waiting: bool
) -> TrafficJudgement:
    """Whether the target says this share and traffic shows it (TGT-8, TGT-9), in one look.

    waiting: whether there is time left to see more; only without it `best_effort` takes what nobody sees.
    """
    try:
        state = await target.read(member)
        configured = judge_configured(desired, state)
        observed = judge_traffic(desired, await target.observe(member), state.revision, wanted.residual)
    except TargetUnavailable as error:
        configured = observed = _unread(CheckWord.unknown, error)
    except TargetRejected as error:
        configured = observed = _unread(CheckWord.failed, error)
    words = (configured.word, observed.word)
    never_seen = wanted.observed == "best_effort" and target.capabilities.observes == "none"
    decided = CheckWord.failed in words or CheckWord.unknown not in words
    decided = decided or (never_seen and configured.word is not CheckWord.unknown)
    return traffic_suffices(wanted.observed if decided or not waiting else "required", configured, observed)


def _unread(word: CheckWord, error: Exception) -> CheckResult:
    return CheckResult(name="traffic", word=word, sentence=f"the target cannot be read: {error}.")


def leases_of(target: Target) -> Leases:
    """The target's leases. Raises TargetRejected when it has none."""
    if not isinstance(target, Leases):
        raise TargetRejected(f"{target!r} says that it has leases and has none")
    return target
