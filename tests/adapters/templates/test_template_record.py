"""A template that somebody changed on disk is seen in the record when the next worker begins (T9)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adapters.template_record import record_templates
from adapters.templates import JinjaRenderer
from countermand.canonical import digest_bytes
from countermand.ledger.bodies import TemplatesRead, parse_body
from countermand.ledger.record import Kind
from tests import fakes

ROOT = Path(__file__).parent.parent.parent.parent
NAME = "messages/all_clear/customer.txt.j2"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return shutil.copytree(ROOT / "templates", tmp_path / "templates")


async def bodies(ledger: fakes.FakeLedger) -> list[TemplatesRead]:
    found = [parse_body(record) for record in await ledger.records(kinds=[Kind.templates_read])]
    return [body for body in found if isinstance(body, TemplatesRead)]


async def test_a_changed_template_is_named_and_the_same_ones_are_recorded_once(templates: Path) -> None:
    ledger = fakes.FakeLedger()
    for _ in range(2):
        await record_templates(ledger, JinjaRenderer(templates).digests)
    (first,) = await bodies(ledger)
    before = (templates / NAME).read_bytes()
    assert (first.changed, {one.name: one.sha256 for one in first.files}[NAME]) == ((), digest_bytes(before))
    (templates / NAME).write_bytes(before + b" Nothing happened.\n")  # as above
    await record_templates(ledger, JinjaRenderer(templates).digests)
    (templates / NAME).write_bytes(before)  # as above
    await record_templates(ledger, JinjaRenderer(templates).digests)
    _, other, back = await bodies(ledger)
    assert other.changed == back.changed == (NAME,)
    assert other.digest != back.digest == first.digest


async def test_what_a_renderer_holds_is_what_it_read_whatever_the_disk_says_later(templates: Path) -> None:
    renderer = JinjaRenderer(templates)
    read = dict(renderer.digests)
    (templates / NAME).write_text("Subject: x\n\nother")  # a small file of a test
    assert renderer.digests == read
