"""`replay`: feed labelled outputs from a file through the signal intake, as a judge would, at a chosen speed."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, detail, on_terminal

if TYPE_CHECKING:
    import httpx

    from countermand.cli.labelled_file import Item

_TICK = 0.5  # seconds between batches
_MOST_PER_BATCH = 2_000
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between tries of one batch


def replay(
    file: Annotated[Path, typer.Argument(help="A .jsonl or .jsonl.gz file, one answer per line.", show_default=False)],
    release: Annotated[str, typer.Option("--release", help="The release the answers are of.", show_default=False)],
    signal: Annotated[str, typer.Option("--signal", help="A signal of its playbook.", show_default=False)],
    label: Annotated[str, typer.Option("--label", help="Field name or JSON pointer of the label.", show_default=False)],
    bad: Annotated[
        list[str], typer.Option("--bad", help="A label that means bad; may be given again.", show_default=False)
    ],
    arm: Annotated[
        Literal["baseline", "candidate"] | None, typer.Option("--arm", help="The arm of all answers.")
    ] = None,
    arm_field: Annotated[
        str | None, typer.Option("--arm-field", help="Or the field that says baseline or candidate.")
    ] = None,
    id_field: Annotated[
        str | None, typer.Option("--id-field", help="Field that names an answer (default: its line number).")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="A line without the label's field is served and not labelled.")
    ] = False,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=5_000, help="Answers per second.")] = 50.0,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after this many answers.")] = None,
    resample_bad: Annotated[
        float | None,
        typer.Option("--resample-bad", min=0, max=1, help="Draw answers with replacement so that this share is bad."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same answers again.")] = 1,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="File with a source token (default: COUNTERMAND_SOURCE_TOKEN)."),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Send labelled answers of a file as if they were given now. Exit 4 if the console rejected some."""
    from countermand.cli import labelled_file

    if (arm is None) == (arm_field is None):
        raise Failure(Exit.usage, "which arm gave these answers?", accepted="exactly one of --arm and --arm-field")
    mapping = labelled_file.Mapping(label, bad, arm, arm_field, id_field, allow_missing)
    answers = list(labelled_file.read(file, mapping))
    chosen: Iterator[Item] = iter(answers)
    if resample_bad is not None:
        chosen, limit = labelled_file.resampled(answers, resample_bad, seed), limit or len(answers)
    total = min(limit or len(answers), len(answers) if resample_bad is None else limit or 0)
    sender = Sender(client.console_url(), _token(token_file), release, signal)
    try:
        _send_all(sender, islice(chosen, total), total, rate, quiet=output is not Format.table)
    finally:
        sender.close()
    reasons = [
        {"code": code, "count": number, "example": sender.examples[code]} for code, number in sender.rejected.items()
    ]
    counts = {fate: sender.counts[fate] for fate in ("sent", "bad", "unlabelled", "accepted", "duplicates", "late")}
    body = {"schema": "countermand.replay/v1", **counts, "rejected": reasons}
    lines = [" · ".join(f"{number} {fate}" for fate, number in counts.items())]
    lines += [f"▲ {reason['count']} rejected, {reason['code']}: {reason['example']}" for reason in reasons]
    detail(body, lines, output)
    if reasons:
        raise typer.Exit(Exit.refused)


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get("COUNTERMAND_SOURCE_TOKEN", "")
    else:
        try:
            token = file.read_text().strip()
        except OSError as error:
            raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error.strerror})") from None
    if not token:
        raise Failure(
            Exit.not_authorised,
            "there is no source token",
            accepted="COUNTERMAND_SOURCE_TOKEN or --token-file; a person's token is not accepted by the intake",
            next="python -m console.admin source add NAME, on the server",
        )
    return token


def _send_all(sender: Sender, items: Iterator[Item], total: int, rate: float, *, quiet: bool) -> None:
    """Batches at a steady rate; a slow console makes it late, never faster than `rate`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from countermand.cli.labelled_file import batches

    size = max(1, min(round(rate * _TICK), _MOST_PER_BATCH))
    due = time.monotonic()
    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet or not on_terminal(),
    )
    with progress:
        bar = progress.add_task("", total=total)
        for batch in batches(items, size):
            time.sleep(max(0.0, due - time.monotonic()))
            due += len(batch) / rate
            sender.send(batch)
            progress.advance(bar, len(batch))


class Sender:
    """Sends batches and counts what became of their items. A batch is sent again, unchanged, until answered."""

    def __init__(self, url: str, token: str, release: str, signal: str) -> None:
        import httpx

        from countermand.canonical import instant

        self._instant = instant
        self._url, self._release, self._signal = url, release, signal
        self._run = uuid4().hex[:12]
        self._batches = 0
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=not client.is_loopback(url),
        )
        self.counts: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def send(self, batch: list[Item]) -> None:
        """Raises Failure when the console refuses the batch as a whole or does not answer."""
        self._batches += 1
        now = self._instant(datetime.now(UTC))
        body = {
            "schema": "countermand.signals/v1",
            "batch_id": f"replay-{self._run}-{self._batches}",
            "items": [
                {
                    "observation_id": f"replay-{self._run}-{item.observation_id}",
                    "release_id": self._release,
                    "arm": item.arm.value,
                    "signal": self._signal,
                    "event_time": now,
                    "outcome": item.outcome,
                }
                for item in batch
            ],
        }
        answer = self._answer(body)
        self.counts["sent"] += len(batch)
        self.counts["bad"] += sum(item.outcome == "bad" for item in batch)
        self.counts["unlabelled"] += sum(item.outcome is None for item in batch)
        for fate in ("accepted", "duplicates", "late"):
            self.counts[fate] += answer[fate]
        for item in answer["rejected"]:
            self.rejected[item["code"]] += 1
            self.examples.setdefault(item["code"], item["detail"])

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        import httpx

        last: Exception | str = ""
        for pause in (*_PAUSES, 0.0):
            try:
                response = self._client.post("/api/v1/signals", json=body)
            except httpx.TransportError as error:
                last = error
            else:
                if response.status_code != 429 and response.status_code < 500:
                    return self._judged(response)
                last = str(client.answer_or_problem(response).get("detail", response.status_code))
            time.sleep(pause)
        sent = self.counts["sent"]
        raise client.unreachable(self._url, Exception(f"{last}; {sent} answers were taken before")) from None

    @staticmethod
    def _judged(response: httpx.Response) -> dict[str, Any]:
        """A batch in which every item was rejected is a 422 with the reasons item by item."""
        body = client.answer_or_problem(response)
        return body if response.status_code == 422 and "rejected" in body else client.answer(response)

    def close(self) -> None:
        self._client.close()
