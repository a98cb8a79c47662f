"""A consent as people see it: a pure fold over its Ledger records, and the card of what to read before signing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from countermand.canonical import canonical
from countermand.governance.decision import DecisionKind, SignatureClass
from countermand.governance.delegation import Scope
from countermand.governance.rights import Action, Right
from countermand.governance.standing import StandingAuthorisation
from countermand.ledger import bodies as b
from countermand.ledger.record import Kind, Record
from countermand.messages.ask_card import Fact
from countermand.messages.facts import in_words, spoken, utc
from countermand.plan.target import Value
from countermand.playbook.units import format_percent

#: The kinds of record that consents are made of.
KINDS = (Kind.consent_opened, Kind.consent_vote, Kind.consent_overdue, Kind.consent_closed)


@dataclass
class ConsentView:
    """One request for consent. `incident_id` and `release_id` are empty when it belongs to none."""

    opened: b.ConsentOpened
    right: Right
    incident_id: str
    release_id: str
    votes: list[b.ConsentVote] = field(default_factory=list)
    voted_at: dict[str, datetime] = field(default_factory=dict)
    overdue: list[b.ConsentOverdue] = field(default_factory=list)
    closed: b.ConsentClosed | None = None
    closed_at: datetime | None = None

    @property
    def status(self) -> str:
        return self.closed.status if self.closed else "pending"

    @property
    def ratifies(self) -> bool:
        return self.opened.overdue == "escalate_daily"

    @property
    def approving(self) -> DecisionKind:
        """The kind of decision that signs."""
        return DecisionKind.ratify if self.ratifies else DecisionKind.approve

    @property
    def need(self) -> int:
        return len(self.right.slots())

    @property
    def have(self) -> int:
        return self.votes[-1].have if self.votes else 0

    @property
    def missing(self) -> tuple[str, ...]:
        return self.votes[-1].missing if self.votes else self.right.missing({})

    @property
    def standing_votes(self) -> list[b.ConsentVote]:
        """The newest vote of each person, without retracted ones."""
        newest = {vote.subject: vote for vote in self.votes}
        return [vote for vote in newest.values() if vote.vote != "retract"]

    @property
    def scope(self) -> Scope:
        """Which delegations count, as the rules of consent have it."""
        return Scope(release=self.release_id, environment=self.opened.environment, severity=min(self.right.severities))

    @property
    def excluded(self) -> frozenset[str]:
        """People who may not sign."""
        return frozenset({self.opened.requester, *self.opened.excluded})

    def waits_for(self, subject: str, roles: AbstractSet[str]) -> bool:
        """Whether it still needs the signature of this person."""
        voted = any(vote.subject == subject for vote in self.standing_votes)
        return (
            self.closed is None and not voted and subject not in self.excluded and bool(roles & set(self.right.roles))
        )


def consents(records: Iterable[Record]) -> list[ConsentView]:
    """Fold records into consents, oldest first."""
    views: dict[str, ConsentView] = {}
    for record in records:
        body = b.parse_body(record)
        if isinstance(body, b.ConsentOpened):
            right = Right.model_validate(body.right)
            views[body.consent_id] = ConsentView(body, right, record.incident_id or "", record.release_id or "")
            continue
        view = views.get(getattr(body, "consent_id", ""))
        if view is None:
            continue
        match body:
            case b.ConsentVote():
                view.votes.append(body)
                view.voted_at[body.decision_id] = record.at
            case b.ConsentOverdue():
                view.overdue.append(body)
            case b.ConsentClosed():
                view.closed, view.closed_at = body, record.at
    return list(views.values())


class ConsentCard(Value):
    """Everything shown before signing."""

    consent_id: str
    approval_digest: str
    title: str
    question: str
    deadline: str
    facts: tuple[Fact, ...]
    if_nobody_decides: str
    people: str
    signature_class: SignatureClass


def consent_card(view: ConsentView) -> ConsentCard:
    """The card of one consent. Depends on nothing but the Ledger: the same records give the same card."""
    opened = view.opened
    belongs = (Fact(title="Belongs to", lines=(f"incident {view.incident_id}",)),) if view.incident_id else ()
    what: tuple[Fact, ...] = ()
    if view.right.action is Action.standing_authorisation:
        what = _authorisation(opened.document)
    elif view.right.action in (Action.adopt_playbook, Action.tighten_threshold, Action.loosen_threshold):
        what = _adoption(opened.document)
    return ConsentCard(
        consent_id=opened.consent_id,
        approval_digest=opened.approval_digest,
        title=opened.subject,
        question=opened.subject,
        deadline=f"{utc(opened.expires_at)}, {in_words(opened.expires_at - opened.opened_at)} after the request",
        facts=(*(what or (Fact(title="Document", lines=_lines(opened.document)),)), *belongs),
        if_nobody_decides=_then(view),
        people=_people(view),
        signature_class=view.right.signature or SignatureClass.standard,
    )


def _then(view: ConsentView) -> str:
    if view.ratifies:
        return "it stays open: people are reminded every day until they decide. Nothing is undone by itself."
    return "the request lapses without any effect."


def _people(view: ConsentView) -> str:
    open_ = view.closed is None and view.missing
    missing = f", missing: {spoken(view.missing)}" if open_ else ""
    return f"{view.have} of {view.need} people signed{missing}; asked: {spoken(view.opened.asked)}"


def _authorisation(document: dict[str, Any]) -> tuple[Fact, ...]:
    said = StandingAuthorisation.model_validate({**document, "signers": ()})
    return authorisation_facts(said)


def _adoption(document: dict[str, Any]) -> tuple[Fact, ...]:
    before = document["previous_digest"]
    changes = tuple(
        f"{one['direction']}: {one['place']}, from {one['before'] or 'nothing'} to {one['after'] or 'nothing'}"
        for one in document["changes"]
    )
    return (
        Fact(
            title="Playbook",
            lines=(
                f"{document['playbook']}, version {document['version']}: {document['digest']}",
                f"it takes the place of {before}" if before else "it is the first version",
                "new releases are watched and rolled back by it; a release that runs keeps the version it began with",
            ),
        ),
        Fact(title="What changes", lines=changes or ("everything: nothing was adopted before",)),
        Fact(title="Why", lines=(document["because"],)),
        *(_rests_on(document["proposal"]) if "proposal" in document else ()),
    )


def _rests_on(said: dict[str, Any]) -> tuple[Fact, ...]:
    """What was tried before people were asked (LRN-12)."""
    origins = tuple(f"{one['path']}: {one['origin']}" for one in said["origins"])
    return (
        Fact(
            title="What it should do",
            lines=(said["expected_effect"], f"go back if: {said['rollback_condition']}", f"origin {spoken(origins)}"),
        ),
        Fact(title="What the past says", lines=(*said["findings"], f"backtest {said['backtest']}")),
        Fact(title="Waived by name", lines=tuple(said["waived"]) or ("nothing",)),
        Fact(title="What the shadow heard", lines=(said["shadow"],)),
        Fact(title="Looked at again", lines=(said["review_on"],)),
    )


def authorisation_facts(said: StandingAuthorisation) -> tuple[Fact, ...]:
    """What a standing authorisation covers, in words."""
    times = "once a day" if said.runs_per_day == 1 else f"{said.runs_per_day} times a day"
    stages = [
        f"stage {number}: {format_percent(stage.give_back_bp)} of the candidate's users go back, "
        f"watched for {in_words(stage.soak)}"
        for number, stage in enumerate(said.stages, start=1)
    ]
    return (
        Fact(
            title="What may run without asking",
            lines=(
                f"a rollback in {said.environment}, at most {times}, until {utc(said.expires_at)}",
                f"for {spoken(tuple(one.value for one in said.severities))}",
                f"when {spoken(said.triggers)} triggers",
                f"while at most {format_percent(said.max_exposure_bp)} of users get the candidate",
            ),
        ),
        Fact(title="Where to", lines=tuple(f"bundle {target}" for target in said.targets)),
        Fact(title="How", lines=tuple(stages)),
        Fact(
            title="It lapses",
            lines=(
                f"when the playbook {said.playbook_digest} changes or its last rehearsal is too old",
                f"at {utc(said.expires_at)}, or at once when one person revokes it",
            ),
        ),
    )


def _lines(document: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key.replace('_', ' ')}: {_value(value)}" for key, value in sorted(document.items()))


def _value(value: object) -> str:
    match value:
        case str():
            return value
        case list() if all(isinstance(item, str) for item in value):
            return spoken([str(item) for item in value]) if value else "none"
        case _:
            return canonical(value).decode()


def asked_of(view: ConsentView, holders: Collection[str]) -> str:
    """Who can sign, in words."""
    return f"This needs {spoken(view.right.roles)}. They are held by {spoken(tuple(holders))}."
