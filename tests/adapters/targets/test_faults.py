"""What may break while a split is set, and what is said then (C9, C10, C15, C19, C20)."""

from __future__ import annotations

import asyncio
import logging
import traceback

import httpx
import pytest

from activities.ports import Target, TargetAmbiguous, TargetRejected, TargetUnavailable
from adapters import haproxy_socket, target_http, target_writes
from countermand.plan.target import SetOutcome, Split, TargetState
from tests.adapters.targets.harness import Harness
from tests.adapters.targets.test_setting import ours


def down(harness: Harness) -> Split:
    """What the first set asks for."""
    return Split.candidate(harness.shares.down)


async def put(harness: Harness, target: Target, key: str, start: TargetState) -> SetOutcome:
    return await target.set(
        harness.member, down(harness), idempotency_key=key, fence=start.fence + 1, expected_revision=start.revision
    )


@pytest.fixture
async def start(harness: Harness, target: Target) -> TargetState:
    return await target.read(harness.member)


@pytest.fixture
def impatient(system: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are given up within 2 s instead of 10 s, reading back after 0.1 s instead of 1.4 s."""
    monkeypatch.setattr(target_http, "_CALL_SECONDS", system.patience)
    monkeypatch.setattr(haproxy_socket, "_CALL_SECONDS", 0.4)
    monkeypatch.setattr(target_writes, "_READ_BACK_PAUSES", (0.0, 0.03, 0.07))


async def restarted(harness: Harness, target: Target) -> None:
    """Running again, with the split as it was: by another hand, where the target forgets."""
    await harness.restart()
    if not target.capabilities.durable:
        await harness.seed(harness.shares.start)


@pytest.mark.needs("halt")
async def test_c9_a_refused_connection_is_unavailable_and_a_later_try_takes_effect_once(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.halt()
    with pytest.raises(TargetUnavailable, match="was not sent"):
        await put(harness, target, "c9-refused", start)
    await restarted(harness, target)
    assert (await put(harness, target, "c9-refused", start)).result == "applied"
    assert await harness.effects("c9-refused") == 1


@pytest.mark.needs("lost response")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [{"apply_then_drop_response": True}, {"delay_after_apply": 3.0}])
async def test_c9_f8_a_lost_response_is_resolved_by_reading_back(
    harness: Harness, target: Target, start: TargetState, fault: dict[str, object]
) -> None:
    key = f"c9-lost-{next(iter(fault))}"
    await harness.fault(**fault)
    outcome = await put(harness, target, key, start)
    assert (outcome.result, outcome.by, outcome.resolved_by) == ("applied", ours(target), "read_back")
    assert await harness.effects(key) == 1


@pytest.mark.needs("no answer", "transcript")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [{"hang": True}, {"refuse": 500}, {"refuse": 503}])
async def test_c9_a_write_without_answer_and_without_effect_is_sent_once_more(
    harness: Harness, target: Target, start: TargetState, fault: dict[str, object]
) -> None:
    key = f"c9-retry-{fault}"
    await harness.fault(**fault)
    assert (await put(harness, target, key, start)).result == "applied"
    assert harness.transcript().count("write") == 2
    assert await harness.effects(key) == 1


@pytest.mark.needs("no answer")
@pytest.mark.usefixtures("impatient")
async def test_c9_two_writes_without_effect_are_unavailable_and_the_split_is_as_it_was(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(refuse=502, writes=2)
    with pytest.raises(TargetUnavailable, match="as it was"):
        await put(harness, target, "c9-twice", start)
    assert (await target.read(harness.member)).revision == start.revision


async def test_tgt4_no_write_starts_when_reading_took_too_long(
    harness: Harness, target: Target, start: TargetState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_writes, "_WRITES_START_WITHIN", 0.0)
    with pytest.raises(TargetUnavailable):
        await put(harness, target, "tgt4", start)
    assert await harness.effects("tgt4") == 0
    assert (await target.read(harness.member)).revision == start.revision


@pytest.mark.needs("status codes", "no answer")
async def test_c9_too_many_requests_is_unavailable_for_as_long_as_the_target_says(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(refuse=429)
    with pytest.raises(TargetUnavailable, match="429"):
        await put(harness, target, "c9-busy", start)
    harness.wire.replaced[harness.counters_path.removesuffix("/observed")] = httpx.Response(
        429, headers={"Retry-After": "7"}
    )
    with pytest.raises(TargetUnavailable) as busy:
        await put(harness, target, "c9-busy", start)
    assert busy.value.retry_after == 7.0


@pytest.mark.needs("twice")
async def test_f8_a_write_that_is_applied_twice_still_ends_as_wanted(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(apply_twice=True)
    outcome = await put(harness, target, "f8-twice", start)
    assert (outcome.result, outcome.after.split) == ("applied", down(harness))
    assert await harness.effects("f8-twice") == 2


@pytest.mark.needs("stale reads")
async def test_f8_a_read_back_that_lags_is_awaited(harness: Harness, target: Target, start: TargetState) -> None:
    await harness.fault(stale_read_back=2)
    outcome = await put(harness, target, "f8-stale", start)
    assert (outcome.result, outcome.after.split) == ("applied", down(harness))


@pytest.mark.needs("stale reads")
@pytest.mark.usefixtures("impatient")
async def test_tgt2_a_confirmed_write_that_cannot_be_seen_is_not_called_a_success(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(stale_read_back=1_000)
    with pytest.raises(TargetAmbiguous, match="cannot be read back"):
        await put(harness, target, "tgt2-stale", start)


@pytest.mark.needs("unreadable")
@pytest.mark.usefixtures("impatient")
async def test_c10_unreadable_after_a_write_is_ambiguous(harness: Harness, target: Target, start: TargetState) -> None:
    await harness.fault(apply_then_drop_response=True, unreadable=1_000)
    with pytest.raises(TargetAmbiguous, match="cannot be read"):
        await put(harness, target, "c10", start)


@pytest.mark.needs("unreadable", "transcript")
@pytest.mark.usefixtures("impatient")
async def test_c10_unreadable_after_a_lost_response_nothing_else_is_written(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(apply_then_drop_response=True, unreadable=1_000)
    with pytest.raises(TargetAmbiguous):
        await put(harness, target, "c10", start)
    done = harness.transcript()[1:]
    assert done[:2] == ["read", "write"]
    assert set(done[2:]) == {"read"}


@pytest.mark.needs("halt")
async def test_c15_c21_a_target_that_forgets_says_so_and_the_loss_is_seen_and_not_written_over(
    harness: Harness, target: Target, start: TargetState
) -> None:
    first = await put(harness, target, "c15-lost/1", start)
    await harness.restart()
    kept = (await target.read(harness.member)).split == down(harness)
    assert kept is target.capabilities.durable
    second = await target.set(
        harness.member,
        Split.candidate(harness.shares.further),
        idempotency_key="c15-lost/2",
        fence=start.fence + 2,
        expected_revision=first.after.revision,
    )
    assert second.result == ("applied" if kept else "conflict")


@pytest.mark.needs("halt", "fence")
async def test_c15_a_restart_between_two_stages_loses_nothing(
    harness: Harness, target: Target, start: TargetState
) -> None:
    assert target.capabilities.durable
    first = await put(harness, target, "c15/1", start)
    await harness.restart()
    state = await target.read(harness.member)
    assert (state.split, state.revision) == (down(harness), first.after.revision)
    assert (state.idempotency_key, state.fence) == ("c15/1", start.fence + 1)
    second = await target.set(
        harness.member,
        Split.candidate(harness.shares.further),
        idempotency_key="c15/2",
        fence=start.fence + 2,
        expected_revision=first.after.revision,
    )
    assert second.result == "applied"


@pytest.mark.needs("credentials")
@pytest.mark.usefixtures("impatient")
async def test_c19_no_credential_is_in_any_exception_or_log_line(
    harness: Harness, start: TargetState, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []

    async def fails(target: Target, key: str, expected: type[Exception]) -> None:
        with pytest.raises(expected) as failure:
            await put(harness, target, key, start)
        assert failure.value.__cause__ is None
        texts.extend((repr(failure.value), *traceback.format_exception(failure.value), repr(target)))

    unknown, secrets = harness.strangers()
    await fails(unknown, "c19-unknown", TargetRejected)
    await fails(harness.reader(), "c19-forbidden", TargetRejected)
    await harness.fault(apply_then_drop_response=True, unreadable=1_000)
    await fails(harness.target(), "c19-ambiguous", TargetAmbiguous)
    await harness.halt()
    await fails(harness.target(), "c19-refused", TargetUnavailable)
    await harness.restart()
    written = "\n".join((*texts, caplog.text))
    assert "c19-refused" not in written
    for secret in secrets:
        assert secret not in written


async def killed(harness: Harness, key: str, start: TargetState, *, effects: int) -> None:
    """Run `set` as a worker would and kill it with its write on the way, after so many effects."""
    worker = asyncio.create_task(put(harness, harness.target(), key, start))
    for _ in range(500):
        if (effects or "write" in harness.transcript()) and await harness.effects(key) == effects:
            break
        await asyncio.sleep(0.01)
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert await harness.effects(key) == effects


@pytest.mark.needs("killed before")
async def test_c20_killed_before_the_write_took_effect_the_next_worker_applies_it(
    harness: Harness, start: TargetState
) -> None:
    await harness.fault(hang=True)
    await killed(harness, "c20-before", start, effects=0)
    await harness.fault()
    assert (await put(harness, harness.target(), "c20-before", start)).result == "applied"
    assert await harness.effects("c20-before") == 1


@pytest.mark.needs("killed after")
async def test_c20_killed_after_the_write_the_next_worker_finds_its_own_effect(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await harness.fault(delay_after_apply=5)
    await killed(harness, "c20-after", start, effects=1)
    outcome = await put(harness, harness.target(), "c20-after", start)
    assert (outcome.result, outcome.by) == ("already", ours(target))
    assert await harness.effects("c20-after") == 1


async def test_c20_killed_after_the_read_back_the_next_worker_finds_its_own_effect(
    harness: Harness, target: Target, start: TargetState
) -> None:
    await put(harness, harness.target(), "c20-end", start)
    outcome = await put(harness, harness.target(), "c20-end", start)
    assert (outcome.result, outcome.by) == ("already", ours(target))
    assert await harness.effects("c20-end") == 1
