"""What a backtest has to show before people are asked to sign a change of thresholds (LRN-10).

A finding says something, or stops the proposal until a person waives it by name, or stops it for good.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp
from typing import Literal

from countermand.governance.rights import Right
from countermand.learning.report import BacktestReport
from countermand.ledger.bodies import EpisodeLabelled, ThresholdProposed
from countermand.messages.facts import spoken
from countermand.plan.target import Value

RULES = "guardrails/1"
#: The name under which too many false alarms are waived.
FALSE_ALARMS = "false_alarms"
#: Who has to have an opinion of their own on a number that is laxer, or that nobody measured (R20).
QUALITATIVE = ("product_owner", "safety_lead")
#: The longest time until a threshold is looked at again.
LONGEST_REVIEW = timedelta(days=365)
#: As many false alarms as these or more must not be rarer than this, if the budget holds.
_RARE = 0.05


class Finding(Value):
    """One thing the guardrails found. `stops` can be waived under its name; `refuses` cannot be."""

    name: str
    word: Literal["said", "stops", "refuses"]
    sentence: str
    next: str = ""


def judge(
    said: ThresholdProposed, report: BacktestReport, per_release: Decimal, watch: timedelta, right: Right, now: datetime
) -> tuple[Finding, ...]:
    """Everything that is found. per_release, watch: the false-alarm budget of the proposed version and what it is for.

    right: the row of the table in force under which people will sign.
    """
    return (
        *_missed(report),
        *_false_alarms(report, per_release, watch),
        *_origins(said),
        *_review(said, now),
        *_sign_off(said, right),
        *_evidence(report),
    )


def stops(findings: Collection[Finding], waived: Collection[str]) -> tuple[Finding, ...]:
    """What still stands in the way."""
    return tuple(one for one in findings if one.word == "refuses" or (one.word == "stops" and one.name not in waived))


def own_labels(labels: Iterable[EpisodeLabelled], own: Collection[str]) -> tuple[Finding, ...]:
    """What the past is said to have been by the one who proposes: somebody else has to have looked at it.

    labels: of episodes of this service, in order; the newest of an episode counts. own: accounts of that person.
    """
    newest = {one.episode_id: one for one in labels}
    return tuple(
        Finding(
            name=f"label {one.episode_id}",
            word="stops",
            sentence=f"{one.name}, who proposed it, also said what {one.episode_id} was: {one.word.replace('_', ' ')}.",
            next="Let somebody else label it and propose it again; or a safety lead who did not propose it signs a "
            "waiver that names this label.",
        )
        for one in newest.values()
        if one.subject in own
    )


def quiet_seconds(report: BacktestReport) -> int:
    """How much quiet the backtest was fed with."""
    return round(sum((row.ends - row.begins).total_seconds() for row in report.quiet))


def _missed(report: BacktestReport) -> Iterator[Finding]:
    incidents = {row.episode_id: row for row in report.incidents}
    for name in report.missed:
        row = incidents.get(name)
        called = row.incident_id if row and row.incident_id else name
        yield Finding(
            name=name,
            word="stops",
            sentence=f"It would miss {called}, which the version in force catches.",
            next="A safety lead who did not propose it has to sign a waiver that names it; or withdraw the proposal.",
        )
    for name in report.gained:
        yield Finding(name=f"gained {name}", word="said", sentence=f"It would catch {name}, which is missed today.")


def _false_alarms(report: BacktestReport, per_release: Decimal, watch: timedelta) -> Iterator[Finding]:
    seconds, asks, before = quiet_seconds(report), report.honesty.proposed.asks, report.honesty.current.asks
    if not seconds:
        yield Finding(name=FALSE_ALARMS, word="said", sentence="No quiet period: nothing is known about false alarms.")
        return
    expected = float(per_release) * seconds / watch.total_seconds()
    sentence = (
        f"In {seconds / 86_400:.1f} quiet days it would have called people {_times(asks)} without need, the version "
        f"in force {_times(before)}. A budget of {per_release} per release of {watch.total_seconds() / 3_600:g} hours "
        f"expects {expected:.2f}."
    )
    if asks > before and _at_least(asks, expected) < _RARE:
        next_ = (
            "Propose a version that asks no more often than the one in force, or a larger budget; or a safety lead who "
            "did not propose it signs a waiver that names false alarms."
        )
        yield Finding(name=FALSE_ALARMS, word="stops", sentence=f"Too many: {sentence}", next=next_)
    else:
        yield Finding(name=FALSE_ALARMS, word="said", sentence=sentence)


def _origins(said: ThresholdProposed) -> Iterator[Finding]:
    for one in said.changes:
        if one["path"] != "/version" and one["path"] not in said.origin_of:
            yield Finding(
                name="origin",
                word="refuses",
                sentence=f"Nobody says where the new number of {one['place']} comes from.",
                next="Propose it again with its origin: law, policy, measured or judgement.",
            )


def _review(said: ThresholdProposed, now: datetime) -> Iterator[Finding]:
    if said.review_on is None or not now < said.review_on <= now + LONGEST_REVIEW:
        yield Finding(
            name="review",
            word="refuses",
            sentence="It has no date within a year on which people look at it again.",
            next="Propose it again with a review date.",
        )


def _sign_off(said: ThresholdProposed, right: Right) -> Iterator[Finding]:
    judged = "judgement" in said.origin_of.values()
    if said.change == "loosened":
        yield Finding(name="loosened", word="said", sentence="It makes the watch laxer, so that more people sign it.")
    if said.change != "loosened" and not judged:
        return
    sure = {slot.role for slot in right.at_least}
    if lacking := [role for role in QUALITATIVE if role not in sure]:
        yield Finding(
            name="sign_off",
            word="refuses",
            sentence=f"By the rights in force nobody has to sign it as {spoken(lacking)}; a number that is laxer or "
            "that nobody measured needs both.",
            next="Correct the row `loosen_threshold` of the governance file, then propose it again.",
        )


def _evidence(report: BacktestReport) -> Iterator[Finding]:
    count = len(report.incidents)
    if count == 0:
        yield Finding(name="evidence", word="said", sentence="No incident: nothing is known about what it would catch.")
    elif count == 1:
        yield Finding(name="evidence", word="said", sentence="1 incident: an anecdote.")
    for row in report.leave_one_out:
        if not row.caught and row.episode_id in report.fitted:
            yield Finding(name=f"without {row.episode_id}", word="said", sentence=row.sentence)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _at_least(count: int, mean: float) -> float:
    """P(X ≥ count) for X ~ Poisson(mean), count ≥ 1."""
    term = total = exp(-mean)
    for k in range(1, count):
        term *= mean / k
        total += term
    return max(1 - total, 0.0)
