"""Rules that every section of a pack keeps."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from countermand.evidence.manifest import Scope
from countermand.evidence.material import Material, of_incident, of_period
from countermand.evidence.population import population
from countermand.evidence.sections import sections
from countermand.evidence.sections.controls import control_map, controls
from countermand.evidence.sections.counted import counted
from countermand.evidence.sections.deviation import deviation
from countermand.evidence.sections.writing import lines, present, pretty, table
from countermand.ledger.record import GENESIS_PREV, Entry, Kind, Record, build_line, line_hash, parse_line
from tests.rules.evidence.test_reconciliation import AT

INCIDENT = "inc-1"


def ledger(*said: tuple[Kind, dict[str, Any], str | None]) -> list[Record]:
    found: list[Record] = []
    for seq, (kind, body, incident_id) in enumerate(said):
        entry = Entry(kind=kind, idem_key=f"{seq}", actor="worker", body=body, incident_id=incident_id)
        prev = line_hash(found[-1].line) if found else GENESIS_PREV
        found.append(parse_line(build_line(entry, seq=seq, prev=prev, at=AT)))
    return found


def moved(*shares: int, states: tuple[str, ...] = ()) -> list[Record]:
    """A plan of two stages, 50 % and 0 %, and effects with these shares read back."""
    stages = [{"number": number, "desired": {"candidate_bp": share}} for number, share in ((1, 5_000), (2, 0))]
    plan = {"stages": stages, "checks_before": [], "checks_between": [], "checks_after": []}
    said: list[tuple[Kind, dict[str, Any], str | None]] = [
        (Kind.plan, {"plan_digest": "sha256:p", "plan": plan}, INCIDENT)
    ]
    for number, share in enumerate(shares, start=1):
        place = {"revert": 1, "stage": number, "member": None}
        wanted = stages[number - 1]["desired"]
        said.append((Kind.stage_intent, {**place, "plan_digest": "sha256:p", "desired": wanted}, INCIDENT))
        after = {"split": {"candidate_bp": share}}
        said.append((Kind.stage_outcome, {**place, "result": "applied", "after": after}, INCIDENT))
    for state in states:
        body = {"revert": 1, "stage": 1, "state": state, "sentence": "a doubt", "by": None, "until": None}
        said.append((Kind.stage_state, body, INCIDENT))
    return ledger(*said)


def material(records: list[Record], kind: str = "incident") -> Material:
    about = INCIDENT if kind == "incident" else None
    scope = Scope.model_validate({"kind": kind, "incident_id": about, "first_seq": 0, "last_seq": len(records)})
    return Material(scope, "full", records, {record.seq: record.kind.value for record in records})


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\n=1", "＝1"])
def test_no_cell_of_a_table_can_act_in_a_spreadsheet(cell: str) -> None:
    [_, [written]] = csv.reader(io.StringIO(table(("a",), [(cell,)]).decode(), newline=""))
    assert written == f"'{cell}"


def test_what_is_empty_leaves_with_its_reason_and_without_one_is_a_mistake() -> None:
    section = present({"a": b"", "b": b"x"}, {"a": "nothing"})
    assert section == ({"b": b"x"}, {"a": "nothing"})
    with pytest.raises(KeyError):
        present({"a": b""}, {})


def test_the_same_value_is_written_with_the_same_bytes_whatever_its_order() -> None:
    assert pretty({"a": 1, "b": 2}) == pretty({"b": 2, "a": 1})
    assert lines([{"a": "ü", "b": 2}]) == '{"a":"ü","b":2}\n'.encode()


def test_stages_that_went_as_planned_have_no_difference() -> None:
    found = deviation(material(moved(5_000, 0)), INCIDENT)
    assert found["differences"] == []
    assert found["sentence"] == "2 of 2 planned stages were carried out, as approved."


def test_another_share_a_stop_and_a_missing_stage_are_differences_that_nobody_accepted() -> None:
    found = deviation(material(moved(4_000, states=("stopped",))), INCIDENT)
    assert [one["what"] for one in found["differences"]] == ["share", "share", "stop"]
    assert all(one["accepted_by"] == [] for one in found["differences"])
    assert "3 without a recorded acceptance" in found["sentence"]


def test_a_stop_is_accepted_by_who_decided_next() -> None:
    said = {"kind": "resume", "actor": {"printed_name": "Maria Keller"}}
    records = moved(5_000, 0, states=("stopped",))
    before = [(one.kind, one.body, one.incident_id) for one in records]
    resumed = ledger(*before, (Kind.decision, {"decision": said}, INCIDENT))
    [difference] = deviation(material(resumed), INCIDENT)["differences"]
    assert difference["accepted_by"][0]["name"] == "Maria Keller"


def test_a_missing_number_is_found() -> None:
    records = moved(5_000, 0)
    assert population(records).gaps == ()
    assert population([*records[:1], *records[3:]]).gaps == ((1, 2),)


def test_an_effect_without_outcome_is_listed() -> None:
    made = counted(material(moved(5_000, 0)[:2], "period"))
    assert [one["seq"] for one in json.loads(made.files["population/gaps.json"])["intents_without_outcome"]] == [1]


def test_nothing_is_silently_missing_from_a_pack_without_facts() -> None:
    made = sections(material(ledger((Kind.genesis, {"ledger_id": "x"}, None))))
    folders = {path.split("/")[0] for path in made.missing} | {path.split("/")[0] for path in made.files}
    assert {"plan", "views", "decisions", "versions", "signals", "freeze", "verification", "integrity"} <= folders
    assert {"data", "comms", "obligations", "review", "rehearsal", "population", "reveals.jsonl"} <= folders
    assert all(made.missing.values())


def test_a_pack_of_an_incident_leaves_other_incidents_closed() -> None:
    records = ledger(
        (Kind.genesis, {"ledger_id": "x"}, None),
        (Kind.incident_opened, {}, "inc-other"),
        (Kind.selfcheck, {}, None),
        (Kind.incident_opened, {}, INCIDENT),
        (Kind.hold_placed, {"scope": {"incidents": [INCIDENT]}}, None),
        (Kind.incident_closed, {}, INCIDENT),
        (Kind.hold_placed, {"scope": {"incidents": [INCIDENT]}}, None),
    )
    assert [record.seq for record in of_incident(records, INCIDENT)] == [0, 3, 4, 5]
    assert [record.seq for record in of_period(records, 2, 3)] == [0, 2, 3]
    with pytest.raises(KeyError, match="inc-9"):
        of_incident(records, "inc-9")


def test_every_control_has_files_and_says_what_is_not_covered_and_none_is_called_met() -> None:
    mapped = json.loads(control_map(["timeline.jsonl", "plan/approved.json"], {"signals/fired.json": "no watch"}))
    assert len(mapped["controls"]) == len(controls())
    assert all(one["not_covered"] for one in mapped["controls"])
    text = json.dumps(mapped).lower()
    assert "no legal advice" in text
    assert not any(word in text for word in ("compliant", "tamper-proof", "immutable"))
