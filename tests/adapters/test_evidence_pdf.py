"""The summary as HTML and PDF: the same bytes in another process, nothing hidden, nothing missing."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.evidence_pdf import PdfUnavailable, _only_below, render_pdf
from adapters.evidence_summary import render_summary
from countermand.evidence.manifest import Scope
from countermand.evidence.material import Material
from countermand.evidence.summary import summary
from tests.rules.evidence.test_sections import INCIDENT, moved

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
AT = datetime(2026, 11, 20, 3, 14, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> \u202egnp.exe \x1b[31m 中文"

_ELSEWHERE = """
import json, sys
from datetime import datetime
from pathlib import Path
from adapters.evidence_pdf import render_pdf
sys.stdout.buffer.write(render_pdf(Path(sys.argv[1]), json.load(sys.stdin), at=datetime.fromisoformat(sys.argv[2])))
"""


def facts() -> dict[str, Any]:
    records = [one for one in moved(5_000, 0) if one.kind.value != "plan"]
    scope = Scope(kind="incident", incident_id=INCIDENT, first_seq=1, last_seq=4)
    made = Material(scope, "full", records, {record.seq: HOSTILE for record in records})
    return summary(made, origin="countermand/local/x", tree_size=5, root="ab" * 32, missing={"views": "none"})


@pytest.fixture(scope="module")
def pdf() -> bytes:
    try:
        return render_pdf(TEMPLATES, facts(), at=AT)
    except PdfUnavailable as error:
        pytest.skip(f"not run: {error}")


def test_another_process_draws_the_same_bytes(pdf: bytes) -> None:
    asked = [sys.executable, "-c", _ELSEWHERE, str(TEMPLATES), AT.isoformat()]
    again = subprocess.run(
        asked, input=json.dumps(facts()).encode(), capture_output=True, check=True, cwd=ROOT, timeout=120
    )
    assert again.stdout == pdf


def test_the_pdf_is_tagged_dated_by_the_record_and_carries_what_it_was_made_from(pdf: bytes) -> None:
    parts = streams(pdf)
    whole = b"".join(parts)
    assert b"/StructTreeRoot" in whole
    assert b"/AFRelationship/Source" in whole.replace(b"Relationship /", b"Relationship/")
    assert b"20261120031400" in whole
    assert b"pdfaid" in whole
    assert [json.loads(part) for part in parts if part.startswith(b"{")] == [facts()]


def streams(pdf: bytes) -> list[bytes]:
    """The file as it is, and each compressed stream in it."""
    found = [pdf]
    for part in pdf.split(b"stream\n")[1:]:
        with suppress(zlib.error):
            found.append(zlib.decompressobj().decompress(part))
    return found


def test_text_of_others_can_be_read_and_cannot_act() -> None:
    page = render_summary(TEMPLATES, facts())
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "&lt;U+202E&gt;" in page
    assert "中文" in page


def test_a_character_that_the_fonts_lack_is_printed_as_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def seen(*given: Any, **more: Any) -> str:
        drawn.append(render_summary(*given, **more))
        raise PdfUnavailable("seen enough")

    monkeypatch.setattr("adapters.evidence_pdf.render_summary", seen)
    with pytest.raises(PdfUnavailable, match="seen enough"):
        render_pdf(TEMPLATES, facts(), at=AT)
    assert "&lt;U+4E2D&gt;&lt;U+6587&gt;" in drawn[0]
    assert "中" not in drawn[0]


def test_the_vendored_fonts_are_small_and_have_their_licence() -> None:
    fonts = TEMPLATES / "evidence" / "fonts"
    assert sum(font.stat().st_size for font in fonts.glob("*.ttf")) < 400_000
    assert "Bitstream" in (fonts / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "file:///etc/hostname", f"{TEMPLATES.as_uri()}/evidence/../x", "data:,x"]
)
def test_whatever_gets_into_the_page_reaches_no_network_and_no_file_but_ours(url: str) -> None:
    from weasyprint.urls import FatalURLFetchingError  # type: ignore[import-untyped]

    own = f"{TEMPLATES.as_uri()}/evidence/"
    with pytest.raises(FatalURLFetchingError, match="is not a file below"):
        _only_below(own).fetch(url)
    assert _only_below(own).fetch(f"{own}summary.css")
