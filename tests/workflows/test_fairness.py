"""Unfairness is looked into before anybody is taken back, on the real server (GOV-32…36, R86)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.detection.models import Arm
from countermand.governance.decision import Decision, DecisionKind, SignatureClass
from countermand.governance.declaring import Mode
from countermand.governance.directory import Governance
from countermand.governance.investigation_form import FIELDS, TYPED
from countermand.ledger.bodies import (
    InvestigationFilled,
    InvestigationFound,
    InvestigationOpened,
    InvestigationOverridden,
    InvestigationRung,
    VerdictChanged,
)
from countermand.ledger.record import Kind, Record
from countermand.messages.incident import IncidentView
from countermand.playbook.model import Playbook
from countermand.rollout.conditions import TROUBLE, trouble
from tests import cases, fakes
from tests.reviewing import put_decision
from tests.verdicts import triggered
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_eligible import deny
from tests.workflows.test_emergencies import break_glass, declare, terms
from tests.workflows.test_gates import use
from tests.workflows.test_release_watch import start_watch
from workflows.decisions import UPDATE, Answer

RUTH = "local|ruth"
HOUR = 3_600
FORM = {field.name: field.choices[0] if field.choices else f"what is known of {field.name}" for field in FIELDS}
FORM |= {"protected": "no", "target_is": "better"}


def governance(**more: Any) -> Governance:
    """Ruth looks into unfairness."""
    document = cases.with_a_glass_breaker().model_dump(mode="json", by_alias=True)
    document["people"].append({"subject": RUTH, "name": "Ruth Adeyemi", "roles": ["fairness_reviewer"]})
    return Governance.model_validate(document | more)


def unfair_playbook(*, serious: bool = False) -> Playbook:
    """`truth` is about fairness. serious: `outage`, which is not, can fire as well, at sev1."""
    document = cases.playbook_document()
    detection = document["detection"]
    detection["signals"]["hallucinations"]["family"] = "fairness"
    if serious:
        detection["signals"]["failures"] = detection["signals"]["hallucinations"] | {"family": "safety"}
        detection["triggers"][0]["share"] = 0.5
        other = {"id": "outage", "severity": "sev1", "share": 0.5}
        other["any"] = [{"signal": "failures", "tolerate": {"ratio": 1.5}}]
        detection["triggers"].append(detection["triggers"][0] | other)
        document["approvals"]["sev1"] = document["approvals"]["sev2"]
    return Playbook.model_validate(document)


@pytest.fixture
def unfair(world: World) -> World:
    use(world, unfair_playbook())
    world.people.governance = governance()
    return world


async def send(world: World, kind: DecisionKind, who: str, number: int = 1, **changes: Any) -> Answer:
    """What the console does: sign an act of this person for the investigation."""
    directory = await world.people.snapshot()
    decision = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=ids.investigation_workflow(world.workflow_id, number),
        incident_id=world.incident_id,
        ask_id=None,
        approval_digest=None,
        reason="looked at the slices and at forty samples",
        actor={
            "subject": who,
            "printed_name": directory.name_of(who),
            "principal": "person",
            "roles": directory.roles_of(who),
            "role_source": "fake",
            "role_as_of": fakes.now(),
        },  # type: ignore[arg-type]  # validated by the model
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=fakes.now(),
        gateway_key_id=world.keys.key_id,
        signature_class=SignatureClass.step_up,
    )
    signed = world.keys.sign(decision.model_copy(update=changes))
    await put_decision(world.ledger, signed)
    handle = world.env.client.get_workflow_handle(signed.addressed_to)
    return await handle.execute_update(UPDATE, signed, id=signed.decision_id, result_type=Answer)


async def last(world: World, kind: Kind, body: type[Any]) -> Any:
    """The newest record of this kind."""

    async def there() -> list[Record] | None:
        return await world.ledger.records(kinds=[kind]) or None

    records = await until(there, f"there is a record {kind.value}")
    return body.model_validate(records[-1].body)


async def fill(world: World, form: dict[str, str] | None = None, number: int = 1) -> str:
    """Fill in the form; returns what a finding is signed on."""
    await send(world, DecisionKind.fill_investigation, RUTH, number, terms=form or FORM)
    filled: InvestigationFilled = await last(world, Kind.investigation_filled, InvestigationFilled)
    return filled.digest


async def find(world: World, outcome: str, number: int = 1, **more: str) -> Answer:
    """Ruth fills in the form and signs this finding."""
    digest = await fill(world, number=number)
    terms_ = {"outcome": outcome, **more}
    return await send(world, DecisionKind.decide_finding, RUTH, number, terms=terms_, approval_digest=digest)


async def paused(world: World) -> IncidentView:
    """The incident is paused and a reviewer is asked."""
    view = await world.reaches("paused_for_investigation")
    await last(world, Kind.investigation_opened, InvestigationOpened)
    return view


async def steps_taken(world: World) -> set[str]:
    return {record.kind.value for record in await world.ledger.records(incident_id=world.incident_id)}


async def test_gov_32_no_stage_and_no_request_before_the_finding_and_the_rollout_goes_no_further(unfair: World) -> None:
    async with unfair.worker():
        handle = await unfair.open_incident()
        view = await paused(unfair)
        assert (view.asks, unfair.target.effects) == ([], [])
        assert view.phase is not None
        assert view.phase.commands == ()
        assert view.phase.until is not None
        records = await unfair.ledger.records(release_id=unfair.release.release_id, kinds=list(TROUBLE))
        assert trouble(records)
        opened = await last(unfair, Kind.investigation_opened, InvestigationOpened)
        assert opened.asked == ("Ruth Adeyemi",)
        assert opened.until - opened.opened_at == timedelta(hours=4)

        await find(unfair, "revert")
        view = await unfair.reaches("asking")
        assert view.ask is not None
        assert "fairness_reviewer" in view.ask.opened.need_roles
        await unfair.decide(DecisionKind.approve, cases.MARIA)
        await unfair.decide(DecisionKind.approve, cases.JONAS)
        assert unfair.target.effects == []
        await unfair.decide(DecisionKind.approve, RUTH)
        assert (await handle.result()).outcome == "reverted"
    kinds = [record.kind for record in await unfair.ledger.records(incident_id=unfair.incident_id)]
    assert kinds.index(Kind.investigation_ended) < kinds.index(Kind.ask_opened) < kinds.index(Kind.stage_intent)


async def test_gov_34_where_nothing_could_be_measured_a_protected_attribute_still_needs_its_further_role(
    unfair: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = unfair_playbook().model_dump(mode="json", by_alias=True)
    document["detection"]["signals"]["gap"] = {
        "kind": "gap", "of": "hallucinations", "group_by": "language", "groups": ["de", "tr"], "family": "fairness",
        "meaning": "how much worse a language is served", "source": "judge",
    }  # fmt: skip
    use(unfair, Playbook.model_validate(document))

    def dark(*_: object) -> None:
        raise ApplicationError("the rows cannot be read", non_retryable=True)

    monkeypatch.setattr("activities.investigating.slices", dark)
    async with unfair.worker():
        await unfair.open_incident()
        await paused(unfair)
        opened = await last(unfair, Kind.investigation_opened, InvestigationOpened)
    assert opened.protected == ("language",)
    assert "legal_counsel" in opened.need_roles


async def test_gov_33_an_incomplete_form_blocks_the_finding_and_the_field_is_named(unfair: World) -> None:
    async with unfair.worker():
        await unfair.open_incident()
        await paused(unfair)
        digest = await fill(unfair, {name: text for name, text in FORM.items() if name != "target_is"})
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await send(unfair, DecisionKind.decide_finding, RUTH, terms={"outcome": "continue"}, approval_digest=digest)
        assert "empty: target_is" in str(refused.value.cause)
        with pytest.raises(WorkflowUpdateFailedError) as other:
            await send(unfair, DecisionKind.decide_finding, cases.MARIA, terms={"outcome": "continue"})
        assert "fairness_reviewer" in str(other.value.cause)
        body = InvestigationFilled
        (record,) = await unfair.ledger.records(kinds=[Kind.investigation_filled])
        assert set(body.PRIVATE) == {f"/{name}" for name in TYPED}
        assert record.body["cause"] == FORM["cause"]


async def test_gov_34_continue_closes_on_a_signed_reason(unfair: World) -> None:
    async with unfair.worker():
        handle = await unfair.open_incident()
        await paused(unfair)
        assert (await find(unfair, "continue")).status == "continue"
        closing = await handle.result()
        assert (closing.outcome, unfair.target.effects) == ("continued", [])
        assert "nothing watches it more closely" in closing.sentence  # no watch runs beside this incident
        found = await last(unfair, Kind.investigation_found, InvestigationFound)
        assert found.reason


async def test_gov_34_adjust_holds_until_an_adjusted_candidate_is_registered(unfair: World) -> None:
    async with unfair.worker():
        handle = await unfair.open_incident()
        await paused(unfair)
        await find(unfair, "adjust", adjustment="the guardrail lets regional wording through")
        held = await unfair.reaches("held")
        assert "guardrail" not in held.sentence
        await unfair.decide(DecisionKind.resume, cases.JONAS)

        async def not_yet() -> bool:
            return "No other candidate was registered" in (await unfair.view()).sentence

        await until(not_yet, "the incident says that nothing was registered")
        candidate = cases.bundle("test-bot v8", prompt="sha256:prompt-2")
        await cases.register(
            unfair.ledger, unfair.release.model_copy(update={"release_id": "r-8", "candidate": candidate})
        )
        await unfair.decide(DecisionKind.resume, cases.JONAS)
        closing = await handle.result()
        assert (closing.outcome, unfair.target.effects) == ("adjusted", [])
        assert "test-bot v8" in closing.sentence


async def test_gov_34_after_adjust_people_can_have_it_looked_into_again(unfair: World) -> None:
    async with unfair.worker():
        handle = await unfair.open_incident()
        await paused(unfair)
        await find(unfair, "adjust", adjustment="the guardrail lets regional wording through")
        await unfair.reaches("held")
        await unfair.decide(DecisionKind.ask_again, cases.MARIA)

        async def second() -> bool:
            return len(await unfair.ledger.records(kinds=[Kind.investigation_opened])) == 2

        await until(second, "a second investigation is opened")
        await find(unfair, "continue", 2)
        assert (await handle.result()).outcome == "continued"


async def test_gov_34_too_little_evidence_extends_once_and_then_executives_are_told(unfair: World) -> None:
    async with unfair.worker():
        await unfair.open_incident()
        await paused(unfair)
        opened = await last(unfair, Kind.investigation_opened, InvestigationOpened)
        assert (await find(unfair, "insufficient_evidence")).status == "extended"
        found = await last(unfair, Kind.investigation_found, InvestigationFound)
        assert found.until == opened.until + timedelta(hours=4)
        assert (await find(unfair, "insufficient_evidence")).status == "escalated"
        rung = await last(unfair, Kind.investigation_rung, InvestigationRung)
        assert (rung.do, rung.to) == ("escalate", ("executive",))
        view = await paused(unfair)
        assert (view.asks, unfair.target.effects) == ([], [])


async def test_gov_34_when_nobody_decides_it_is_held_and_escalated_never_rolled_back(
    unfair: World, environment: WorkflowEnvironment
) -> None:
    async with unfair.worker():
        await unfair.open_incident()
        await paused(unfair)
        handle = environment.client.get_workflow_handle(ids.investigation_workflow(unfair.workflow_id, 1))
        await environment.fast_forward(handle, 4 * HOUR + 60)

        async def escalated() -> bool:
            rungs = await unfair.ledger.records(kinds=[Kind.investigation_rung])
            return bool(rungs) and rungs[-1].body["do"] == "escalate"

        await until(escalated, "executives are told")

        async def said() -> bool:
            view = await unfair.view()
            return view.status == "paused_for_investigation" and "Nobody decided in time" in view.sentence

        await until(said, "the incident says that it goes on waiting")
        assert "ask.opened" not in await steps_taken(unfair)
        assert unfair.target.effects == []


async def test_gov_32_a_reported_pattern_pauses_what_would_have_been_asked(world: World) -> None:
    world.people.governance = governance()
    async with world.worker():
        await declare(world, RUTH, Mode.unfairness)
        view = await paused(world)
        assert view.asks == []
        opened = await last(world, Kind.investigation_opened, InvestigationOpened)
        assert opened.because == ("a person reported a pattern of unfairness",)
        assert ("fairness_pause", "approver") in world.channel.steps()
    assert terms(Mode.unfairness)["mode"] == "unfairness"


def serious_verdict(world: World) -> VerdictChanged:
    fired = triggered(world.playbook.detection, {Arm.candidate: 40, Arm.baseline: 4}, scored=200)
    assert len(fired.verdicts) == 2
    return VerdictChanged.of("watch/test", fired)


async def test_gov_36_serious_harm_of_another_kind_goes_its_own_way_and_the_investigation_goes_on(world: World) -> None:
    use(world, unfair_playbook(serious=True))
    world.people.governance = governance()
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("asking")
        assert view.ask is not None
        assert "fairness_reviewer" not in view.ask.opened.need_roles
        overridden = await last(world, Kind.investigation_overridden, InvestigationOverridden)
        assert (overridden.by, overridden.what) == ("trigger", "outage")
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
        investigating = world.env.client.get_workflow_handle(ids.investigation_workflow(world.workflow_id, 1))
        await find(world, "continue")
        assert (await investigating.result())["outcome"] == "continue"


async def test_gov_36_a_no_to_the_other_plan_is_no_answer_about_fairness(world: World) -> None:
    use(world, unfair_playbook(serious=True))
    world.people.governance = governance()
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await last(world, Kind.investigation_opened, InvestigationOpened)
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the outage is over, looked at the gateway")
        await paused(world)
        await find(world, "continue")
        assert (await handle.result()).outcome == "continued"


async def test_gov_36_broken_glass_overrides_the_pause_and_the_record_says_by_whom(unfair: World) -> None:
    async with unfair.worker():
        handle = await unfair.open_incident()
        await paused(unfair)
        await break_glass(unfair)
        assert (await handle.result()).outcome == "reverted"
        overridden = await last(unfair, Kind.investigation_overridden, InvestigationOverridden)
        assert overridden.by == "person"
        assert overridden.sentence.startswith("Lena Ortiz broke the glass")
        assert overridden.sentence.endswith("stand in the record of break-glass.")


class Puts(fakes.FakeSignals):
    """Remembers every judged row; a watch that was told to judge anew may still write one behind."""

    def __init__(self, block: timedelta) -> None:
        super().__init__(block)
        self.put: list[tuple[int, str]] = []

    async def put_evaluations(self, release_id: str, records: Mapping[int, dict[str, object]]) -> None:
        self.put += [(seq, str(records[seq]["word"])) for seq in sorted(records)]


async def test_gov_34_after_continue_a_live_watch_judges_anew_and_needs_half_as_long_to_fire(unfair: World) -> None:
    unfair.signals = signals = Puts(unfair.playbook.detection.block)
    signals.bad[Arm.candidate] = 150
    async with unfair.worker():
        watch = await start_watch(unfair, since=timedelta())
        await paused(unfair)
        await find(unfair, "continue")

        async def again() -> bool:
            return len(await unfair.ledger.records(kinds=[Kind.incident_opened])) == 2

        await until(again, "the watch fires again")
        await unfair.catalogue.close_release(unfair.release.release_id, fakes.now(), "the test is over")
        assert await watch.result() == "the test is over"
    first = next(seq for seq, word in signals.put if word == "trigger")
    anew = {seq for seq, word in signals.put if word != "trigger" and seq > first}
    assert 2 * (len(anew) + 1) == first + 1
    assert "needs half as long to fire" in (await unfair.view()).sentence


async def test_gov_32_without_a_way_back_a_fairness_reviewer_is_asked_all_the_same(unfair: World) -> None:
    async with unfair.worker():
        await deny(unfair)
        handle = await unfair.open_incident()
        view = await paused(unfair)
        assert "No way back can be planned now: test-bot v6 is not eligible" in view.sentence
        await find(unfair, "continue")
        assert (await handle.result()).outcome == "continued"


async def test_gov_32_a_finding_to_go_back_where_no_way_is_possible_holds_and_says_so(unfair: World) -> None:
    async with unfair.worker():
        await deny(unfair)
        await unfair.open_incident()
        await paused(unfair)
        await find(unfair, "revert")
        view = await unfair.reaches("held")
        assert "No plan is possible: test-bot v6 is not eligible" in view.sentence


async def test_gov_36_without_a_way_back_serious_harm_of_another_kind_is_held_and_a_reviewer_is_asked_beside(
    world: World,
) -> None:
    use(world, unfair_playbook(serious=True))
    world.people.governance = governance()
    async with world.worker():
        await deny(world)
        await world.open_incident()
        view = await world.reaches("held")
        assert "No plan is possible: test-bot v6 is not eligible" in view.sentence
        assert "A fairness reviewer is asked all the same." in view.sentence
        opened = await last(world, Kind.investigation_opened, InvestigationOpened)
        assert opened.asked == ("Ruth Adeyemi",)
