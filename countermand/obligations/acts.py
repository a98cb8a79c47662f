"""What people do about clocks, read from a signed Decision: anchors, facts, reports, delays, decisions (OBL-2, OBL-22).

A decision carries `terms`; its reason is the reasoning. Automation can never do any of this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.ledger.bodies import (
    ObligationAcknowledged,
    ObligationAnchor,
    ObligationDecided,
    ObligationFact,
    ObligationFiled,
    ObligationOpened,
    ObligationSetAside,
    ObligationTolled,
)
from countermand.ledger.obligation_bodies import ObligationAct
from countermand.obligations import calendar, questions
from countermand.obligations.anchor import Moment
from countermand.obligations.book import Book
from countermand.obligations.clocks import OUT_OF_VIEW, Clock
from countermand.obligations.dataset import Dataset, Row, TollRule
from countermand.obligations.due import MinOf, Repeat
from countermand.obligations.profile import Profile
from countermand.obligations.warning import LADDER
from countermand.plan.target import Value

#: Shortest reasoning of “not reportable” and of setting a row aside (OBL-22).
MIN_REASONING = 20
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class Act(StrEnum):
    """What can be done."""

    acknowledge = "acknowledge"
    anchor = "anchor"
    fact = "fact"
    file = "file"
    set_aside = "set_aside"
    open = "open"
    toll = "toll"
    decide = "decide"


class Situation(Value):
    """What an act is judged against: everything as it stands now. `seq`: the newest record of the incident."""

    dataset: Dataset
    profile: Profile
    book: Book
    clocks: tuple[Clock, ...]
    now: datetime

    def row(self, decision: Decision) -> Row:
        """The row that the terms name. Raises Refused."""
        named = decision.terms.get("row", "")
        found = next((clock.row for clock in self.clocks if clock.row.id == named), None)
        if found is None:
            raise Refused(Refusal.wrong_state, f"there is no row {named!r}.", "List the clocks of this incident.")
        return found

    def clock(self, row_id: str) -> Clock:
        return next(clock for clock in self.clocks if clock.row.id == row_id)


def act_of(decision: Decision) -> Act:
    """Raises Refused."""
    said = decision.terms.get("act", "")
    if said not in tuple(Act):
        raise Refused(Refusal.wrong_state, f"act {said!r} is not known.", f"Accepted: {', '.join(Act)}.")
    return Act(said)


def roles_for(dataset: Dataset, terms: dict[str, str], right: Right) -> tuple[str, ...]:
    """Who may do this: the roles of the right, and whoever owns the row; not to report is the row's own role alone."""
    act, regime = terms.get("act"), terms.get("regime")
    rows = [row for row in dataset.obligations if row.id == terms.get("row") or (regime and row.regime == regime)]
    owners = tuple(dict.fromkeys(row.owner_role for row in rows))
    if owners and (act == Act.set_aside or (act == Act.decide and terms.get("reportable") == "no")):
        return owners
    called = LADDER if act == Act.acknowledge else ()
    return tuple(dict.fromkeys((*right.roles, *owners, *called)))


def check(decision: Decision, directory: Directory, right: Right, dataset: Dataset) -> None:
    """Raise Refused unless this person may do this now. The caller has verified the signature."""
    actor, roles = decision.actor, roles_for(dataset, decision.terms, right)
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this needs the role {' or '.join(roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    needed = _needed(decision)
    if len(decision.reason.strip()) < needed:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {needed} characters.",
            "Say in a sentence why; it stands in the record.",
        )


def _needed(decision: Decision) -> int:
    act = act_of(decision)
    if act in (Act.set_aside, Act.open) or (act is Act.decide and decision.terms.get("reportable") == "no"):
        return MIN_REASONING
    return MIN_REASON


def carried_out(decision: Decision, situation: Situation) -> ObligationAct:
    """The record of an act that `check` accepted. Raises Refused when its terms are not whole."""
    return _ACTS[act_of(decision)](decision, situation)


def _who(decision: Decision) -> dict[str, str]:
    actor = decision.actor
    return {
        "decision_id": decision.decision_id,
        "subject": actor.subject,
        "name": actor.printed_name,
        "role": actor.roles[0] if actor.roles else "",
    }


def _acknowledge(decision: Decision, situation: Situation) -> ObligationAct:
    row = situation.row(decision)
    if not situation.clock(row.id).open:
        raise Refused(Refusal.wrong_state, f"{row.id} does not run.", "Look after a clock that runs.")
    return ObligationAcknowledged(**_who(decision), row_id=row.id)


def _anchor(decision: Decision, situation: Situation) -> ObligationAct:
    terms, event = decision.terms, decision.terms.get("event", "")
    if event not in events(situation.dataset):
        accepted = ", ".join(events(situation.dataset))
        raise Refused(Refusal.wrong_state, f"no clock counts from {event!r}.", f"Accepted: {accepted}.")
    moment = _moment(terms.get("at", ""), terms.get("zone", situation.profile.jurisdiction_tz))
    if moment.earliest > situation.now:
        raise Refused(Refusal.wrong_state, f"{moment.words} is still to come.", "Record what has happened.")
    return ObligationAnchor(
        **_who(decision),
        event=event,
        at=moment.at,
        on=moment.on.isoformat() if moment.on else None,
        zone=moment.zone,
        certainty=_certainty(terms.get("certainty", "known")),
        evidence_refs=tuple(part.strip() for part in terms.get("evidence", "").split(",") if part.strip()),
    )


def _certainty(said: str) -> Literal["known", "estimated"]:
    match said:
        case "known" | "estimated":
            return said
    raise Refused(Refusal.wrong_state, f"certainty {said!r} is not known.", "Accepted: known, estimated.")


def events(dataset: Dataset) -> tuple[str, ...]:
    """Events that people may record: what reports start by is theirs, what our records show or a report is is not."""
    named = list[str]()
    for row in dataset.obligations:
        named.append(row.anchor)
        if isinstance(row.due, MinOf):
            named += [term.anchor for term in row.due.terms]
        if isinstance(row.due, Repeat):
            named.append(row.due.until)
    return tuple(dict.fromkeys(event for event in named if event != "none" and not event.startswith(_SHOWN)))


_SHOWN = ("filed.", "sent.", "asked.", "closed.", "used.", "paused.", "detected.incident")


def _fact(decision: Decision, situation: Situation) -> ObligationAct:
    path = decision.terms.get("path", "")
    value = questions.answer(situation.dataset, path, decision.terms.get("value", ""))
    return ObligationFact(**_who(decision), path=path, value=value)


def _file(decision: Decision, situation: Situation) -> ObligationAct:
    row, terms = situation.row(decision), decision.terms
    partial = terms.get("partial") == "yes"
    if partial and not row.allows_partial:
        raise Refused(Refusal.wrong_state, f"{row.id} takes no partial report.", "Record the complete one.")
    filed_at = _instant(terms.get("filed_at", ""))
    if filed_at > situation.now:
        raise Refused(Refusal.wrong_state, "the report is still to come.", "Record it when it went out.")
    for name in ("channel", "reference"):
        if not terms.get(name, "").strip():
            raise Refused(Refusal.wrong_state, f"{name} {terms.get(name)!r} is empty.", f"Say by which {name}.")
    clock = situation.clock(row.id)
    limit = clock.legal_latest or clock.due
    return ObligationFiled(
        **_who(decision),
        row_id=row.id,
        content_sha256=_digest(terms.get("sha256")) or _no_bytes(),
        channel=terms["channel"].strip(),
        reference=terms["reference"].strip(),
        receipt_sha256=_digest(terms.get("receipt_sha256")),
        filed_at=filed_at,
        facts_root=_facts_root(terms.get("facts_root", ""), situation.book.seq),
        late=limit is not None and filed_at > limit and row.due.kind not in ("immediately", "repeat"),
        partial=partial,
    )


def _facts_root(said: str, newest: int) -> int:
    """The record up to which the report tells; the newest one when nobody says."""
    if not said:
        return newest
    if not re.fullmatch(r"[0-9]{1,15}", said) or int(said) > newest:
        raise Refused(Refusal.wrong_state, f"record {said[:40]!r} is none yet.", f"Write a number up to {newest}.")
    return int(said)


def _no_bytes() -> str:
    raise Refused(Refusal.wrong_state, "what was sent is missing.", "Give the file exactly as it went out.")


def _set_aside(decision: Decision, situation: Situation) -> ObligationAct:
    row = situation.row(decision)
    return ObligationSetAside(**_who(decision), row_id=row.id, reasoning=decision.reason)


def _open(decision: Decision, situation: Situation) -> ObligationAct:
    row = situation.row(decision)
    if situation.clock(row.id).state not in OUT_OF_VIEW and row.id not in situation.book.opened:
        raise Refused(Refusal.wrong_state, f"{row.id} is in view already.", "Record its event.")
    return ObligationOpened(**_who(decision), row_id=row.id, reasoning=decision.reason)


def _toll(decision: Decision, situation: Situation) -> ObligationAct:
    row, terms = situation.row(decision), decision.terms
    named = terms.get("rule", "")
    if named not in row.tolling:
        raise Refused(
            Refusal.wrong_state,
            f"{named!r} delays nothing of {row.id}.",
            f"Accepted: {', '.join(row.tolling) or 'nothing; this row knows no delay'}.",
        )
    rule = situation.dataset.toll_rule(named)
    until = _instant(terms["until"]) if terms.get("until") else None
    document = _digest(terms.get("document_sha256"))
    if not terms.get("authority", "").strip():
        raise Refused(Refusal.wrong_state, "the authority is missing.", "Say who ordered or heard it.")
    if rule.max is not None:
        _refuse_long(rule, row, situation, until, document)
    return ObligationTolled(
        **_who(decision),
        row_id=row.id,
        rule=named,
        authority=terms["authority"].strip(),
        document_sha256=document,
        until=until if rule.max is not None else None,
        moves=rule.max is not None,
        reasoning=decision.reason,
    )


def _refuse_long(rule: TollRule, row: Row, situation: Situation, until: datetime | None, document: str | None) -> None:
    """Raise Refused when the delay is longer than the rule allows, or says no end."""
    longest, allowed = rule.max, list[datetime]()
    if until is None or until <= situation.now:
        raise Refused(Refusal.wrong_state, f"until {until!r} is not accepted.", "Write an instant that is to come.")
    before = [toll for toll in situation.book.tolls if toll.row_id == row.id and toll.rule == rule.id]
    due = situation.clock(row.id).due
    base = max([situation.now, *(toll.until for toll in before if toll.until)])
    if longest is not None and longest.oral_days is not None and document is None:
        allowed.append(situation.now + timedelta(days=longest.oral_days))
    if longest is not None and longest.days:
        if len(before) >= len(longest.days):
            raise Refused(Refusal.wrong_state, f"{rule.id} was used {len(before)} times.", "It allows no more.")
        allowed.append(base + timedelta(days=longest.days[len(before)]))
    if longest is not None and longest.business_days is not None and due is not None:
        last = calendar.business_days_after(due.astimezone(UTC).date(), longest.business_days, ())
        allowed.append(calendar.end_of(last, ZoneInfo("UTC")))
    if allowed and until > min(allowed):
        raise Refused(
            Refusal.wrong_state,
            f"until {until:%Y-%m-%d %H:%M} UTC is longer than {rule.id} allows.",
            f"At most until {min(allowed):%Y-%m-%d %H:%M} UTC. {rule.paraphrase}",
        )


def _decide(decision: Decision, situation: Situation) -> ObligationAct:
    terms, regime = decision.terms, decision.terms.get("regime", "")
    if regime not in situation.dataset.regimes:
        accepted = ", ".join(situation.dataset.regimes)
        raise Refused(Refusal.wrong_state, f"there is no regime {regime!r}.", f"Accepted: {accepted}.")
    rows = tuple(clock.row.id for clock in situation.clocks if clock.row.regime == regime)
    review_at = terms.get("review_at", "").strip()
    return ObligationDecided(
        **_who(decision),
        regime=regime,
        rows=rows,
        reportable=_reportable(terms.get("reportable", "")),
        reasoning=decision.reason,
        facts_relied_on=tuple(part.strip() for part in terms.get("facts", "").split(",") if part.strip()),
        counsel_ref=terms.get("counsel_ref", "").strip(),
        review_at=_day(review_at).isoformat() if review_at else None,
    )


def _reportable(said: str) -> Literal["yes", "no", "undecided"]:
    match said:
        case "yes" | "no" | "undecided":
            return said
    raise Refused(Refusal.wrong_state, f"reportable {said!r} is not known.", "Accepted: yes, no, undecided.")


def _moment(said: str, zone: str) -> Moment:
    """An instant, a local time in the zone, or a bare day."""
    try:
        if len(said) == 10:
            return Moment(on=date.fromisoformat(said), zone=zone)
        at = datetime.fromisoformat(said)
        return Moment(at=at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)), zone=zone)
    except (ValueError, ValidationError, OSError, KeyError) as error:
        raise Refused(
            Refusal.wrong_state,
            f"{said!r} in the zone {zone!r} is no time.",
            "Write 2026-11-20T09:17 and a zone such as Europe/Paris, 2026-11-20T09:17Z, or only the day.",
        ) from error


def _instant(said: str) -> datetime:
    moment = _moment(said, "UTC")
    if moment.at is None:
        raise Refused(Refusal.wrong_state, f"{said!r} has no time of day.", "Write 2026-11-20T09:17Z.")
    return moment.at


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise Refused(Refusal.wrong_state, f"{said!r} is no day.", "Write 2026-11-20.") from error


def _digest(said: str | None) -> str | None:
    if said and not _SHA256.fullmatch(said):
        raise Refused(Refusal.wrong_state, f"{said!r} is no digest.", "Give the file; its digest is made for you.")
    return said or None


_ACTS: dict[Act, Callable[[Decision, Situation], ObligationAct]] = {
    Act.acknowledge: _acknowledge,
    Act.anchor: _anchor,
    Act.fact: _fact,
    Act.file: _file,
    Act.set_aside: _set_aside,
    Act.open: _open,
    Act.toll: _toll,
    Act.decide: _decide,
}
