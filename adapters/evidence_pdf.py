"""`SUMMARY.pdf` by WeasyPrint: tagged, with its source attached, and the same bytes from the same facts (CON-26).

WeasyPrint draws with Pango, a library of the system. Where that is missing a pack has no PDF and says why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from adapters.evidence_summary import render_summary

#: What each face is made of; regular and bold hold the same characters.
_FACES = {
    ("Pack Sans", "400"): "DejaVuSans.ttf",
    ("Pack Sans", "700"): "DejaVuSans-Bold.ttf",
    ("Pack Mono", "400"): "DejaVuSansMono.ttf",
}
MISSING = (
    "the system's Pango library is not installed where this pack was made, so no PDF could be drawn; "
    "SUMMARY.html says the same"
)


class PdfUnavailable(Exception):
    """No PDF can be made on this machine."""


def render_pdf(templates: Path, facts: Mapping[str, Any], *, at: datetime) -> bytes:
    """PDF/A-3u of the summary, dated `at`. Raises PdfUnavailable where Pango is missing.

    The same facts and templates give the same bytes under the same WeasyPrint and Pango. Characters that the
    vendored fonts lack are printed as their code, so that what is read does not depend on installed fonts.
    """
    try:
        from weasyprint import HTML, Attachment  # type: ignore[import-untyped]  # takes two seconds, and fails where Pango is missing
    except OSError as error:
        raise PdfUnavailable(f"{MISSING} ({type(error).__name__})") from error
    source = json.dumps(facts, sort_keys=True, ensure_ascii=False, indent=2).encode() + b"\n"
    page = render_summary(templates, facts, also=_printable(templates), style=_faces(templates))
    attachment = Attachment(
        string=source, name="summary.json", description="What this summary was made from", relationship="Source"
    )
    attachment.created = attachment.modified = at
    base = templates.joinpath("evidence").resolve().as_uri() + "/"
    document = HTML(string=page, base_url=base, url_fetcher=_only_below(base)).render()
    document.metadata.created = document.metadata.modified = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    document.metadata.attachments = [attachment]
    pdf: bytes = document.write_pdf(
        pdf_identifier=hashlib.sha256(source).digest()[:16],
        pdf_variant="pdf/a-3u",
        pdf_tags=True,
        custom_metadata=False,
        full_fonts=False,
        uncompressed_pdf=False,
    )
    return pdf


def _only_below(base: str) -> Any:
    """Fetches our own files and nothing else: whatever gets into the page reaches no network and no other file."""
    from weasyprint.urls import FatalURLFetchingError, URLFetcher  # type: ignore[import-untyped]  # it comes without types

    class OwnFiles(URLFetcher):  # type: ignore[misc]  # it comes without types
        def fetch(self, url: str, headers: Any = None) -> Any:
            if not url.startswith(base) or ".." in unquote(url):
                raise FatalURLFetchingError(f"{url!r} is not a file below {base}")
            return super().fetch(url, headers)

    return OwnFiles(allowed_protocols=("file",))


def _faces(templates: Path) -> str:
    fonts = templates.joinpath("evidence", "fonts").resolve()
    return "".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
        f'src: url("{fonts.joinpath(name).as_uri()}"); }}\n'
        for (family, weight), name in _FACES.items()
    )


@cache
def _characters(font: Path) -> frozenset[int]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # it comes without types

    with TTFont(font, lazy=True) as opened:
        return frozenset(opened.getBestCmap())


def _printable(templates: Path) -> Callable[[str], str]:
    """Shows the code of a character that the fonts lack: nothing is dropped, and no other font steps in."""
    known = _characters(templates / "evidence" / "fonts" / _FACES["Pack Sans", "400"])

    def printable(text: str) -> str:
        return "".join(one if ord(one) in known or one == "\n" else f"<U+{ord(one):04X}>" for one in text)

    return printable
