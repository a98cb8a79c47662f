"""Keep the cards of one request for approval true, beside the request: a silent messenger never delays a decision."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.showing import ShowingActivities, ShowRequest
from countermand.plan.target import Value
from countermand.playbook.units import Duration
from workflows import policies


class CardsInput(Value):
    """The request whose cards are kept, at most for `time_limit`."""

    incident_id: str
    release_id: str
    ask_id: str
    time_limit: Duration


class Changed(Value):
    """The request changed. `revision` grows with every change; the `last` one says how it ended."""

    revision: int
    last: bool


@workflow.defn(name="AskCards")
class AskCards:
    """Shows one change after the other; changes that come together are shown together (SLK-34)."""

    @workflow.init
    def __init__(self, request: CardsInput) -> None:
        self._request = request
        self._newest = Changed(revision=0, last=False)
        self._shown = 0
        self._again = False

    @workflow.run
    async def run(self, request: CardsInput) -> int:
        """Until the last change is shown; returns its revision. A request that falls silent is left after the limit."""
        until = workflow.now() + request.time_limit
        while True:
            try:
                await workflow.wait_condition(
                    lambda: self._again or self._newest.revision > self._shown,
                    timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                    timeout_summary="the request fell silent",
                )
            except TimeoutError:
                return self._shown
            change = self._newest
            self._shown, self._again = change.revision, False
            try:
                await workflow.execute_activity_method(
                    ShowingActivities.show_ask,
                    ShowRequest(
                        incident_id=request.incident_id,
                        release_id=request.release_id,
                        ask_id=request.ask_id,
                        revision=change.revision,
                    ),
                    summary="Show people how the request stands" if not change.last else "Show people how it ended",
                    **(policies.LAST_CARDS if change.last else policies.CARDS),
                )
            except ActivityError as error:
                # What failed stands in the Ledger; the next change shows this one too.
                workflow.logger.warning("cards of %s: %s", request.ask_id, error.cause or error)
            if change.last:
                return change.revision

    @workflow.signal
    def changed(self, change: Changed) -> None:
        """Signals may overtake each other; the newest revision counts."""
        if change.revision > self._newest.revision:
            self._newest = change

    @workflow.signal
    def look_again(self) -> None:
        """Something was recorded beside the request, for example that somebody is looking at it."""
        self._again = True
