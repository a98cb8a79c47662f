"""A proposed change of thresholds: what it changes, why, what it should do, and when it is looked at again (LRN-10).

Nothing here changes anything: a proposal is adopted by signatures, or it ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from countermand.governance.adoption import not_next
from countermand.ledger.bodies import PlaybookAdopted, ThresholdProposed
from countermand.plan.target import Value
from countermand.playbook.differences import Comparison, compare
from countermand.playbook.model import Detection, Playbook
from countermand.playbook.units import format_duration

#: Where a number comes from.
Origin = Literal["law", "policy", "measured", "judgement"]
ProposalId = Annotated[str, Field(pattern=r"^thr-[0-9a-f]{8}$")]
#: One sentence that somebody typed.
Sentence = Annotated[str, Field(min_length=10, max_length=400, pattern=r"^[^\x00-\x1f\x7f]+$")]

#: A threshold is looked at again after this long unless its proposal says another time (LRN-10).
REVIEW_AFTER = timedelta(days=180)
#: Shortest usual shadow; a longer watch makes it longer (LRN-11).
SHADOW = timedelta(days=7)


class Proposal(Value):
    """What somebody proposes. origins: by path of each changed place. shadow_because: why a shorter shadow is enough.

    review_of: the incident whose review led to it; back_to: digest of an earlier version that it brings back.
    """

    proposal_id: ProposalId
    current_digest: str
    proposed_digest: str
    hypothesis: Sentence
    expected_effect: Sentence
    rollback_condition: Sentence
    origins: dict[str, Origin] = Field(default_factory=dict)
    review_on: datetime | None
    shadow: timedelta
    shadow_because: Sentence | None = None
    review_of: str = ""
    back_to: str = ""
    proposed_by: str


class NotProposable(ValueError):
    """Why it is no proposal; `next` says what to do."""

    def __init__(self, detail: str, next_: str) -> None:
        super().__init__(f"{detail} {next_}")
        self.detail = detail
        self.next = next_


def usual_shadow(detection: Detection) -> timedelta:
    """Seven days or one whole release, whichever is longer (LRN-11)."""
    return max(SHADOW, detection.watch)


def examine(
    proposal: Proposal,
    current: Playbook,
    proposed: Playbook,
    known: tuple[PlaybookAdopted, ...],
    back: Playbook | None = None,
) -> Comparison:
    """What it would change. Raises NotProposable.

    known: the adoptions of this playbook that hold; back: what `back_to` names.
    """
    if current.name != proposed.name:
        raise NotProposable(
            f"{proposed.name!r} is another playbook than {current.name!r}.", "Propose a version of the same playbook."
        )
    refuse_overtaken(proposal, known)
    if refused := not_next(proposed, known):
        raise NotProposable(f"{refused}.", "Give it a higher `version`.")
    found = compare(current, proposed)
    changed = [one for one in found.changes if one.path != "/version"]
    for one in changed:
        if not one.path.startswith("/detection/"):
            raise NotProposable(
                f"it also changes {one.place}, from {one.before or 'nothing'!r} to {one.after or 'nothing'!r}.",
                "A proposal changes `detection` alone. Adopt the rest by `countermand playbook adopt`.",
            )
    if not changed:
        raise NotProposable("it changes nothing.", "Change a number below `detection`.")
    if current.detection.block != proposed.detection.block:
        raise NotProposable(
            f"its blocks have {format_duration(proposed.detection.block)!r}, recorded ones "
            f"{format_duration(current.detection.block)!r}: the past cannot be judged by it.",
            "Keep `detection.block`.",
        )
    if unknown := sorted(set(proposal.origins) - {one.path for one in changed}):
        raise NotProposable(
            f"an origin is stated for {unknown[0]!r}, which does not change.",
            f"Changed are {', '.join(one.path for one in changed)}.",
        )
    if proposal.back_to:
        _refuse_other_way_back(proposal, proposed, known, back)
    _refuse_short_shadow(proposal, proposed.detection, found)
    return found


def refuse_overtaken(proposal: Proposal, known: tuple[PlaybookAdopted, ...]) -> None:
    """Raise NotProposable unless the version it starts from is in force."""
    if not known:
        raise NotProposable("no version of this playbook is in force.", "Adopt one: `countermand playbook adopt FILE`.")
    if known[-1].digest != proposal.current_digest:
        raise NotProposable(
            f"it starts from another version than the one in force, version {known[-1].version} ({known[-1].digest}).",
            "Propose the change again on top of that version.",
        )


def _refuse_other_way_back(
    proposal: Proposal, proposed: Playbook, known: tuple[PlaybookAdopted, ...], back: Playbook | None
) -> None:
    """Only what ran before under signatures can come back without a shadow."""
    was = any(one.digest == proposal.back_to for one in known)
    if not was or back is None or back.detection != proposed.detection:
        raise NotProposable(
            f"{proposal.back_to!r} is no earlier version that had this detection.", "Propose it as any other change."
        )


def _refuse_short_shadow(proposal: Proposal, detection: Detection, found: Comparison) -> None:
    usual = usual_shadow(detection)
    if proposal.shadow >= usual:
        return
    if proposal.shadow_because is None:
        raise NotProposable(
            f"a shadow of {format_duration(proposal.shadow)!r} is shorter than {format_duration(usual)!r}.",
            "Say why it is enough, or leave its length out.",
        )
    if proposal.shadow <= timedelta(0) and found.change != "tightened" and not proposal.back_to:
        raise NotProposable(
            "only a change that makes the watch stricter can do without a shadow; this one makes it laxer.",
            f"Give it at least a day; usual is {format_duration(usual)!r}.",
        )


def record(
    proposal: Proposal, workflow_id: str, current: Playbook, proposed: Playbook, found: Comparison
) -> ThresholdProposed:
    """How it stands in the Ledger."""
    return ThresholdProposed(
        proposal_id=proposal.proposal_id,
        workflow_id=workflow_id,
        playbook=proposed.name,
        current_version=current.version,
        current_digest=proposal.current_digest,
        proposed_version=proposed.version,
        proposed_digest=proposal.proposed_digest,
        change=found.change,
        changes=tuple(one.model_dump(mode="json") for one in found.changes),
        hypothesis=proposal.hypothesis,
        expected_effect=proposal.expected_effect,
        rollback_condition=proposal.rollback_condition,
        origins=tuple({"path": path, "origin": word} for path, word in sorted(proposal.origins.items())),
        review_on=proposal.review_on,
        shadow_s=round(proposal.shadow.total_seconds()),
        shadow_because=proposal.shadow_because,
        review_of=proposal.review_of,
        back_to=proposal.back_to,
        proposed_by=proposal.proposed_by,
    )
