"""`plan/deviation.json`: planned against executed, stage by stage, and who accepted each difference."""

from __future__ import annotations

from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.ledger.record import Kind, Record

#: States of a stage that the plan does not have: somebody or a doubt interrupted it.
_STOPS = ("held", "stopped", "aborted", "reversed", "partial", "compensated")
#: Decisions that answer an interruption.
_ANSWERS = ("hold", "resume", "abort", "reverse", "ask_again", "break_glass")


def deviation(material: Material, incident_id: str) -> dict[str, Any]:
    """One incident: every planned stage with what was done, and each difference with who accepted it.

    A difference that nobody accepted says so: `accepted_by` is empty. `plan_digest` None: no plan was made.
    """
    mine = [record for record in material.records if record.incident_id == incident_id]
    plans = [record for record in mine if record.kind is Kind.plan]
    if not plans:
        return {"incident_id": incident_id, "plan_digest": None}
    executed = [one.body["plan_digest"] for one in mine if one.kind is Kind.stage_intent]
    by_digest = {record.body["plan_digest"]: record for record in plans}
    plan = by_digest.get(executed[-1] if executed else "", plans[-1])
    stages = [_stage(stage, mine, plan.body["plan_digest"]) for stage in plan.body["plan"]["stages"]]
    differences = [*_of_stages(stages, mine), *_stops(mine), *_checks(plan.body["plan"], mine), *_order(mine)]
    return {
        "incident_id": incident_id,
        "plan_digest": plan.body["plan_digest"],
        "plan_seq": plan.seq,
        "stages": stages,
        "differences": differences,
        "sentence": _sentence(stages, differences),
    }


def _sentence(stages: list[dict[str, Any]], differences: list[dict[str, Any]]) -> str:
    done = sum(stage["executed"] is not None for stage in stages)
    begun = f"{done} of {len(stages)} planned stages were carried out"
    if not differences:
        return f"{begun}, as approved."
    open_ = sum(not one["accepted_by"] for one in differences)
    note = f"; {open_} without a recorded acceptance" if open_ else ", each accepted by a named person"
    return f"{begun}; {len(differences)} difference{'s' if len(differences) > 1 else ''}{note}."


def _stage(stage: dict[str, Any], mine: list[Record], plan_digest: str) -> dict[str, Any]:
    number = stage["number"]
    intents = [
        one
        for one in mine
        if one.kind is Kind.stage_intent
        and one.body["plan_digest"] == plan_digest
        and one.body["stage"] == number
        and one.body["member"] is None
    ]
    outcomes = [
        one
        for one in mine
        if one.kind is Kind.stage_outcome and one.body["stage"] == number and one.body["member"] is None
    ]
    executed: dict[str, Any] | None = None
    if intents:
        after = outcomes[-1].body["after"] if outcomes else None
        executed = {
            "intent_seq": intents[-1].seq,
            "outcome_seq": outcomes[-1].seq if outcomes else None,
            "at": instant(intents[-1].at),
            "asked_candidate_bp": intents[-1].body["desired"]["candidate_bp"],
            "read_back_candidate_bp": after["split"]["candidate_bp"] if after else None,
            "result": outcomes[-1].body["result"] if outcomes else "unknown",
        }
    return {"stage": number, "planned_candidate_bp": stage["desired"]["candidate_bp"], "executed": executed}


def _of_stages(stages: list[dict[str, Any]], mine: list[Record]) -> list[dict[str, Any]]:
    """Stages that did not give the share that was approved."""
    found: list[dict[str, Any]] = []
    for stage in stages:
        done, planned = stage["executed"], stage["planned_candidate_bp"]
        if done is None:
            said = f"stage {stage['stage']} was not carried out"
        elif done["result"] not in ("applied", "already"):
            said = f"stage {stage['stage']} ended {done['result']}"
        elif done["asked_candidate_bp"] != planned or done["read_back_candidate_bp"] != planned:
            got = done["read_back_candidate_bp"]
            said = f"stage {stage['stage']}: the target says {got} basis points, approved were {planned}"
        else:
            continue
        found.append({"what": "share", "seq": done["intent_seq"] if done else None, "said": said})
    return [one | {"accepted_by": _accepted(mine, one["seq"])} for one in found]


def _stops(mine: list[Record]) -> list[dict[str, Any]]:
    return [
        {
            "what": "stop",
            "seq": one.seq,
            "said": f"stage {one.body['stage']} {one.body['state']}: {one.body['sentence']}",
            "accepted_by": _accepted(mine, one.seq),
        }
        for one in mine
        if one.kind is Kind.stage_state and one.body["state"] in _STOPS
    ]


def _checks(plan: dict[str, Any], mine: list[Record]) -> list[dict[str, Any]]:
    """Checks that the plan names and that nobody ran, and those that did not pass."""
    done = [one for one in mine if one.kind is Kind.check_result]
    names = {one.body["name"] for one in done}
    moved = any(one.kind is Kind.stage_intent for one in mine)
    planned = dict.fromkeys([*plan["checks_before"], *plan["checks_between"], *plan["checks_after"]])
    found: list[dict[str, Any]] = [
        {"what": "check", "seq": None, "said": f"the planned check {name!r} has no result", "accepted_by": []}
        for name in planned
        if moved and name not in names
    ]
    found += [
        {
            "what": "check",
            "seq": one.seq,
            "said": f"check {one.body['name']!r} {one.body['word']}: {one.body['sentence']}",
            "accepted_by": _accepted(mine, one.seq),
        }
        for one in done
        if one.body["word"] == "fail"
    ]
    return found


def _order(mine: list[Record]) -> list[dict[str, Any]]:
    """Stages of one revert that were set in another order than planned."""
    found: list[dict[str, Any]] = []
    newest: dict[int, int] = {}
    for one in mine:
        if one.kind is not Kind.stage_intent or one.body["member"] is not None:
            continue
        revert, stage = one.body["revert"], one.body["stage"]
        if 0 < stage < newest.get(revert, 0):
            said = f"stage {stage} was set after stage {newest[revert]}"
            found.append({"what": "order", "seq": one.seq, "said": said, "accepted_by": _accepted(mine, one.seq)})
        newest[revert] = max(stage, newest.get(revert, 0))
    return found


def _accepted(mine: list[Record], seq: int | None) -> list[dict[str, Any]]:
    """Who answered an interruption: the first signed command after it, or the approval of the plan that went on."""
    for one in mine:
        if seq is None or one.seq <= seq:
            continue
        if one.kind is Kind.decision and one.body["decision"]["kind"] in _ANSWERS:
            said = one.body["decision"]
            return [{"seq": one.seq, "name": said["actor"]["printed_name"], "decision": said["kind"]}]
        if one.kind is Kind.ask_vote and one.body["vote"] == "approve":
            return [{"seq": one.seq, "name": one.body["name"], "decision": "approve"}]
    return []
