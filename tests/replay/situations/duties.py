"""What looks after clocks, playbooks, holds and deletion: workflows beside rollbacks, some of them for months."""

from __future__ import annotations

from tests.workflows import test_adopting as adopting
from tests.workflows import test_obligations as clocks
from tests.workflows import test_retention as retention
from tests.workflows.conftest import World
from workflows.retention_run import RetentionInput, RetentionRun


async def clocks_of_a_chain_over_a_month(world: World) -> None:
    await clocks.test_a_chain_of_nis2_runs_for_a_month_over_another_worker_and_ends_when_everything_is_decided(
        clocks.Clocks(world)
    )


async def clock_rebased(world: World) -> None:
    await clocks.test_a_row_of_a_group_is_rebased_when_the_facts_change_and_its_history_is_kept(clocks.Clocks(world))


async def clock_delayed_by_an_authority(world: World) -> None:
    await clocks.test_a_delay_by_an_authority_moves_a_clock_and_keeps_its_original_time(clocks.Clocks(world))


async def acts_that_nobody_signed(world: World) -> None:
    await clocks.test_an_act_that_nobody_signed_or_that_a_machine_signed_is_refused(clocks.Clocks(world))


async def playbooks_adopted_one_after_the_other(world: World) -> None:
    await adopting.test_versions_follow_one_another_and_what_does_not_follow_is_not_adopted(world)


async def hold_released_by_two(world: World) -> None:
    await retention.test_obl_30_a_hold_ends_when_legal_counsel_and_compliance_officer_signed(world)


async def purge_of_three_batches(world: World) -> None:
    async with world.worker(more=[retention.purging(retention.FakeRetention()).purge_batch]):
        await world.env.client.execute_workflow(
            RetentionRun.run, RetentionInput(approver="schedule"), id=world.queue, task_queue=world.queue
        )


SITUATIONS = (
    playbooks_adopted_one_after_the_other,
    hold_released_by_two,
    purge_of_three_batches,
    clocks_of_a_chain_over_a_month,
    clock_rebased,
    clock_delayed_by_an_authority,
    acts_that_nobody_signed,
)
