"""A rehearsal can never touch production (I20): by type, at run time, by credentials, by directory, in the record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from activities.fence import PRODUCTION, REHEARSAL, FenceBroken, Reach
from adapters.data_sources import ConfiguredDataSources
from adapters.database import utc_now
from adapters.settings import REHEARSAL_MARKER, Settings, SettingsInvalid
from adapters.slack_cards import NoCards
from adapters.sources import ConfiguredSources
from adapters.targets import ConfiguredTargets
from rehearsal.fakes.channels import SandboxCards, SandboxSender
from rehearsal.fakes.data import SandboxData
from rehearsal.fakes.sources import NoSources
from rehearsal.fakes.target import SandboxTarget, SandboxTargets
from rehearsal.sandbox import clear, refuse_production

ROOT = Path(__file__).resolve().parents[2]


async def keep(_raw: bytes, _media_type: str) -> str:
    return "sha256:"


def fakes() -> dict[str, object]:
    return {
        "targets": SandboxTargets(SandboxTarget(5_000, [], utc_now)),
        "data": SandboxData((), {}, ""),
        "channel": SandboxSender("mail", [], lambda: False, utc_now),
        "cards": SandboxCards([], lambda: False),
        "sources": NoSources(),
    }


def test_a_reach_of_fakes_is_a_rehearsals() -> None:
    assert Reach(REHEARSAL, **fakes()).environment is REHEARSAL  # type: ignore[arg-type]  # built by name


@pytest.mark.parametrize(
    ("part", "real"),
    [
        ("targets", ConfiguredTargets({}, keep)),
        ("data", ConfiguredDataSources({}, keep)),
        ("cards", NoCards()),
        ("sources", ConfiguredSources({}, None)),  # type: ignore[arg-type]  # nothing is asked of it
    ],
)
def test_one_real_part_in_a_rehearsal_is_refused_when_it_is_put_together(part: str, real: object) -> None:
    with pytest.raises(FenceBroken, match=f"{part} = .* is of production; accepted here: {part} of rehearsal"):
        Reach(REHEARSAL, **fakes() | {part: real})  # type: ignore[arg-type]  # the refused composition


def test_a_fake_in_production_is_refused_too() -> None:
    with pytest.raises(FenceBroken, match="targets = SandboxTargets is of rehearsal; accepted here: targets of prod"):
        Reach(PRODUCTION, **fakes())  # type: ignore[arg-type]  # the refused composition


def test_something_without_an_environment_is_refused() -> None:
    with pytest.raises(FenceBroken, match="data = object is of no environment"):
        Reach(REHEARSAL, **fakes() | {"data": object()})  # type: ignore[arg-type]  # the refused composition


IMPORTS = """
from __future__ import annotations
from activities.fence import REHEARSAL, Production, Reach
from adapters.channel_route import RoutedChannel
from adapters.channel_sending import Sender
from adapters.database import utc_now
from adapters.settings import Settings
from adapters.targets import ConfiguredTargets
from composition import Stores
from rehearsal.fakes.channels import SandboxCards, SandboxSender
from rehearsal.fakes.data import SandboxData
from rehearsal.fakes.sources import NoSources
from rehearsal.fakes.target import SandboxTarget, SandboxTargets
from rehearsal.sandbox import sandbox

async def keep(raw: bytes, media_type: str) -> str:
    return media_type
"""
PLAY = (
    IMPORTS
    + """
def play(settings: Settings, stores: Stores) -> None:
    senders = {"mail": SandboxSender("mail", [], bool, utc_now)}
    channel = RoutedChannel(REHEARSAL, stores.outbox, stores.attempts, senders, {})
    targets = SandboxTargets(SandboxTarget(5_000, [], utc_now))
    reach = Reach(REHEARSAL, targets, SandboxData((), {}, ""), channel, SandboxCards([], bool), NoSources())
    sandbox(settings, stores, reach)
"""
)


def checked(tmp_path: Path, source: str) -> tuple[str, int]:
    """What mypy says about a program."""
    program = tmp_path / "program.py"
    program.write_text(source)
    command = [sys.executable, "-m", "mypy", program, "--config-file", ROOT / "pyproject.toml",
               "--follow-imports=silent", "--cache-dir", ROOT / ".mypy_cache", "--no-error-summary"]  # fmt: skip
    # In a process of its own: mypy leaves millions of objects behind, and its own rules for collecting garbage.
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    out, code = told.stdout + told.stderr, told.returncode
    return out, code


def test_a_rehearsal_of_fakes_type_checks(tmp_path: Path) -> None:
    out, code = checked(tmp_path, PLAY)
    assert (out, code) == ("", 0)


def test_pointing_a_rehearsal_at_a_production_target_does_not_type_check(tmp_path: Path) -> None:
    mutated = PLAY.replace("SandboxTargets(SandboxTarget(5_000, [], utc_now))", "ConfiguredTargets({}, keep)")
    out, code = checked(tmp_path, mutated)
    assert code == 1
    assert 'incompatible type "Reach[Environment]"; expected "Reach[Rehearsal]"' in out


def test_the_reach_of_production_is_no_argument_of_a_rehearsal(tmp_path: Path) -> None:
    play = "def play(settings: Settings, stores: Stores, reach: Reach[Production]) -> None:"
    out, code = checked(tmp_path, f"{IMPORTS}\n{play}\n    sandbox(settings, stores, reach)\n")
    assert code == 1
    assert 'incompatible type "Reach[Production]"; expected "Reach[Rehearsal]"' in out


@pytest.mark.parametrize("name", ["COUNTERMAND_TARGETS", "TEMPORAL_ADDRESS", "SLACK_BOT_TOKEN"])
def test_a_rehearsal_does_not_start_where_productions_credentials_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(FenceBroken, match=f"production's settings are: {name}"):
        refuse_production({name: "x", "PATH": "/bin"}, tmp_path / "new")


def test_a_rehearsal_does_not_start_in_a_directory_of_production(tmp_path: Path) -> None:
    (tmp_path / "countermand.db").touch()
    with pytest.raises(FenceBroken, match="not a directory of rehearsals"):
        refuse_production({}, tmp_path)


def test_production_does_not_start_in_a_directory_of_rehearsals(tmp_path: Path) -> None:
    (tmp_path / REHEARSAL_MARKER).touch()
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path)})
    with pytest.raises(SettingsInvalid, match="is a directory of rehearsals"):
        settings.refuse_rehearsals()


def test_keeping_a_rehearsal_never_removes_a_directory_of_production(tmp_path: Path) -> None:
    ledger = tmp_path / "countermand.db"
    ledger.write_text("every record there is")
    with pytest.raises(FenceBroken, match="not a directory of rehearsals"):
        clear(tmp_path)
    assert ledger.read_text() == "every record there is"


def test_keeping_a_rehearsal_removes_what_an_earlier_one_left_and_follows_no_link(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept", tmp_path / "link"
    kept.mkdir()
    (kept / REHEARSAL_MARKER).touch()
    link.symlink_to(kept)
    with pytest.raises(FenceBroken, match="is a link"):
        clear(link)
    clear(kept)
    assert not kept.exists()
