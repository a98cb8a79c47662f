"""`SUMMARY.html`: the facts of a pack's summary through one template, with every character of others' texts visible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from countermand.messages.fencing import fenced, shown

#: Most characters of one event; its record has the rest.
_BRIEF = 320


def render_summary(
    templates: Path, facts: Mapping[str, Any], *, also: Callable[[str], str] = str, style: str = ""
) -> str:
    """The page as HTML that loads nothing. `also`: applied to every text after it was made visible.

    style: CSS before the template's own.
    """
    directory = templates / "evidence"

    def made_visible(value: object) -> object:
        if isinstance(value, str) and not isinstance(value, Markup):
            return also("\n".join(map(shown, value.split("\n"))))
        return value

    environment = Environment(
        loader=FileSystemLoader(directory),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": _words, "brief": _brief}
    css = style + directory.joinpath("summary.css").read_text(encoding="utf-8")
    return environment.get_template("summary.html").render(facts, style=Markup(css))  # noqa: S704  # our own file


def _words(identifier: str) -> str:
    return identifier.replace("_", " ").replace("-", " ")


def _brief(text: str) -> str:
    return fenced(text, _BRIEF)
