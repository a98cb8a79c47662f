"""What waits for one person: requests without their vote, incidents they may command, consents and reviews to sign."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from console import consents, reviews, views
from console.commands import commands, waits_for_people
from console.deps import Console
from console.headline import headline
from console.render import segment
from countermand.governance.directory import Directory
from countermand.messages.consent import ConsentView
from countermand.messages.facts import spoken
from countermand.messages.incident import AskView, IncidentView


@dataclass(frozen=True)
class Waiting:
    """One thing to do: what it is, by when, what happens otherwise, and where to do it."""

    title: str
    sentence: str
    meta: tuple[str, ...]
    until: datetime | None
    otherwise: str
    link: str
    action: str
    urgent: bool = True


async def waiting_for(
    deps: Console, people: Directory, subject: str, incidents: Sequence[IncidentView]
) -> list[Waiting]:
    """Requests first, then incidents that stand still, consents, reviews; the earliest deadline first in each."""
    roles = set(people.roles_of(subject))
    running = [view for view in incidents if view.closed is None]
    asks = [_ask(view, ask) for view in running for ask in view.asks if views.waits_for(ask, subject, roles)]
    acts = [
        _act(view)
        for view in running
        if waits_for_people(view) and any(command.permitted for command in commands(view, people, subject))
    ]
    signatures = [_consent(view) for view in await consents.every(deps.ledger) if view.waits_for(subject, roles)]
    reviews = await _reviews(deps, subject, roles, incidents)
    return [one for group in (asks, acts, signatures, reviews) for one in sorted(group, key=_deadline)]


def _deadline(one: Waiting) -> tuple[bool, str]:
    return one.until is None, one.until.isoformat() if one.until else ""


def _where(view: IncidentView) -> tuple[str, ...]:
    return f"{view.opened.service} in {view.opened.environment}", view.opened.severity


def _ask(view: IncidentView, ask: AskView) -> Waiting:
    missing = (f"missing: {spoken(ask.missing)}",) if ask.missing else ()
    return Waiting(
        title=f"Roll back {view.opened.candidate_name} to {view.opened.baseline_name}?",
        sentence=view.opened.sentence,
        meta=(*_where(view), f"{ask.have} of {ask.opened.need_people} people approved", *missing),
        until=ask.expires_at,
        otherwise=f"If nobody decides: {ask.opened.default}.",
        link=f"/asks/{segment(ask.opened.ask_id)}",
        action="Read and decide",
    )


def _consent(view: ConsentView) -> Waiting:
    missing = (f"missing: {spoken(view.missing)}",) if view.missing else ()
    then = "people are reminded every day." if view.ratifies else "the request lapses."
    return Waiting(
        title=view.opened.subject,
        sentence="Somebody acted first; others answer for it now."
        if view.ratifies
        else f"People are asked to {view.right.does}.",
        meta=(view.opened.environment, f"{view.have} of {view.need} people signed", *missing),
        until=view.opened.expires_at,
        otherwise=f"If not enough people sign: {then}",
        link=f"/consents/{segment(view.opened.consent_id)}",
        action="Read and sign",
        urgent=view.ratifies,
    )


def _act(view: IncidentView) -> Waiting:
    now = headline(view)
    return Waiting(
        title=f"{view.opened.candidate_name} stands still until somebody acts",
        sentence=now.sentence,
        meta=_where(view),
        until=now.until,
        otherwise=now.then,
        link=f"/incidents/{segment(view.incident_id)}",
        action="See and act",
    )


async def _reviews(
    deps: Console, subject: str, roles: AbstractSet[str], incidents: Sequence[IncidentView]
) -> list[Waiting]:
    found = []
    for view in (one for one in incidents if one.review is not None and one.review_closed is None):
        seen = await reviews.one(deps, view.incident_id)
        if seen and set(seen.signers) & roles and all(one.subject != subject for one in seen.state.signatures):
            found.append(
                Waiting(
                    title=f"Sign the review of {view.opened.candidate_name}",
                    sentence=view.sentence,
                    meta=_where(view),
                    until=view.review.due if view.review else None,
                    otherwise="If it is not signed by then, it stays open and more people are told every few days.",
                    link=f"/reviews/{segment(view.incident_id)}",
                    action="Read and sign",
                    urgent=False,
                )
            )
    return found
