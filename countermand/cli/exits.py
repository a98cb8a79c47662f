"""How a command ends: the exit codes (console.md CON-36), the one kind of error, and the one way out."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    """Exit codes of every command. 10 to 12 come from `--exit-code` alone."""

    done = 0
    unexpected = 1
    usage = 2
    not_authorised = 3
    refused = 4
    failed = 5
    unreachable = 6
    integrity = 7
    verdict_watch = 10
    verdict_trigger = 11
    verdict_unknown = 12


class Failure(Exception):
    """A command that cannot go on. `wrong` quotes the value; `accepted` and `next` may be empty."""

    def __init__(self, code: Exit, wrong: str, *, accepted: str = "", next: str = "") -> None:
        super().__init__(wrong)
        self.code = code
        self.wrong = wrong
        self.accepted = accepted
        self.next = next

    def __str__(self) -> str:
        lines = [f"✗ {self.wrong}"]
        if self.accepted:
            lines.append(f"  accepted: {self.accepted}")
        if self.next:
            lines.append(f"  next: {self.next}")
        return "\n".join(lines)


def finish(code: int) -> NoReturn:
    """End the process with everything written.

    Skips interpreter shutdown: libraries with threads can turn a success into a crash code there.
    """
    with suppress(BrokenPipeError):  # the reader (`head`, `grep -q`) had enough; what it got is right
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
