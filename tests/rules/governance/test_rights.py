"""GOV-6 and the table of decision rights: the shipped data says what the organisation was promised."""

from __future__ import annotations

from itertools import product

import pytest
from pydantic import ValidationError

from countermand.governance.decision import SignatureClass
from countermand.governance.rights import Action, Right, RightsTable
from countermand.governance.shipped import rights_in_force, shipped_rights
from countermand.playbook.terms import Misfit, Severity
from tests import cases
from tests.rules.governance.asking import more_people

ROLES = """
    operator incident_commander scribe release_owner product_owner safety_lead fairness_reviewer legal_counsel
    compliance_officer privacy_officer comms_lead executive break_glass playbook_maintainer auditor platform_admin
""".split()  # noqa: SIM905  # a list with one word per line would be a page
HIGH, LOW = "sev1 sev2", "sev3 sev4"
BOTH = f"{HIGH} {LOW}"

#: The table once more, written by hand: action, severities, who may act, people, roles that must be among them, class.
TABLE = [
    ("acknowledge", BOTH, "", None, "", None),
    ("propose", BOTH, "operator release_owner product_owner safety_lead", 1, "", "standard"),
    ("decide_plan", HIGH, "safety_lead product_owner release_owner", 2, "safety_lead", "step_up"),
    ("decide_plan", LOW, "release_owner product_owner", 1, "", "standard"),
    ("withdraw", BOTH, "incident_commander", 1, "", "standard"),
    ("extend", BOTH, "", 1, "", "standard"),
    ("abort", BOTH, "incident_commander", 1, "", "step_up"),
    ("skip", BOTH, "incident_commander", 1, "", "step_up"),
    ("force", BOTH, "incident_commander", 2, "", "step_up"),
    ("reassign", BOTH, "incident_commander", 1, "", "step_up"),
    ("accept_partial", BOTH, "safety_lead release_owner", 2, "safety_lead release_owner", "step_up"),
    ("fairness_finding", BOTH, "fairness_reviewer", 1, "", "step_up"),
    ("report_unfairness", BOTH, "safety_lead fairness_reviewer", 1, "", "standard"),
    ("break_glass", BOTH, "break_glass", 1, "", "step_up"),
    ("standing_authorisation", BOTH, "safety_lead executive", 2, "safety_lead executive", "step_up"),
    ("adopt_playbook", BOTH, "playbook_maintainer product_owner", 2, "playbook_maintainer product_owner", "standard"),
    ("tighten_threshold", BOTH, "playbook_maintainer product_owner", 2,
     "playbook_maintainer product_owner", "standard"),
    ("loosen_threshold", BOTH, "playbook_maintainer product_owner safety_lead", 3,
     "playbook_maintainer product_owner safety_lead", "step_up"),
    ("start_rollout", BOTH, "release_owner product_owner", 1, "", "standard"),
    ("stop_rollout", BOTH, "release_owner product_owner safety_lead incident_commander operator", 1, "", "standard"),
    ("re_release", BOTH, "safety_lead product_owner", 2, "safety_lead product_owner", "step_up"),
    ("deny_version", BOTH, "safety_lead legal_counsel", 1, "", "step_up"),
    ("allow_version", BOTH, "safety_lead legal_counsel", 2, "safety_lead legal_counsel", "step_up"),
    ("place_hold", BOTH, "legal_counsel", 1, "", "step_up"),
    ("release_hold", BOTH, "legal_counsel compliance_officer", 2, "legal_counsel compliance_officer", "step_up"),
    ("keep_obligation", BOTH, "compliance_officer privacy_officer legal_counsel", 1, "", "standard"),
    ("keep_review", BOTH, "release_owner incident_commander operator product_owner safety_lead fairness_reviewer "
     "compliance_officer", 1, "", "standard"),
    ("waive_review", BOTH, "safety_lead", 1, "", "standard"),
    ("approve_communication", BOTH, "", 1, "", "standard"),
    ("delegate", BOTH, "", 1, "", "standard"),
    ("raise_concern", BOTH, "product_owner safety_lead release_owner operator fairness_reviewer", 1, "", "standard"),
]  # fmt: skip
CELLS = [(action, Severity(severity), *rest) for action, both, *rest in TABLE for severity in both.split()]


def test_the_matrix_of_all_roles_and_actions_equals_the_table() -> None:
    """GOV-6; governance.md §1: every role × action × severity, quorum and class of signature."""
    table = shipped_rights()
    assert {(Action(action), severity) for action, severity, *_ in CELLS} == set(product(Action, Severity))
    for action, severity, roles, people, named, signature in CELLS:
        row = table.row(Action(action), severity)
        may = {role for role in ROLES if table.may(role, Action(action), severity)}
        assert may == set(roles.split()), (action, severity)
        assert (row.people, sorted(slot.role for slot in row.at_least)) == (people, sorted(named.split())), action
        assert all(slot.min == 1 for slot in row.at_least)
        assert table.required_class(Action(action), severity) == signature, (action, severity)


def test_rows_that_mean_people_by_what_they_are_to_the_request() -> None:
    table = shipped_rights()
    found = {row.action.value: row.relations for row in table.rows if row.relations}
    assert found == {
        "acknowledge": ("asked",),
        "withdraw": ("requester",),
        "extend": ("asked",),
        "approve_communication": ("audience_approver",),
        "delegate": ("role_holder",),
    }


def test_platform_admins_auditors_and_scribes_decide_nothing() -> None:
    table = shipped_rights()
    for role, action, severity in product(("platform_admin", "auditor", "scribe"), Action, Severity):
        assert not table.may(role, action, severity, ("protected_attribute", "fairness_fired"))


@pytest.mark.parametrize(
    ("action", "condition", "role", "before"),
    [
        (Action.fairness_finding, "protected_attribute", "legal_counsel", ["fairness_reviewer"]),
        (Action.re_release, "fairness_fired", "fairness_reviewer", ["safety_lead", "product_owner"]),
    ],
)
def test_conditions_ask_for_one_more_person(action: Action, condition: str, role: str, before: list[str]) -> None:
    row = shipped_rights().row(action, Severity.sev2)
    voters = {f"local|{number}": (held,) for number, held in enumerate(before)}
    assert row.missing(voters) == ()
    assert row.missing(voters, (condition,)) == (role,)  # type: ignore[arg-type]
    assert row.missing(voters | {"local|more": (role,)}, (condition,)) == ()  # type: ignore[arg-type]


def test_two_people_one_of_them_a_safety_lead() -> None:
    row = shipped_rights().row(Action.decide_plan, Severity.sev1)
    assert row.missing({"a": ("safety_lead", "product_owner")}) == ("product_owner or release_owner or safety_lead",)
    assert row.missing({"a": ("product_owner",), "b": ("release_owner",)}) == ("safety_lead",)
    assert row.missing({"a": ("product_owner",), "b": ("safety_lead",)}) == ()
    assert row.missing({"a": ("operator",), "b": ("safety_lead",)}) != ()


def test_gov_6_a_table_with_a_gap_a_double_or_a_quorum_of_nobody_does_not_parse() -> None:
    document = shipped_rights().model_dump(mode="json", by_alias=True)
    pinned_before = RightsTable.model_validate(document | {"rows": document["rows"][:-1]})
    with pytest.raises(Misfit, match="raise_concern at sev1 has 0 rows"):
        pinned_before.whole()
    with pytest.raises(KeyError, match="raise_concern at sev1"):
        pinned_before.row(Action.raise_concern, Severity.sev1)
    with pytest.raises(ValidationError, match="raise_concern at sev1 has 2 rows"):
        RightsTable.model_validate(document | {"rows": [*document["rows"], document["rows"][-1]]})
    row = next(row for row in document["rows"] if row["action"] == "force")
    for changes, said in [
        ({"people": 0}, "greater than or equal to 1"),
        ({"people": None}, "has both `people` and `signature`"),
        ({"roles": []}, "nobody may do this"),
        ({"people": 1, "at_least": [{"role": "incident_commander", "min": 2}]}, "cannot fill 2 places"),
        ({"at_least": [{"role": "executive", "min": 1}]}, "'executive' is not among `roles`"),
    ]:
        with pytest.raises(ValidationError, match=said):
            Right.model_validate(row | changes)


def test_gov_6_a_row_of_the_governance_file_that_nobody_can_fill_does_not_parse() -> None:
    row = shipped_rights().row(Action.fairness_finding, Severity.sev1)
    assert more_people(actions=[row.model_dump()]).actions == (row,)
    with pytest.raises(ValidationError, match="nobody is left to decide on a fairness finding; missing: legal"):
        cases.governance(actions=[row.model_dump()])
    three = row.model_copy(update={"people": 3})
    with pytest.raises(ValidationError, match="nobody is left"):
        more_people(actions=[three.model_dump()])


def test_a_governance_file_replaces_rows_and_its_rights_name_the_roles_of_commands() -> None:
    row = shipped_rights().row(Action.force, Severity.sev1)
    stricter = row.model_copy(update={"roles": ("safety_lead",), "signature": SignatureClass.part11})
    table = rights_in_force(more_people(actions=[stricter.model_dump()]))
    assert table.required_class(Action.force, Severity.sev3) == "part11"
    assert not table.may("incident_commander", Action.force, Severity.sev1)
    assert table.may("incident_commander", Action.abort, Severity.sev1), "as `rights.abort` says"
    assert len(table.rows) == len(shipped_rights().rows)
