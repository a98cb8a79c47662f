"""Rules about files: what is vendored, what templates may not contain, whether colours can be read."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from console.render import ENVIRONMENT, STATIC
from console.states import MARKS

TEMPLATES = sorted((STATIC.parent / "templates").glob("*.html"))
CSS = (STATIC / "app.css").read_text()
VENDORED = re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (STATIC / "vendor/README.md").read_text(), re.MULTILINE)

FORBIDDEN = {
    "inline styles": r"\sstyle\s*=",
    "style elements": r"<style",
    "inline handlers": r"\son[a-z]+\s*=",
    "handlers of htmx": r"hx-on",
    "script addresses": r"javascript:",
    "inline scripts": r"<script(?![^>]*\ssrc=\"/static/)",
    "unescaped data": r"\|\s*safe\b|autoescape",
    "other hosts": r"(?:src|href)=\"(?:https?:)?//",
}


@pytest.mark.parametrize(("name", "sha256"), VENDORED)
def test_a_vendored_file_is_the_one_its_readme_names(name: str, sha256: str) -> None:
    assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == sha256


def test_every_vendored_file_is_in_the_readme_and_has_its_licence() -> None:
    files = {path.name for path in (STATIC / "vendor").iterdir()} - {"README.md"}
    code = {name for name in files if not name.endswith(".LICENSE")}
    assert code == {name for name, _ in VENDORED}
    readme = (STATIC / "vendor/README.md").read_text()
    assert all(name in readme for name in files - code)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_templates_hold_nothing_the_content_security_policy_forbids(path: Path, what: str) -> None:
    assert re.search(FORBIDDEN[what], path.read_text(), re.IGNORECASE) is None


def test_templates_escape_and_refuse_missing_values() -> None:
    assert ENVIRONMENT.autoescape is True
    assert ENVIRONMENT.undefined.__name__ == "StrictUndefined"
    assert ENVIRONMENT.from_string("{{ x }}").render(x="<b>\u202e\x1b") == "&lt;b&gt;&lt;U+202E&gt;␛"


def tokens(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", css))


LIGHT = tokens(CSS.partition("@media (prefers-color-scheme: dark)")[0])
DARK = LIGHT | tokens(CSS.partition("@media (prefers-color-scheme: dark)")[2].partition("\n}\n")[0])
TONES = sorted({found.tone for found in MARKS.values()})
PAIRS = [
    *((ink, ground) for ink in ("text", "soft", "accent") for ground in ("bg", "surface", "sunk")),
    *((tone, ground) for tone in TONES for ground in ("bg", "surface", f"{tone}-wash")),
    ("accent-ink", "accent"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_every_ground_it_stands_on(theme: str) -> None:
    """WCAG 2.2 AA: text 4.5 to 1; lines of charts and borders of controls 3 to 1."""
    colours = LIGHT if theme == "light" else DARK
    low = [(ink, ground) for ink, ground in PAIRS if contrast(colours[ink], colours[ground]) < 4.5]
    lines = ("candidate", "baseline", "line-strong", "unknown")
    low += [(line, "surface") for line in lines if contrast(colours[line], colours["surface"]) < 3]
    assert low == []


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2 (relative luminance of sRGB)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
