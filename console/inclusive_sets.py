"""Inclusive and accessibility test sets of a release: taking runs, and saying what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from activities.inclusive_sets import InclusiveSets
from activities.ports import LedgerConflict, ReleaseStatus
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.governance.eligible import Version
from countermand.ledger.bodies import GroupRun, InclusiveRun
from countermand.messages.facts import spoken
from countermand.playbook.fairness import InclusiveSet
from countermand.playbook.model import Playbook
from countermand.rollout.inclusive import SetSeen, judge


@dataclass(frozen=True)
class Reporter:
    """Who reports a run."""

    subject: str
    name: str
    principal: Literal["person", "source"]


@dataclass(frozen=True)
class Sets:
    """The sets of a release's playbook on its candidate and on its baseline, where users go back to.

    unshown: why users may not get the candidate after a rollback; empty when no set stands against it.
    """

    candidate: tuple[SetSeen, ...]
    baseline: tuple[SetSeen, ...]
    unshown: str


async def of_release(deps: Console, status: ReleaseStatus, playbook: Playbook) -> Sets:
    """What the sets show on both bundles of a release."""
    release, known = status.release, InclusiveSets(deps.ledger)
    return Sets(
        candidate=await known.seen(playbook, release.candidate.digest),
        baseline=await known.seen(playbook, release.baseline.digest),
        unshown=await known.unshown(Version.of(release.candidate), release.environment, playbook),
    )


async def of_baseline(deps: Console, release_id: str) -> tuple[SetSeen, ...]:
    """What the sets show on the version that users of this release go back to; empty for an unknown release."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        return ()
    playbook = await deps.catalogue.playbook(status.release.playbook_digest)
    return await InclusiveSets(deps.ledger).seen(playbook, status.release.baseline.digest)


async def show(deps: Console, release_id: str) -> dict[str, Any]:
    """`countermand.inclusive_sets/v1`. Raises Problem."""
    status = await release_of(deps, release_id)
    release, playbook = status.release, await deps.catalogue.playbook(status.release.playbook_digest)
    sets = await of_release(deps, status, playbook)
    return {
        "schema": "countermand.inclusive_sets/v1",
        "release_id": release_id,
        "candidate": {"digest": release.candidate.digest, "sets": _json(sets.candidate)},
        "baseline": {"digest": release.baseline.digest, "sets": _json(sets.baseline)},
        "unshown": sets.unshown,
    }


async def report(
    deps: Console,
    reporter: Reporter,
    release_id: str,
    name: str,
    *,
    bundle_digest: str,
    groups: tuple[GroupRun, ...],
    evidence: str,
    run_id: str,
) -> dict[str, Any]:
    """Record a run and say what it shows; the same run again changes nothing. Raises Problem."""
    status = await release_of(deps, release_id)
    playbook = await deps.catalogue.playbook(status.release.playbook_digest)
    one = _set(playbook, name)
    release = status.release
    if bundle_digest not in (release.candidate.digest, release.baseline.digest):
        raise Problem(
            422,
            "wrong_bundle",
            f"{bundle_digest!r} is no version of {release_id!r}.",
            f"It has the candidate {release.candidate.digest} and the baseline {release.baseline.digest}.",
        )
    body = InclusiveRun(
        run_id=run_id,
        service=release.service,
        bundle_digest=bundle_digest,
        test_set=name,
        groups=groups,
        evidence=evidence,
        by=reporter.subject,
        name=reporter.name,
        principal=reporter.principal,
    )
    entry = body.entry(f"inclusive/{reporter.subject}/{run_id}", reporter.subject, release_id=release_id)
    try:
        await deps.ledger.append(entry)
    except LedgerConflict:
        raise Problem(
            409, "run_conflict", f"run {run_id!r} was reported with other content.", "Give a new run a new key."
        ) from None
    word, sentence, judged = judge(one.limit, groups)
    return {
        "schema": "countermand.inclusive_run/v1",
        "run_id": run_id,
        "set": name,
        "bundle_digest": bundle_digest,
        "word": word,
        "sentence": sentence,
        "groups": [group.model_dump(mode="json") for group in judged],
    }


async def release_of(deps: Console, release_id: str) -> ReleaseStatus:
    """The release. Raises Problem when there is none."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise Problem(404, "unknown_release", f"no release {release_id!r}", "List them: GET /api/v1/releases.")
    return status


def _set(playbook: Playbook, name: str) -> InclusiveSet:
    sets = {one.name: one for one in playbook.investigation.test_sets}
    if name not in sets:
        known = spoken(tuple(sets)) if sets else "none"
        raise Problem(
            404, "unknown_set", f"playbook {playbook.name!r} has no test set {name!r}.", f"Its test sets: {known}."
        )
    return sets[name]


def _json(sets: tuple[SetSeen, ...]) -> list[dict[str, Any]]:
    return [one.model_dump(mode="json") | {"at": instant(one.at) if one.at else None} for one in sets]
