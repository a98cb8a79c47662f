"""Verdicts in words for the person who is woken up: evidence, limit, gaps, what is to come (DET-32, DET-35)."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf

from countermand.detection.composition import Node, value
from countermand.detection.counted import name, threshold, tolerance, words
from countermand.detection.criterion_rules import CriterionRule
from countermand.detection.figures import plural, span, spoken_odds
from countermand.detection.models import Arm, Block, CriterionRecord, Guarantee, VerdictWord
from countermand.detection.rule import Lane, Rule
from countermand.detection.state import State, ToleranceState
from countermand.playbook.units import plain

__all__ = ["threshold", "tolerance", "trigger", "unknown"]


def unknown(criterion: CriterionRule, arm: Arm, reason: str, block: Block | None) -> str:
    """Why the criterion cannot use this block of that arm, and what would end it."""
    units = plural(words(criterion.unit))
    if reason == "warm_up":
        return f"{name(criterion)}: not judged yet; its first blocks only teach what is usual."
    if reason == "training":
        return f"{name(criterion)}: not judged yet, because this block taught what is usual. The next one is judged."
    if reason == "pooling":
        return f"{name(criterion)}: not judged yet; labels are pooled until a block with enough of them is complete."
    if block is None:
        why = f"no block of the {arm} arrived"
    elif reason == "no_traffic":
        why = f"the {arm} served no {units}"
    elif reason in ("no_scored", "coverage") and block.served:
        why = f"only {block.scored:,} of the {block.served:,} {units} served by the {arm} were scored"
    elif reason == "no_values":
        why = f"the block of the {arm} holds no values of this kind of signal"
    elif reason == "no_group":
        why = f"a group had no {units} on the {arm}"
    elif reason == "no_history":
        return f"{name(criterion)}: not known, because two past weeks of this hour are needed to compare with."
    else:
        why = f"the block of the {arm} is unknown ({words(reason)})"
    if criterion.form == "threshold" and criterion.kind == "firing":
        return f"{name(criterion)}: not known in this block, because {why}. This ends when its source reports again."
    arms = " and by ".join(f"the {arm}" for arm in criterion.arms)
    return (
        f"{name(criterion)}: not known in this block, because {why}. This ends with the first block in "
        f"which at least {plain(criterion.min_coverage * 100)} % of the {units} served by {arms} are scored."
    )


def trigger(
    rule: Rule, state: State, word: VerdictWord, guarantee: Guarantee, criteria: Sequence[CriterionRecord]
) -> str:
    """The sentence of a trigger: its strongest criteria, as many as must be harmed, and its evidence."""
    lane, evidence, limit = leading(rule, state)
    places = sorted(lane.node.places, key=lambda i: value(state.criteria[i]), reverse=True)
    shown = places[: _shown(lane.node)]
    # One that knows nothing is worth a line only when no other has anything to say.
    counted = " ".join(criteria[i].sentence for i in [i for i in shown if criteria[i].so_far] or shown[:1])
    now = "none" if evidence is None else spoken_odds(evidence)
    progress = "no limit is breached" if limit is None else f"{now} of the {spoken_odds(limit)} needed"
    over = " The release's budget of false alarms is overdrawn." if "budget_overdrawn" in guarantee.reasons else ""
    match word:
        case VerdictWord.trigger:
            return f"{_fired(rule, state)}{counted} {_certainty(lane, evidence, limit, guarantee, criteria)}{over}"
        case VerdictWord.unknown:
            unknown = (record.unknown for record in criteria if record.lane == "main")
            gaps = " ".join(gap.sentence for gap in unknown if gap)
            length = span(rule.block * state.unknown_in_a_row)
            blind = f"Unknown for {length}. " if state.unknown_in_a_row > 1 else ""
            return f"{gaps} {blind}Evidence so far: {progress}."
        case VerdictWord.watch:
            return f"Possible harm, not yet enough to act on: {progress}{_to_go(rule, state)}. {counted}"
        case VerdictWord.ok:
            return f"{'No limit is breached' if limit is None else f'No evidence of harm; {progress}'}. {counted}"


def leading(rule: Rule, state: State) -> tuple[Lane, int | None, int | None]:
    """(lane, its evidence, its limit in micronats): the lane that fired, else the one that is closest to it."""
    lanes = rule.lanes_at(state.rows - 1)
    limits = [lane.limit for lane in lanes]
    found = [lane.micronats for lane in state.lanes]
    place = state.latched_lane
    if place is None:
        near = [-inf if own is None else own / limit for own, limit in zip(found, limits, strict=True)]
        place = near.index(max(near))
    limit = limits[place]
    return lanes[place], found[place], int(limit) if limit != inf else None


def _shown(node: Node) -> int:
    """How many criteria must be harmed for the node to fire, as far as a sentence needs to know."""
    inner = node.members[-1]
    if isinstance(inner, Node) and not node.weights:
        return max(_shown(inner), node.k)
    return len(node.members) if node.weights else node.k


def _to_go(rule: Rule, state: State) -> str:
    """How much longer at the rate since the evidence began to grow; empty when it does not grow (DET-35)."""
    lane, evidence, limit = leading(rule, state)
    strongest = max(lane.node.places, key=lambda i: value(state.criteria[i]))
    own = state.criteria[strongest]
    if not isinstance(own, ToleranceState) or evidence is None or limit is None:
        return ""
    if own.since is None or state.seq is None or own.rising <= 0 or evidence >= limit:
        return ""
    gain = min(own.rising / (state.seq - own.since + 1), lane.cap)
    return f"; at the present rate about {span(rule.block * ceil((limit - evidence) / gain))} more"


def _fired(rule: Rule, state: State) -> str:
    if state.seq is None or state.latched_at is None or state.seq == state.latched_at:
        return ""
    return f"Fired {span(rule.block * (state.seq - state.latched_at))} ago. "


def _certainty(
    lane: Lane, evidence: int | None, limit: int | None, guarantee: Guarantee, criteria: Sequence[CriterionRecord]
) -> str:
    if lane.alpha is None or limit is None or evidence is None:
        what = "An alert" if guarantee.reasons == ("alert",) else "A fixed limit"
        return f"{what} fired; it has no bound on false alarms."
    said = f"Evidence {spoken_odds(evidence)}, limit {spoken_odds(limit)}"
    if guarantee.word == "none":
        return f"{said}; with its fixed limits this trigger has no bound on false alarms."
    harmless = f"{said}: a harmless release gets here in at most {plain(lane.alpha * 100)} % of watches"
    if guarantee.word == "bounded":
        return f"{harmless}."
    if "no_control" in guarantee.reasons:
        return f"{harmless}, if past weeks are a fair comparison: nobody was kept on the current version."
    if "routing_not_random" in guarantee.reasons:
        return f"{harmless}, if those who get the candidate are like the others: traffic is not divided at random."
    phi = max((criterion.dispersion for criterion in criteria if criterion.dispersion), key=float)
    if phi == "1.0":
        return f"{harmless}, if outputs are independent of each other."
    condition = f"{harmless}, if blocks vary at most {phi} times as much as independent outputs"
    if "clustering" in guarantee.reasons:
        return f"{condition}, as measured. Outputs are clustered; consider counting per session or user."
    return f"{condition}."
