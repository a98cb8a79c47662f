"""Text that others wrote, made harmless for people who read it: nothing hidden, nothing endless (THR-8).

Everything a model, a user, a label or an approver typed goes through `fenced` before a person sees it.
"""

from __future__ import annotations

import re
import unicodedata

#: Most characters of one sample; the rest is cut with a visible mark (THR-8).
MAX_SAMPLE = 300

_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
#: Spaces and joiners without width, fillers, tags and variation selectors: nothing of it can be seen on a screen.
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u200d\u3164\ufe00-\ufe0f\uffa0\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff]"
)
_WORD = re.compile(r"[^\W\d_]+")
#: Alphabets whose letters are taken for Latin ones.
_LOOK_ALIKE = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")


def visible(text: str) -> str:
    """Control, bidirectional and invisible characters as signs people see: ESC → `␛`, U+202E → `<U+202E>`."""
    return _HIDDEN.sub(_sign, text)


def shown(text: str) -> str:
    """`visible`, and whatever else takes no room on a screen: joiners, fillers, variation selectors, tags."""
    return _INVISIBLE.sub(_sign, visible(text))


def fenced(text: str, most: int = MAX_SAMPLE) -> str:
    """One line of at most `most` characters, normalised (NFC), in which every character can be seen.

    What is cut away is counted at the end; words that mix alphabets are named there, because they may look like
    other words.
    """
    # A megabyte is cut before it is normalised; composing never makes a text longer than this allows for.
    whole = unicodedata.normalize("NFC", text[: most * 4])
    legible = shown(whole)
    suspects = mixed_words(whole[:most])
    note = f" [looks like other letters: {', '.join(suspects[:3])}]" if suspects else ""
    if len(legible) > most or len(text) > most * 4:
        return f"{legible[:most]}… [cut, {len(text):,} characters in all]{note}"
    return legible + note


def mixed_words(text: str) -> list[str]:
    """Words that hold Latin letters beside letters of an alphabet that can be taken for Latin (THR-8)."""
    return [word for word in _WORD.findall(text) if _mixed(word)]


def _mixed(word: str) -> bool:
    if word.isascii():
        return False
    alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return "LATIN" in alphabets and not alphabets.isdisjoint(_LOOK_ALIKE)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"<U+{code:04X}>"
