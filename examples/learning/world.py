"""The made-up world of the example: its people, its clock, its sources and its target, in a sandbox of their own."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from activities.fence import REHEARSAL, Reach, Rehearsal
from activities.signal_ports import CountedBlock, Pulled, PullRequest
from adapters.channel_route import RoutedChannel
from adapters.database import utc_now
from countermand.detection.blocks import Arm, Row
from countermand.detection.planted import Harm, plant
from countermand.detection.synthetic import synthetic
from countermand.playbook.model import Playbook
from countermand.playbook.terms import Audience
from rehearsal.fakes.channels import SandboxCards, SandboxSender, Sent
from rehearsal.fakes.data import SandboxData
from rehearsal.fakes.target import SandboxTarget, SandboxTargets
from rehearsal.people import Played
from rehearsal.sandbox import Sandbox, prepare, sandbox, stores
from ruamel.yaml import YAML

LENA, JONAS, MARIA, AMIRA, NOOR = (f"local|{name}" for name in ("lena", "jonas", "maria", "amira", "noor"))
PIPELINE = "local|pipeline"
PEOPLE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    LENA: ("Lena Ortiz", ("release_owner", "incident_commander")),
    JONAS: ("Jonas Weber", ("safety_lead",)),
    MARIA: ("Maria Keller", ("product_owner", "compliance_officer")),
    AMIRA: ("Amira Haddad", ("playbook_maintainer",)),
    NOOR: ("Noor Hassan", ("executive",)),
    PIPELINE: ("Release pipeline", ("deployer",)),
}
NAMES = {subject: name for subject, (name, _) in PEOPLE.items()}
_RIGHTS = {
    kind: ["incident_commander", "safety_lead"]
    for kind in ("withdraw", "hold", "resume", "abort", "reverse", "ask_again", "proceed_incomplete")
}
#: Outputs of each arm in one block, by signal.
OUTPUTS = 600
#: The candidate's share when a release is watched.
SHARE_BP = 5_000
#: Blocks of a short spike.
_SPIKE = 5


class Clock:
    """The clock of what watches. It is ahead of people's clocks by what `forward` was told since `back`."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self._ahead

    def forward(self, span: timedelta) -> None:
        self._ahead += span

    def back(self) -> None:
        """To people's clocks."""
        self._ahead = timedelta(0)


class MadeUpSource:
    """Implements PullSource and PullSources: what each release's users got is made up before its watch begins.

    Every source answers, block by block, with the rows that `plan` was given. Whoever was taken back serves nobody.
    """

    environment: Rehearsal = REHEARSAL

    def __init__(self, target: SandboxTarget, playbook: Playbook) -> None:
        self._target = target
        self._playbook = playbook
        self._rows: dict[str, tuple[Row, ...]] = {}

    def plan(self, release_id: str, rows: Sequence[Row]) -> None:
        """What will be measured, from the release's first block on; later blocks are as the playbook expects."""
        self._rows[release_id] = tuple(rows)

    def __call__(self, name: str) -> MadeUpSource:  # noqa: ARG002, one source measures everything
        return self

    async def pull(self, request: PullRequest) -> Pulled:
        release_id, served = request.release.release_id, self._target.share(self._playbook.revert.member)
        known = next((row for row in self._rows[release_id] if row.start == request.start), None)
        row = known or next(usual(self._playbook, release_id, 1, request.start))
        fields = {"signal", "arm", "segment", "state", "reason", "served", "scored", "bad"}
        return Pulled(
            counts=tuple(
                CountedBlock(release_id=release_id, start=request.start, **block.model_dump(include=fields))
                for block in row.blocks
                if block.signal in request.signals and (served or block.arm is Arm.baseline)
            )
        )


def usual(playbook: Playbook, name: str, rows: int, start: datetime, spike: Harm | None = None) -> Iterator[Row]:
    """Rows in which both versions do as the playbook expects, but for a spike in the last five; the same name gives the
    same rows."""
    draws = iter(Random(name).random, None)
    detection = playbook.detection
    traffic = dict.fromkeys(detection.signals, (OUTPUTS, OUTPUTS))
    for row in synthetic(detection, traffic, rows, start, draws):
        yield plant(detection.signals, spike, row, 1.0, draws) if spike and row.seq >= rows - _SPIKE else row


class World:
    """A running sandbox. `sent`: every message that people would have got."""

    def __init__(self, playbook: Playbook) -> None:
        self.clock = Clock()
        self.target = SandboxTarget(SHARE_BP, (), self.clock)
        self.source = MadeUpSource(self.target, playbook)
        self.sent: list[Sent] = []
        self._playbook = playbook

    @asynccontextmanager
    async def running(self, data: Path) -> AsyncIterator[tuple[Sandbox, Played]]:
        """Until the block ends."""
        settings = prepare(data, _governance())
        kept = replace(stores(settings), clock=self.clock)
        sender = SandboxSender("email", self.sent, lambda: False, utc_now)
        routes = dict.fromkeys(Audience, ("email",))
        reach = Reach(
            REHEARSAL,
            SandboxTargets(self.target),
            SandboxData(self._playbook.data_integrity.checks, {}, "index-4"),
            RoutedChannel(REHEARSAL, kept.outbox, kept.attempts, {"email": sender}, routes),
            SandboxCards(tuple(NAMES.items()), lambda: False),
            self.source,
        )
        try:
            async with sandbox(settings, kept, reach) as box:
                people = Played(box, NAMES)
                try:
                    yield box, people
                finally:
                    await people.close()
        finally:
            await kept.database.close()


def _governance() -> str:
    out = io.StringIO()
    document = {
        "schema": "countermand.governance/v1",
        "playbooks": {"adoption": "required"},
        "people": [
            {"subject": subject, "name": name, "roles": list(roles)} for subject, (name, roles) in PEOPLE.items()
        ],
        "rights": _RIGHTS,
    }
    YAML(typ="safe", pure=True).dump(document, out)
    return out.getvalue()
