"""What a playbook that parses still gets wrong: errors that would surface in the middle of an incident, and
warnings about choices that are allowed but seldom meant.

Nothing here guesses traffic: what takes too long is said only of signals that state `per_minute`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from countermand.detection.models import Row
from countermand.detection.positive import enough_to_pass, missed
from countermand.detection.rules import compile_rules
from countermand.detection.thresholds import soonest
from countermand.detection.tolerances import bad_value, line
from countermand.governance.shipped import shipped_gates
from countermand.playbook.check_history import against_history
from countermand.playbook.check_integrity import against_stages
from countermand.playbook.finding import Finding
from countermand.playbook.model import Criterion, Playbook, Severity, SignalSpec, Tolerance
from countermand.playbook.plain_words import percent
from countermand.playbook.planning import cannot_fire, plan, wrong_fires
from countermand.playbook.source import Path
from countermand.playbook.taxonomy import known
from countermand.playbook.units import format_duration, plain

SEV1_LIMIT = timedelta(minutes=60)

#: Of 1,000 days without harm: a rule that fires on more of them costs people more than it tells.
TOO_OFTEN = 10

#: More healthy services than this that are reported as not recovered cost people nights.
UNLUCKY = 0.01


def check(playbook: Playbook, history: Sequence[Row] = (), today: date | None = None) -> list[Finding]:
    """Everything found, in no particular order; empty when there is nothing to say.

    `history`: sealed rows from before a release, where there are some; they show what a playbook only assumes.
    `today`: what accepted risks are compared with; without it no date is judged.
    """
    return [
        *_signals(playbook),
        *_criteria(playbook),
        *_never_fires(playbook),
        *_too_slow(playbook),
        *_fires_without_harm(playbook),
        *against_history(playbook.detection, history),
        *_watch(playbook),
        *_approvals(playbook),
        *_way_back(playbook),
        *against_stages(playbook),
        *_verification(playbook),
        *_fairness(playbook),
        *(_expired(playbook, today) if today else ()),
    ]


def _fairness(playbook: Playbook) -> Iterator[Finding]:
    for i, harm in enumerate(playbook.harms):
        if harm.trigger is None and harm.accepted is None:
            yield Finding(
                ("harms", i),
                "warning",
                f"nothing finds harm {harm.id!r} and nobody accepted it: name the `trigger` that finds it, or write "
                "`accepted` with who, until when and why",
            )
    for i, one in enumerate(playbook.investigation.test_sets):
        if one.limit is None:
            yield Finding(
                ("fairness", "test_sets", i),
                "warning",
                f"test set {one.name!r} has no `limit`: no run of it can pass, so after a rollback about fairness "
                "nothing goes forward; write what each group has to show",
            )


def _expired(playbook: Playbook, today: date) -> Iterator[Finding]:
    for i, harm in enumerate(playbook.harms):
        if harm.expired(today):
            yield Finding(("harms", i, "accepted", "until"), "warning", harm.overdue)


def _signals(playbook: Playbook) -> Iterator[Finding]:
    for name, spec in playbook.detection.signals.items():
        missing = [key for key, value in known(name, spec)._asdict().items() if value is None]
        if missing:
            yield Finding(
                ("detection", "signals", name),
                "warning",
                f"{name!r} is not in the signal taxonomy and says no {' and no '.join(missing)}: people will not know "
                f"how far to trust it; write {' and '.join(f'`{key}`' for key in missing)}, or use a name that "
                "`countermand signals` lists",
            )


def _criteria(playbook: Playbook) -> Iterator[Finding]:
    for i, trigger in enumerate(playbook.detection.triggers):
        for j, criterion in enumerate(trigger.criteria):
            path = ("detection", "triggers", i, *trigger.criterion_path(j))
            yield from _criterion(playbook.detection.signals[criterion.signal], criterion, path)
        if not trigger.bounded:
            yield Finding(
                ("detection", "triggers", i),
                "warning",
                f"trigger {trigger.id!r} can fire by plain thresholds alone: they carry no bound "
                "on false alarms, so `false_alarms` promises nothing about it",
            )


def _criterion(spec: SignalSpec, criterion: Criterion, path: Path) -> Iterator[Finding]:
    tolerate = criterion.tolerate
    if tolerate is None:
        return
    if spec.kind in ("latency", "categories"):
        yield from _wide_edges(spec, tolerate, (*path, "tolerate"))
        if tolerate.slower_by == 0 or tolerate.ratio == 1:
            yield _zero((*path, "tolerate"), "nothing slower", "slower_by: 10%")
        return
    ratio, absolute = line(spec, tolerate)
    usual = bad_value(spec)
    if usual is None:
        if ratio <= 1 and absolute <= 0:
            yield _zero((*path, "tolerate"), "nothing worse", "absolute: 0.01")
        return
    accepted = ratio * usual + absolute
    if accepted <= usual:
        what = "nothing worse" if accepted == usual else "only something better"
        yield _zero((*path, "tolerate"), what, "ratio: 1.2 or absolute: 0.01")
    elif accepted >= 1:
        yield Finding(
            (*path, "tolerate"),
            "warning",
            f"accepts {percent(accepted)} bad outputs at the usual {percent(usual)}: this can never fire",
        )
    elif spec.bad == "lower" and tolerate.ratio is not None:
        yield Finding(
            (*path, "tolerate"),
            "warning",
            f"ratio is taken of the bad outputs: it accepts {percent(accepted)} instead of {percent(usual)} "
            f"bad, that is {percent(1 - accepted)} instead of {percent(1 - usual)} good",
        )


def _wide_edges(spec: SignalSpec, tolerate: Tolerance, path: Path) -> Iterator[Finding]:
    """Latency is compared at bucket edges: wide buckets tolerate more than was written (detection.md §4.4)."""
    edges, by = spec.edges or (), tolerate.slower_by
    if by is None:
        return
    moved = [(edge, next((other for other in edges if other >= (1 + by) * edge), None)) for edge in edges]
    real = [(other / edge - 1, edge) for edge, other in moved if other is not None]
    widest, where = max(real, default=(by, Decimal(0)))
    if widest >= max(by * 3 / 2, by + Decimal("0.05")):
        yield Finding(
            path,
            "warning",
            f"the buckets are wider than slower_by {percent(by)}: above {plain(where)} {spec.measured_in} up to "
            f"{percent(round(widest, 2))} slower is tolerated; declare more edges",
        )
    if last := [edge for edge, other in moved if other is None and edge != edges[-1]]:
        yield Finding(
            path,
            "warning",
            f"a quantile above {plain(last[0])} {spec.measured_in} is not compared with anything: no edge is "
            f"{percent(by)} higher; declare edges beyond what is ever usual",
        )


def _never_fires(playbook: Playbook) -> Iterator[Finding]:
    """Criteria that even hopeless blocks from the start cannot fire within the watch."""
    detection = playbook.detection
    for i, (trigger, rule) in enumerate(zip(detection.triggers, compile_rules(detection), strict=True)):
        for j, compiled in enumerate(rule.criteria[: len(trigger.criteria)]):
            sustain = rule.main.sustain_blocks
            needed = soonest(compiled) if compiled.form == "threshold" else compiled.warm_up + sustain
            if needed > rule.watch_blocks:
                yield Finding(
                    ("detection", "triggers", i, *trigger.criterion_path(j)),
                    "error",
                    f"can never fire: it needs at least {format_duration(needed * detection.block)} "
                    f"and the watch lasts {format_duration(detection.watch)}",
                )


def _too_slow(playbook: Playbook) -> Iterator[Finding]:
    """Criteria that find not even a doubling within the watch, where the playbook states its traffic."""
    detection = playbook.detection
    if not any(spec.per_minute for spec in detection.signals.values()):
        return
    for i, (rule, found) in enumerate(zip(compile_rules(detection), plan(detection), strict=True)):
        trigger = detection.triggers[i]
        tolerant = [j for j, criterion in enumerate(trigger.criteria) if criterion.tolerate]
        for j, criterion in zip(tolerant, found.criteria, strict=True):
            if (why := cannot_fire(rule, criterion)) is not None:
                yield Finding(("detection", "triggers", i, *trigger.criterion_path(j)), "warning", why)


def _fires_without_harm(playbook: Playbook) -> Iterator[Finding]:
    """Fixed limits that fire too often by chance, where the playbook states their traffic."""
    detection = playbook.detection
    if not any(spec.per_minute for spec in detection.signals.values()):
        return
    for i, (trigger, rule) in enumerate(zip(detection.triggers, compile_rules(detection), strict=True)):
        places = {
            criterion.signal: ("detection", "triggers", i, *trigger.criterion_path(j))
            for j, criterion in enumerate(trigger.criteria)
            if criterion.rule is not None
        }
        for name, fired in wrong_fires(detection, rule):
            if fired.per_1000 >= TOO_OFTEN:
                yield Finding(places[name], "warning", f"a fixed limit: {fired.sentence}")


def _zero(path: Path, accepts: str, write: str) -> Finding:
    return Finding(
        path,
        "warning",
        f"accepts {accepts} than the baseline: any true difference will fire in the end; write for example {write}",
    )


def _watch(playbook: Playbook) -> Iterator[Finding]:
    detection = playbook.detection
    if detection.sustain_blocks < 3:
        yield Finding(
            ("detection", "sustain"),
            "warning",
            f"{format_duration(detection.sustain)!r} is {detection.sustain_blocks} block(s) of "
            f"{format_duration(detection.block)}; below 3 blocks a short burst can look like lasting damage",
        )


def _approvals(playbook: Playbook) -> Iterator[Finding]:
    policy = playbook.approvals.get(Severity.sev1)
    starts_sev1 = any(trigger.severity is Severity.sev1 for trigger in playbook.detection.triggers)
    if policy and starts_sev1 and policy.time_limit > SEV1_LIMIT:
        yield Finding(
            ("approvals", "sev1", "ladder", len(policy.ladder) - 1, "after"),
            "warning",
            f"serious harm may wait {format_duration(policy.time_limit)} for a decision; "
            f"{format_duration(SEV1_LIMIT)} or less is usual for sev1",
        )
    for severity, each in playbook.approvals.items():
        least = min(row[severity].people or 1 for row in (shipped_gates().clear, shipped_gates().doubtful))
        if each.quorum.distinct_people < least:
            yield Finding(
                ("approvals", severity.value, "quorum", "distinct_people"),
                "warning",
                f"{each.quorum.distinct_people} is less than {least}: at {severity.value} the gate asks for {least} "
                f"people whatever stands here; write {least}, and roles that enough people hold",
            )
        if each.default == "proceed":
            yield Finding(
                ("approvals", severity.value, "ladder", len(each.ladder) - 1, "action"),
                "warning",
                "'proceed' acts only under a standing authorisation for exactly this playbook, signed by two people, "
                "and after a rehearsal of it; without them nothing is changed and people are asked again",
            )


def _way_back(playbook: Playbook) -> Iterator[Finding]:
    revert, traffic = playbook.revert, playbook.revert.traffic
    limit = format_duration(revert.stage_time_limit)
    if traffic.time_limit >= revert.stage_time_limit:
        yield Finding(
            ("revert", "traffic", "time_limit"),
            "warning",
            f"{format_duration(traffic.time_limit)!r} is not shorter than stage_time_limit {limit}: "
            "a stage would run out of time before its traffic does",
        )
    detection = playbook.detection
    sealed = detection.block + detection.lateness
    for i, stage in enumerate(revert.stages):
        path = ("revert", "stages", i, "soak")
        soak = format_duration(stage.soak)
        if stage.soak + traffic.settle >= revert.stage_time_limit:
            yield Finding(
                path,
                "error",
                f"soak {soak} and settle {format_duration(traffic.settle)} do not fit into "
                f"stage_time_limit {limit}: the stage could never be completed",
            )
        if stage.soak < sealed:
            yield Finding(
                path,
                "warning",
                f"soak {soak!r} is shorter than one block and its lateness ({format_duration(sealed)}): "
                "the next stage would start before anything is seen of this one",
            )


def _verification(playbook: Playbook) -> Iterator[Finding]:
    detection, verification = playbook.detection, playbook.verification
    needed = detection.sustain + detection.lateness
    if verification.time_limit < needed:
        yield Finding(
            ("verification", "time_limit"),
            "error",
            f"{format_duration(verification.time_limit)!r} is shorter than sustain + lateness "
            f"({format_duration(needed)}): a good rollback would be reported as not verified; write "
            f"{format_duration(needed)} or more",
        )
    for i, evidence in enumerate(verification.signals):
        spec = detection.signals[evidence.signal]
        usual = bad_value(spec)
        if usual is None or spec.kind not in ("rate", "judgement"):
            message = f"{evidence.signal!r} is a {spec.kind}; healthy again is shown by rates only"
            yield Finding(("verification", "signals", i, "signal"), "error", message)
            continue
        bad, accepted = float(usual), float(evidence.at_most)
        given = (bad, accepted, evidence.min_scored, verification.confidence)
        unlucky = missed(*given)
        if unlucky > UNLUCKY:
            enough = enough_to_pass(*given, UNLUCKY) if bad < accepted else None
            better = "raise at_most" if enough is None else f"write min_scored: {enough} or raise at_most"
            yield Finding(
                ("verification", "signals", i),
                "warning",
                f"{round(100 * unlucky, 1):g} of 100 healthy services would not pass: at the usual {percent(usual)} "
                f"bad, {evidence.min_scored} outputs do not show at most {percent(evidence.at_most)} "
                f"with {percent(verification.confidence)} confidence often enough; {better}",
            )
