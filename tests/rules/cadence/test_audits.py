"""Each audit finds a fault that was planted, finds nothing where there is none, and never takes silence for health."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.cadence_audits import logs_in_words
from countermand.cadence.audits import Audited, Way, governance, obligations, retention, targets
from countermand.evidence.reconciliation import Change, Compared, not_compared
from countermand.governance.directory import Directory
from countermand.ledger.bodies import ConsentOverdue, HoldPlaced, KeyAdded, PurgeCertificate
from countermand.ledger.body import Body
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from countermand.obligations.dataset import shipped
from countermand.retention.holding import Scope
from tests import cases

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def records(ago: timedelta, *said: Body) -> list[Record]:
    return [
        parse_line(build_line(body.entry(f"k{seq}", "worker"), seq=seq, prev=GENESIS_PREV, at=NOW - ago))
        for seq, body in enumerate(said)
    ]


def directory(**changes: Any) -> Directory:
    return Directory(governance=cases.governance(**changes), digest="sha256:g", source="file", as_of=NOW)


def about(found: Audited) -> set[str]:
    return {one.about for one in found.findings}


def test_a_quorum_that_nobody_can_reach_and_a_role_without_people_are_found() -> None:
    healthy = governance(directory(), [cases.playbook()], [], NOW)
    assert cases.playbook().name not in about(healthy)
    people = cases.governance().model_dump(mode="json", by_alias=True)["people"]
    for person in people:
        person["roles"] = [role for role in person["roles"] if role != "safety_lead"] or ["operator"]
    found = governance(directory(people=people), [cases.playbook()], [], NOW)
    assert cases.playbook().name in about(found)
    assert any("safety_lead" in one.sentence for one in found.findings)
    assert found.result == "findings"


def test_an_act_of_the_shipped_table_that_nobody_is_left_for_is_found() -> None:
    found = governance(directory(), [], [], NOW)
    assert "place_hold" in about(found), "nobody of these people is legal counsel"


def delegation(**changes: Any) -> dict[str, Any]:
    return {
        "id": "leave",
        "delegator": cases.LENA,
        "delegate": cases.JONAS,
        "roles": ["release_owner"],
        "releases": "any",
        "environments": "any",
        "severities": "any",
        "granted_at": NOW - timedelta(days=2),
        "not_before": NOW - timedelta(days=1),
        "not_after": NOW + timedelta(days=10),
        "reason": "On leave for ten days.",
    } | changes


def test_a_delegation_that_lends_nothing_or_ends_soon_is_found() -> None:
    fine = governance(directory(delegations=[delegation()]), [], [], NOW)
    assert "leave" not in about(fine)
    lent = governance(directory(delegations=[delegation(roles=["executive"])]), [], [], NOW)
    assert [one.sentence for one in lent.findings if one.about == "leave"] == [
        "Whoever lends executive does not hold it; it lends nothing."
    ]
    soon = governance(directory(delegations=[delegation(not_after=NOW + timedelta(days=3))]), [], [], NOW)
    assert "leave" in about(soon)


def test_an_old_key_and_an_emergency_that_nobody_ratified_are_found() -> None:
    key = KeyAdded(purpose="gateway", key_id="gw-1", public="", key_origin="auto")
    assert "gw-1" not in about(governance(directory(), [], records(timedelta(days=300), key), NOW))
    late = ConsentOverdue(consent_id="ratify-1", number=1, due=NOW, missing=("executive",))
    assert {"gw-1", "ratify-1"} <= about(governance(directory(), [], records(timedelta(days=400), key, late), NOW))


def way(**changes: Any) -> Way:
    said = {"release_id": "r1", "version": "v6", "eligible": True, "because": "", "looked_at": NOW, "ready": True}
    return Way.model_validate(said | {"said": ""} | changes)


def test_a_way_back_to_a_denied_version_is_found_and_one_nobody_looked_at_is_not_clean() -> None:
    assert targets([way()], NOW).result == "clean"
    assert targets([way(eligible=False, because="on the deny list")], NOW).result == "findings"
    assert targets([way(ready=False, said="closed")], NOW).result == "findings"
    for unseen in (way(looked_at=None, ready=None), way(looked_at=NOW - timedelta(days=2)), way(ready=None)):
        assert targets([unseen], NOW).result == "unknown"


def test_a_legal_row_whose_date_has_passed_is_found() -> None:
    first = min(row.recheck_by for row in shipped().obligations)
    assert obligations(shipped(), first).result == "clean"
    assert obligations(shipped(), date(2100, 1, 1)).result == "findings"
    assert "not legal advice" in obligations(shipped(), first).words


def certificate(**changes: Any) -> PurgeCertificate:
    said = {"run_id": "r", "what": "texts", "class_id": "ledger", "rule_digest": "d", "count": 3, "size": 1}
    more = {"salt": "", "ids_root": "", "first": None, "until": None, "keys": (), "items": (), "releases": ()}
    rest = {"held": 2, "approver": "a", "operator": "o", "started_at": NOW, "ended_at": NOW}
    return PurgeCertificate.model_validate(said | more | rest | changes)


def test_a_purge_that_failed_an_old_hold_and_refused_periods_are_found() -> None:
    fine = retention(records(timedelta(days=1), certificate()), "", NOW)
    assert (fine.result, fine.sentence) == ("clean", "3 deleted and 2 kept under holds in 31 days.")
    failed = retention(records(timedelta(days=1), certificate(failures=("disk full",))), "", NOW)
    assert "disk full" in failed.findings[0].sentence
    hold = HoldPlaced(
        hold_id="hold-1", scope=Scope(classes=("ledger",)), reason="r", matter="m", custodians=(), decision_id="d",
        subject="local|maria", name="Maria",
    )  # fmt: skip
    assert about(retention(records(timedelta(days=200), hold), "", NOW)) == {"hold-1"}
    assert about(retention([], "shorter than shipped", NOW)) == {"periods"}


def test_a_change_that_nobody_recorded_is_found_and_a_target_without_a_log_is_not_clean() -> None:
    fine = Compared(member="demo/answers", why=None, ours=1, theirs=1, agree=1)
    by_hand = Change(at=NOW, candidate_bp=0, revision="7", key=None)
    assert logs_in_words([fine]).result == "clean"
    assert logs_in_words([fine, fine.model_copy(update={"we_miss": (by_hand,)})]).result == "findings"
    assert logs_in_words([fine, not_compared("other/answers", 1, "it keeps no log")]).result == "unknown"
