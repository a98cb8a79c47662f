"""Lessons as static pages and feeds that need nothing else: only those marked public, without people and incidents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from xml.etree.ElementTree import Element, SubElement, tostring

from countermand.canonical import instant
from countermand.learning.lessons import Lesson

_STYLE = "body{font:16px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}small{color:#555}"
_EPOCH = "1970-01-01T00:00:00.000000Z"


def public(found: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """The lessons that may leave the organisation; one whose words were erased is left out."""
    return tuple(one for one in found if one.body.share == "public" and not one.erased)


def export(found: Sequence[Lesson], title: str) -> dict[str, str]:
    """Every file by its name: `index.html`, a page for each lesson, `feed.atom` and `feed.json` (JSON Feed 1.1).

    Atom: RFC 4287. Of each lesson: title, text, tags, kind of source, day. Never who wrote it or which incident it was.
    """
    shown = public(found)
    files = {
        f"{one.lesson_id}.html": _page(one.body.title, _one(one) + '<p><a href="index.html">All lessons</a></p>')
        for one in shown
    }
    listed = "".join(
        f'<li><a href="{escape(one.lesson_id)}.html">{escape(one.body.title)}</a> <small>{_day(one.at)}, '
        f"{escape(', '.join(one.body.tags))}</small></li>"
        for one in shown
    )
    files["index.html"] = _page(title, f"<h1>{escape(title)}</h1><ul>{listed}</ul>")
    files["feed.atom"] = _atom(shown, title)
    files["feed.json"] = json.dumps(_feed(shown, title), ensure_ascii=False, indent=1) + "\n"
    return files


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _one(lesson: Lesson) -> str:
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in lesson.body.text.split("\n") if part.strip())
    return (
        f"<h1>{escape(lesson.body.title)}</h1>{paragraphs}<p><small>{_day(lesson.at)}. Learned from: "
        f"{escape(lesson.body.source.replace('_', ' '))}. {escape(', '.join(lesson.body.tags))}</small></p>"
    )


def _atom(shown: Sequence[Lesson], title: str) -> str:
    feed = Element("feed", xmlns="http://www.w3.org/2005/Atom")
    _text(feed, "id", "urn:countermand:lessons")
    _text(feed, "title", title)
    _text(feed, "updated", instant(max(one.at for one in shown)) if shown else _EPOCH)
    _text(SubElement(feed, "author"), "name", title)
    for one in shown:
        entry = SubElement(feed, "entry")
        _text(entry, "id", f"urn:countermand:{one.lesson_id}")
        _text(entry, "title", one.body.title)
        _text(entry, "updated", instant(one.at))
        SubElement(entry, "link", href=f"{one.lesson_id}.html")
        for tag in one.body.tags:
            SubElement(entry, "category", term=tag)
        _text(entry, "content", one.body.text)
    return tostring(feed, encoding="unicode", xml_declaration=True) + "\n"


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


def _feed(shown: Sequence[Lesson], title: str) -> dict[str, object]:
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "items": [
            {
                "id": one.lesson_id,
                "url": f"{one.lesson_id}.html",
                "title": one.body.title,
                "content_text": one.body.text,
                "date_published": instant(one.at),
                "tags": list(one.body.tags),
            }
            for one in shown
        ],
    }


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
