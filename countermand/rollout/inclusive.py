"""What the runs of inclusive and accessibility test sets show, and which of them a re-release needs (R85, LRN-30).

The counts of a run are judged here by the playbook's own limit; what a run says of itself is not asked. No run is
`missing`, too little is `unknown`, and neither ever counts as passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from countermand.detection.positive import upper_bound
from countermand.governance.eligible import Version
from countermand.ledger.bodies import GroupRun, InclusiveRun, RolloutEnded, VersionQuarantined, parse_body
from countermand.ledger.record import Record
from countermand.plan.target import Value
from countermand.playbook.fairness import InclusiveSet, SetLimit
from countermand.playbook.plain_words import percent

Word = Literal["pass", "fail", "unknown", "missing"]
#: After what users would get a candidate again: nothing, a rollback, or a rollback about fairness.
After = Literal["", "rollback", "fairness"]


class GroupSeen(Value):
    """What one group of a run shows. upper: the largest bad share that it does not rule out."""

    group: str
    scored: int
    bad: int
    upper: float
    word: Literal["pass", "fail", "unknown"]
    sentence: str


class SetSeen(Value):
    """What is known of one test set on one bundle. The newest run counts; `runs` says how many there were."""

    name: str
    covers: str
    includes: tuple[str, ...]
    gates: bool
    word: Word
    sentence: str
    groups: tuple[GroupSeen, ...] = ()
    runs: int = 0
    not_passed: int = 0
    at: datetime | None = None
    seq: int | None = None
    by: str = ""
    evidence: str = ""


def seen(
    sets: Sequence[InclusiveSet], records: Sequence[Record], *, bundle_digest: str, service: str
) -> tuple[SetSeen, ...]:
    """Every set of a playbook, in its order, on exactly this bundle. records: `inclusive.run`, in order."""
    found: dict[str, list[tuple[Record, InclusiveRun]]] = {}
    for record in records:
        body = parse_body(record)
        if isinstance(body, InclusiveRun) and (body.bundle_digest, body.service) == (bundle_digest, service):
            found.setdefault(body.test_set, []).append((record, body))
    return tuple(_seen(one, found.get(one.name, [])) for one in sets)


def _seen(one: InclusiveSet, runs: list[tuple[Record, InclusiveRun]]) -> SetSeen:
    shared = {"name": one.name, "covers": one.covers, "includes": one.includes, "gates": one.gate is not None}
    if not runs:
        return SetSeen(**shared, word="missing", sentence="no run of it on this version is on record.")
    record, newest = runs[-1]
    word, sentence, groups = judge(one.limit, newest.groups)
    earlier = [judge(one.limit, run.groups)[0] for _, run in runs[:-1]]
    return SetSeen(
        **shared,
        word=word,
        sentence=sentence,
        groups=groups,
        runs=len(runs),
        not_passed=sum(said != "pass" for said in earlier),
        at=record.at,
        seq=record.seq,
        by=newest.name,
        evidence=newest.evidence,
    )


def judge(
    limit: SetLimit | None, groups: Sequence[GroupRun]
) -> tuple[Literal["pass", "fail", "unknown"], str, tuple[GroupSeen, ...]]:
    """(word, why in a sentence, group by group). One group that fails is a set that fails.

    Every group has to pass, so the bounds need no correction for their number (Berger, Technometrics 24, 1982).
    """
    if limit is None:
        return "unknown", "the playbook has no `limit` for it, so no run of it can pass.", ()
    judged = tuple(_group(limit, one) for one in groups)
    lacking = [name for name in limit.groups if name not in {one.group for one in groups}]
    failed = [one for one in judged if one.word == "fail"]
    unsure = [one for one in judged if one.word == "unknown"]
    if failed:
        return "fail", " ".join(one.sentence for one in failed), judged
    if lacking or unsure:
        left = [f"{name}: not in the run." for name in lacking]
        return "unknown", " ".join([*left, *(one.sentence for one in unsure)]), judged
    most = percent(limit.at_most)
    return "pass", f"each of {len(judged)} groups is shown to have at most {most} bad outputs.", judged


def _group(limit: SetLimit, run: GroupRun) -> GroupSeen:
    bad = run.scored - run.passed
    upper = upper_bound(bad, run.scored, limit.confidence)
    most, said = float(limit.at_most), f"{run.group}: {bad:,} bad of {run.scored:,}"
    known = {"group": run.group, "scored": run.scored, "bad": bad, "upper": upper}
    allowed = percent(limit.at_most)
    if run.scored < limit.min_scored:
        return GroupSeen(**known, word="unknown", sentence=f"{said}; at least {limit.min_scored:,} are needed.")
    if bad > most * run.scored:
        return GroupSeen(**known, word="fail", sentence=f"{said}; at most {allowed} is accepted.")
    bound = f"with {percent(limit.confidence)} confidence at most {percent(Decimal(str(round(upper, 4))))}"
    if upper > most:
        return GroupSeen(
            **known, word="unknown", sentence=f"{said}, {bound}; too few to show that it is at most {allowed}."
        )
    return GroupSeen(**known, word="pass", sentence=f"{said}, {bound}.")


def after(
    candidate: Version,
    environment: str,
    service: str,
    quarantines: Sequence[Record],
    rollouts: Sequence[Record],
    services: Mapping[str, str],
) -> After:
    """What this candidate would be given to users after.

    A rollback of the service counts for every candidate of it until one was given to users step by step since; one of
    this candidate, or of a part of it, counts for ever. quarantines: records `version.quarantined`. rollouts: of all
    releases. services: the service of each release by its id.
    """
    through = max((record.seq for record in _ramped(rollouts, environment, service, services)), default=-1)
    word: After = ""
    for record in quarantines:
        body = VersionQuarantined.model_validate(record.body)
        if body.environment != environment:
            continue
        own = body.digest == candidate.digest or candidate.shares(body.members)
        if own or (record.seq > through and services.get(record.release_id or "") == service):
            if body.fairness:
                return "fairness"
            word = "rollback"
    return word


def _ramped(
    rollouts: Sequence[Record], environment: str, service: str, services: Mapping[str, str]
) -> Iterator[Record]:
    for record in rollouts:
        body, of = parse_body(record), services.get(record.release_id or "")
        if not isinstance(body, RolloutEnded) or body.kind == "sandbox" or body.outcome != "done":
            continue
        if (body.environment, of) == (environment, service):
            yield record


def lacking(word: After, sets: Sequence[SetSeen]) -> str:
    """Which sets stand against giving it to users, in words; empty when none does."""
    if not word:
        return ""
    open_ = [one for one in sets if (word == "fairness" or one.gates) and one.word != "pass"]
    said = "; ".join(f"{one.name.replace('_', ' ')} ({one.word}: {one.sentence.rstrip('.')})" for one in open_)
    what = "a rollback about fairness" if word == "fairness" else "a rollback"
    return f"after {what} these test sets must have passed on exactly this version: {said}" if said else ""
