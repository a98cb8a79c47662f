"""How the demo shows where it is: a live list on a terminal, one line per change on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from countermand.cli.demo_proof import Proof
from countermand.cli.demo_story import Event
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import on_terminal, say, screen

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text


class Display:
    """Shows events; `note` adds a line that stays, `footer` is shown below the list while it is true."""

    def __init__(self) -> None:
        self._zero = datetime.now(UTC)
        self._events: list[Event] = []
        self._footer: tuple[str, ...] = ()
        self._printed: set[tuple[str, str]] = set()
        self._live: Live | None = None
        if on_terminal():
            from rich.live import Live

            # Without its thread: processes are started while it is shown.
            self._live = Live(console=screen(), auto_refresh=False, vertical_overflow="visible")
            self._live.start()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._seconds(datetime.now(UTC))

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def begin(self, label: str) -> None:
        """A step of our own begins."""
        self.update(Event(label, began=datetime.now(UTC)))

    def end(self, label: str, sentence: str = "") -> None:
        """A step of our own is done."""
        began = next((event.began for event in self._events if event.label == label), None)
        self.update(Event(label, began, datetime.now(UTC), sentence))

    def update(self, *events: Event) -> None:
        """Put these events in the place of those with the same label, or after all others."""
        labels = [event.label for event in self._events]
        for event in events:
            if event.label in labels:
                self._events[labels.index(event.label)] = event
            else:
                self._events.append(event)
        if self._live is None:
            for event in events:
                self._print(event)
        else:
            self.refresh()

    def footer(self, *lines: str) -> None:
        """Show these lines below the list, once on a pipe, until told otherwise."""
        if lines == self._footer:
            return
        self._footer = lines
        if self._live is None:
            say(*lines)
        else:
            self.refresh()

    def note(self, line: str) -> None:
        """Something happened that nobody asked for."""
        say(f"▲ {line}")

    def refresh(self) -> None:
        """Let the clock go on; does nothing on a pipe."""
        if self._live is not None:
            self._live.update(self._rendered(), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        sys.stdout.flush()

    def _seconds(self, at: datetime) -> float:
        return (at - self._zero).total_seconds()

    def _print(self, event: Event) -> None:
        """Once when it begins and once when it ends."""
        if event.ended is not None:
            mark, at = ("✗" if event.failed else "✓"), event.ended
        elif event.began is not None:
            mark, at = "…", event.began
        else:
            return
        if (event.label, mark) not in self._printed:
            self._printed.add((event.label, mark))
            took = f" ({_took(event)})" if event.ended else ""
            sentence = f": {event.sentence}" if event.sentence else ""
            say(f"[{self._seconds(at):6.1f} s] {mark} {event.label}{took}{sentence}")

    def _rendered(self) -> RenderableType:
        """One row per step, cut at the edge of the screen so that nothing jumps."""
        from rich.console import Group
        from rich.text import Text

        rows = _rows(self._events)
        for row in rows:
            row.truncate(screen().width, overflow="ellipsis")
        return Group(*rows, Text(), *(Text(line) for line in self._footer))


def print_events(title: str, events: Sequence[Event]) -> None:
    """A title and the steps, whole: how long each took, and what was found."""
    say("", title, *_rows(events))


def print_proofs(found: Sequence[Proof], logs: Path) -> None:
    """The proofs, whole. Raises Failure, which names the logs, when one does not hold."""
    now = datetime.now(UTC)
    print_events("What was proved", [Event(one.claim, None, now, one.sentence, failed=not one.holds) for one in found])
    broken = [proof.claim for proof in found if not proof.holds]
    if broken:
        raise Failure(Exit.failed, "not proved: " + "; ".join(broken), next=f"see {logs}")


def _rows(events: Sequence[Event]) -> list[Text]:
    from rich.text import Text

    width = max((len(event.label) for event in events), default=0)
    return [
        Text.assemble(
            (f"{_look(event)[1]} {event.label:<{width}}", _look(event)[0]),
            f" {_took(event):>7}  ",
            (event.sentence, "dim"),
        )
        for event in events
    ]


def _look(event: Event) -> tuple[str, str]:
    if event.failed:
        return "red", "✗"
    if event.ended is not None:
        return "green", "✓"
    return ("yellow", "…") if event.began is not None else ("dim", "·")


def _took(event: Event) -> str:
    if event.began is None:
        return ""
    end = event.ended or datetime.now(UTC)
    return f"{max((end - event.began).total_seconds(), 0):.1f} s"
