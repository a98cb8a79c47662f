"""The fault port: scripts what goes wrong with the next control writes, to rehearse with."""

from __future__ import annotations

from typing import Annotated, Literal

from countermand.detection.models import Arm
from countermand.plan.target import WHOLE, Value
from pydantic import Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from examples.demo.split import SplitState

_Reads = Annotated[int, Field(ge=0, le=1_000)]


class Script(Value):
    """What happens to the next `writes` control writes; `arms` and `stuck_router` last until cleared."""

    writes: Annotated[int, Field(ge=1, le=1_000)] = 1
    refuse: Annotated[int | None, Field(ge=400, le=599)] = None  # answer this status, apply nothing
    hang: bool = False  # never answer, apply nothing
    external_edit: Annotated[int | None, Field(ge=0, le=WHOLE)] = None  # someone else sets this first, in bp
    apply_twice: bool = False
    delay_after_apply: Annotated[float, Field(ge=0, le=60)] = 0  # seconds
    apply_then_drop_response: bool = False
    stale_read_back: _Reads = 0  # this many reads after the write show the state before it
    unreadable: _Reads = 0  # this many reads after the write are answered 503
    stuck_router: bool = False  # the router keeps the split it had
    arms: dict[Arm, Literal["missing", "unhealthy"]] = Field(default_factory=dict)


class FaultPort:
    """Holds the script and what is left of it. Without a script nothing ever goes wrong."""

    def __init__(self) -> None:
        self.load(Script())

    def load(self, script: Script) -> None:
        """Replace the script; an empty one clears it."""
        self.standing = script
        self._writes_left = script.writes
        self._stale: list[SplitState] = []
        self._unreadable_left = 0

    def next_write(self) -> Script:
        """What goes wrong with the write that has just arrived."""
        if self._writes_left == 0:
            return Script()
        self._writes_left -= 1
        return self.standing

    def before_reply(self, fault: Script, before: SplitState) -> None:
        """Prepare the reads that follow this write."""
        self._stale = [before] * fault.stale_read_back
        self._unreadable_left = fault.unreadable

    def next_read(self, now: SplitState) -> SplitState | None:
        """What the next read shows; None when it fails."""
        if self._unreadable_left:
            self._unreadable_left -= 1
            return None
        return self._stale.pop() if self._stale else now


class DroppedResponse(Response):
    """Promises a body and never sends it, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
