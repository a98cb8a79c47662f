"""The signed window of an unannounced rehearsal, read from production: outside of it nobody is paged (LRN-25)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import httpx

from activities.fence import FenceBroken
from countermand.canonical import parse_instant
from rehearsal.production_watch import refuse_in_the_clear


class Window(NamedTuple):
    """known: who knows of it, in words."""

    until: datetime
    known: str


def window_now(url: str, token: str, scenario: str, now: datetime) -> Window:
    """The window that is signed for this scenario now. Raises FenceBroken when there is none or nobody can tell."""
    trusted = refuse_in_the_clear(url)
    try:
        response = httpx.get(
            f"{url.rstrip('/')}/api/v1/rehearsal-windows",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
            trust_env=trusted,
        )
        listed = response.raise_for_status().json()["windows"]
        for one in listed:
            begins, ends = parse_instant(one["from"]), parse_instant(one["until"])
            if one["scenario"] == scenario and begins <= now < ends:
                return Window(ends, str(one["known"]))
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise FenceBroken(
            f"nobody can tell whether a window is signed: {url} answered with {type(error).__name__}"
        ) from error
    raise FenceBroken(
        f"no signed window for {scenario!r} holds at {now:%Y-%m-%d %H:%M} UTC; an executive signs one first: "
        "countermand rehearsal window"
    )
