"""What an approver sees, built once and rendered to web, terminal and (later) Slack (communications.md §8).

The order of the facts is fixed. Every line is made from the Plan, the Ledger and numbers by this code; nothing that a
model answered or a user asked appears here. If a part cannot be filled in, `complete` is False and approving is
not offered (COM-32).
"""

from __future__ import annotations

import re
from datetime import datetime

from countermand.governance.decision import SignatureClass
from countermand.messages.facts import default_words, gate_lines, in_words, spoken, unknowns, utc
from countermand.messages.fencing import fenced
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.investigation import slice_lines
from countermand.plan.build import stage_sentence
from countermand.plan.model import Plan
from countermand.plan.target import Value
from countermand.playbook.units import format_percent

CHECK_WORDS = {
    "digest_served": "the baseline serves exactly the approved bundle",
    "destination_healthy": "the baseline is healthy",
    "error_rate": "failed requests stay within the limit",
}


class Fact(Value):
    """One titled group of lines."""

    title: str
    lines: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its name wherever it is shown: `what_is_not_known`."""
        return "_".join(re.findall(r"[a-z]+", self.title.lower()))


class AskCard(Value):
    """Everything shown before a decision."""

    ask_id: str
    incident_id: str
    approval_digest: str
    title: str
    question: str
    deadline: str
    expires_at: datetime
    facts: tuple[Fact, ...]
    if_nobody_decides: str
    people: str
    status: str
    complete: bool
    incomplete_because: tuple[str, ...]
    because: str = ""
    signature_class: SignatureClass = SignatureClass.standard


def ask_card(view: IncidentView, ask: AskView) -> AskCard:
    """The card of one ask. Depends on nothing but the Ledger: the same records give the same card."""
    opened, plan = ask.opened, view.plan
    lacking = []
    if plan is None or plan.digest != opened.plan_digest:
        lacking.append("the exact plan")
    if view.verdict is None:
        lacking.append("the evidence")
    served = Fact(title="How groups of people are served", lines=slice_lines(view.slices))
    facts = [_what(view, plan), _why(view, ask), served, _how(plan), _checks(plan)]
    facts.append(Fact(title="What is not known", lines=tuple(unknowns(view))))
    facts.append(Fact(title="Risks of going back", lines=_risks(plan)))
    facts.append(Fact(title="Thresholds that fired", lines=opened.threshold_flags))
    facts.append(Fact(title="How it is signed", lines=_signed(opened.signature_class)))
    return AskCard(
        ask_id=opened.ask_id,
        incident_id=view.incident_id,
        approval_digest=opened.approval_digest,
        title=f"Roll back {view.opened.candidate_name} to {view.opened.baseline_name}?",
        question=f"May the users of {view.opened.candidate_name} go back to {view.opened.baseline_name} "
        f"in {_stages(plan)}?",
        deadline=f"{utc(ask.expires_at)}, {in_words(ask.expires_at - opened.opened_at)} after the request",
        expires_at=ask.expires_at,
        facts=tuple(fact for fact in facts if fact.lines),
        if_nobody_decides=f"{opened.default}: {default_words(ask)}.",
        people=_people(ask),
        status=ask.status,
        complete=not lacking,
        incomplete_because=tuple(lacking),
        because=ask.closed.because if ask.closed else "",
        signature_class=opened.signature_class,
    )


def _what(view: IncidentView, plan: Plan | None) -> Fact:
    opened = view.opened
    lines = [f"{opened.service} in {opened.environment}, {opened.severity}, release {view.release_id}"]
    if plan is not None:
        changed = spoken(plan.candidate.differs_from(plan.baseline))
        lines.append(f"from {plan.candidate.name} ({_short(plan.candidate.digest)})")
        lines.append(f"to {plan.baseline.name} ({_short(plan.baseline.digest)})")
        lines.append(f"what differs between them: {changed}")
        lines += _changed(plan)
    return Fact(title="What", lines=tuple(lines))


def _changed(plan: Plan) -> list[str]:
    """What is changed where, and what happens when the members of a bundle do not all follow."""
    if not plan.followers:
        return [f"changed on target {plan.member.target}, {plan.kind} {plan.member.name}"]
    named = [f"{one.name} ({one.part or 'traffic'})" for one in plan.members]
    then = {
        "hold": "what moved stays, and people are asked",
        "compensate": "what moved is brought back, and people are asked",
    }[plan.on_member_failure]
    return [f"changed together: {', then '.join(named)}", f"if one of them does not follow: {then}"]


def _stages(plan: Plan | None) -> str:
    if plan is None:
        return "an unknown number of stages"
    return "1 stage" if len(plan.stages) == 1 else f"{len(plan.stages)} stages"


def _why(view: IncidentView, ask: AskView) -> Fact:
    verdict = view.verdict
    again = (f"asked again, because the last try stopped: {ask.tried}",) if ask.tried else ()
    if verdict is None:
        return Fact(title="Why", lines=(*again, view.opened.sentence, *gate_lines(view)))
    criteria = (one.sentence for one in verdict.criteria if one.sentence not in verdict.sentence)
    return Fact(title="Why", lines=tuple(dict.fromkeys((*again, verdict.sentence, *criteria, *gate_lines(view)))))


def _how(plan: Plan | None) -> Fact:
    if plan is None:
        return Fact(title="Plan", lines=("the plan cannot be shown",))
    stages = [
        f"stage {stage.number}: {stage_sentence(plan, stage)}, then watched for {in_words(stage.soak)}"
        for stage in plan.stages
    ]
    users = f"today {format_percent(plan.before.candidate_bp)} of users get the candidate"
    took = f"expected to take about {in_words(plan.expected_duration)} plus the time traffic needs to show each stage"
    return Fact(title="Plan", lines=(users, *stages, took))


def _checks(plan: Plan | None) -> Fact:
    if plan is None:
        return Fact(title="Checks", lines=())
    used = {*plan.checks_before, *plan.checks_between, *plan.checks_after}
    lines = [CHECK_WORDS.get(check.kind, fenced(check.meaning, 120)) for check in plan.checks if check.id in used]
    lines.append("each stage must be seen in real traffic before the next; any doubt stops and asks")
    if plan.readiness:
        lines.append(plan.readiness)
    return Fact(title="Checked before, between and after", lines=tuple(lines))


def _risks(plan: Plan | None) -> tuple[str, ...]:
    if plan is None:
        return ()
    return plan.warnings or ("none found: the destination is healthy and serves the approved bundle",)


def _signed(required: SignatureClass) -> tuple[str, ...]:
    if required is SignatureClass.standard:
        return ()
    return (
        "approving needs your security key, for exactly this request, in the console",
        "rejecting needs no security key",
    )


def _people(ask: AskView) -> str:
    opened = ask.opened
    missing = f", missing: {spoken(ask.missing)}" if ask.missing and ask.status == "pending" else ""
    return f"{ask.have} of {opened.need_people} people approved{missing}; asked: {spoken(opened.asked)}"


def _short(digest_: str) -> str:
    return digest_.removeprefix("sha256:")[:12]
