"""The only place with time limits and retries of activities, and the task queues they run on.

Limits that a playbook declares (stages, verification, approvals) come from the playbook; these are the
technical ones around them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

#: Workflows, records and effects.
EFFECTS_QUEUE = "countermand"
#: Long-running watches, kept apart so that a flood of them cannot delay a revert.
OBSERVE_QUEUE = "countermand-observe"


class Limits(TypedDict, total=False):
    """What a policy sets; the `summary` people read belongs to each call."""

    task_queue: str
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


_QUICK_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)

#: Ledger, messages, briefings: short, and worth waiting for while a store is down.
RECORD = Limits(
    start_to_close_timeout=timedelta(seconds=15),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_QUICK_RETRY,
)

#: The draft of a review: what else would have shown the harm is computed anew from the recorded rows.
DRAFT_REVIEW = Limits(
    start_to_close_timeout=timedelta(minutes=5),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_QUICK_RETRY,
)

#: One batch of a purge: a transaction over some thousand rows. Nobody waits for it; the next day tries again.
PURGE = Limits(
    start_to_close_timeout=timedelta(minutes=2),
    schedule_to_close_timeout=timedelta(hours=6),
    retry_policy=_QUICK_RETRY,
)

#: One run of a duty by a machine: it may read the whole record or make a pack. What fails for hours is missed.
AUDIT = Limits(
    start_to_close_timeout=timedelta(minutes=30),
    schedule_to_close_timeout=timedelta(hours=6),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_QUICK_RETRY,
)

#: People are asked even if a store or a channel comes back only tomorrow.
ASK_FOR_DUTY = Limits(
    start_to_close_timeout=timedelta(seconds=75),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=6),
    retry_policy=_QUICK_RETRY,
)

#: Messages: room for the longest route of channels (a minute). A route says by itself what failed, and a rollback never
#: waits longer for words.
TELL = Limits(
    start_to_close_timeout=timedelta(seconds=75),
    schedule_to_close_timeout=timedelta(seconds=90),
    heartbeat_timeout=timedelta(seconds=6),
    retry_policy=_QUICK_RETRY,
)

#: Clocks are looked at again after this long when looking failed for good; what is shown meanwhile says how old it is.
LOOK_AT_CLOCKS_AGAIN = timedelta(minutes=10)

#: How much longer than an incident its messages may last.
AFTERWARDS = timedelta(hours=24)

#: The whole recorded past in processes of its own; nobody waits for it but the proposal.
BACKTEST = Limits(
    start_to_close_timeout=timedelta(hours=2),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=60),
    retry_policy=_QUICK_RETRY,
)

#: Rows and records of many releases read again; the next look comes anyway.
LOOK_BACK = Limits(
    start_to_close_timeout=timedelta(minutes=10),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=_QUICK_RETRY,
)

#: A correction is owed to its readers; nothing waits for it, so it may wait long for a store.
CORRECT = Limits(
    start_to_close_timeout=timedelta(seconds=75),
    schedule_to_close_timeout=timedelta(hours=24),
    heartbeat_timeout=timedelta(seconds=6),
    retry_policy=_QUICK_RETRY,
)

#: Cards in a messenger: nothing waits for them; a change that cannot be shown is shown with the next one.
CARDS = Limits(
    start_to_close_timeout=timedelta(seconds=60),
    schedule_to_close_timeout=timedelta(minutes=3),
    retry_policy=_QUICK_RETRY,
)

#: How a request ended is shown even if the messenger comes back only tomorrow.
LAST_CARDS = Limits(
    start_to_close_timeout=timedelta(seconds=60),
    schedule_to_close_timeout=timedelta(hours=24),
    retry_policy=_QUICK_RETRY,
)

#: `observe` comes back by itself after this time without a change.
OBSERVE_FOR = timedelta(minutes=50)

#: One observing: comes back on a change, after `OBSERVE_FOR`, or at the end of the watch.
OBSERVE = Limits(
    task_queue=OBSERVE_QUEUE,
    start_to_close_timeout=timedelta(hours=2),
    schedule_to_close_timeout=timedelta(hours=12),
    heartbeat_timeout=timedelta(seconds=6),
    retry_policy=_QUICK_RETRY,
)

#: So long people have to start a rollout that was planned; the state it was planned for may be gone afterwards.
START_ROLLOUT_WITHIN = timedelta(hours=24)

#: So often one step of a rollout can be watched on for another time limit: keeps the history short.
MOST_TERMS = 20

_HEARTBEAT = timedelta(seconds=5)


def read_target(limit: timedelta = timedelta(minutes=3)) -> Limits:
    """Reads of a target while planning, rechecking or checking, tried again until `limit`."""
    return Limits(
        start_to_close_timeout=timedelta(seconds=35), schedule_to_close_timeout=limit, retry_policy=_QUICK_RETRY
    )


def check(limit: timedelta) -> Limits:
    """Checks of one phase: they may wait until `limit` for something to run dry, and then answer by themselves."""
    room = limit + timedelta(seconds=30)
    return Limits(
        start_to_close_timeout=room,
        schedule_to_close_timeout=room,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=_QUICK_RETRY,
    )


def freeze(limit: timedelta) -> Limits:
    """Evidence freeze within the playbook's limit."""
    return Limits(
        start_to_close_timeout=limit,
        schedule_to_close_timeout=limit,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=_QUICK_RETRY,
    )


def effect(limit: timedelta) -> Limits:
    """One effect on a target; retried by idempotency key until the stage's limit.

    One attempt has room for every call an adapter may make in one `set` (TGT-4).
    """
    return Limits(
        start_to_close_timeout=timedelta(seconds=60),
        schedule_to_close_timeout=limit,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=_QUICK_RETRY,
    )


def wait_for_evidence(limit: timedelta) -> Limits:
    """Activities that watch traffic or signals until `limit` and then answer `unknown` by themselves."""
    room = limit + timedelta(seconds=30)
    return Limits(
        start_to_close_timeout=room,
        schedule_to_close_timeout=2 * room,
        heartbeat_timeout=_HEARTBEAT,
        retry_policy=_QUICK_RETRY,
    )
