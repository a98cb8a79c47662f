"""The assistant: retrieval by word overlap over an index of passages, then a pick among the near matches.

Small, but a real engine: what it says follows from index, prompt, decoding and guardrail and nothing else.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict

from countermand.plan.target import Value

ENGINE = "overlap-retrieval/1"

_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(
    _WORD.findall(
        "a an and any are as at be by can do does for from have how i if in into is it its me my not of on "
        "or our please that the their them then to up was we what when where which who will with you your"
    )
)


class Index(Value):
    """The passages that the assistant may quote, in order."""

    passages: tuple[str, ...]


class Prompt(Value):
    """`answer` frames the quoted passages; `unknown` is said when nothing fits."""

    answer: str
    unknown: str


class Decoding(Value):
    """How sure a match has to be; all in thousandths of a perfect match.

    Below `minimum` the assistant says that it does not know. Passages less than `near` behind the best one
    compete, weighted by `temperature`. Below `sure` the two best passages are joined into one answer.
    """

    minimum: int
    near: int
    temperature: int
    sure: int


class Guardrail(Value):
    """Questions with one of these words are not answered."""

    blocked_words: tuple[str, ...]


def words(text: str) -> frozenset[str]:
    """Stems of the words that carry meaning."""
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP)


def _stem(word: str) -> str:
    for suffix in ("ing", "ed", "es", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word.removesuffix(suffix)
    return word


class Assistant:
    """Answers questions; the same user and question always get the same answer."""

    def __init__(self, index: Index, prompt: Prompt, decoding: Decoding, guardrail: Guardrail) -> None:
        self._passages = index.passages
        self._prompt = prompt
        self._decoding = decoding
        self._blocked = frozenset(guardrail.blocked_words)
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, passage in enumerate(index.passages):
            for word in words(passage):
                self._holders[word].append(number)
        self._rarest = math.log(1 + len(index.passages))

    def answer(self, user: str, question: str) -> str:
        """The text shown to the user."""
        asked = words(question)
        if asked & self._blocked:
            return self._prompt.unknown
        ranked = self._ranked(asked)
        if not ranked or ranked[0][0] < self._decoding.minimum:
            return self._prompt.unknown
        best = ranked[0][0]
        if best < self._decoding.sure:
            chosen = [passage for _, passage in ranked[:2]]
        else:
            near = [entry for entry in ranked if entry[0] > best - self._decoding.near]
            chosen = [self._pick(near, _fraction(user, question))]
        return self._prompt.answer.format(passages=" ".join(self._passages[number] for number in chosen))

    def _ranked(self, asked: frozenset[str]) -> list[tuple[float, int]]:
        """(thousandths of the question's weight found in the passage, passage), best first."""
        found: dict[int, float] = defaultdict(float)
        total = 0.0
        for word in sorted(asked):
            holders = self._holders.get(word, [])
            weight = math.log(1 + len(self._passages) / len(holders)) if holders else self._rarest
            total += weight
            for number in holders:
                found[number] += weight
        ranked = [(1000 * weight / total, number) for number, weight in found.items()]
        return sorted(ranked, key=lambda entry: (-entry[0], entry[1]))

    def _pick(self, near: list[tuple[float, int]], fraction: float) -> int:
        weights = [math.exp((score - near[0][0]) / self._decoding.temperature) for score, _ in near]
        left = fraction * sum(weights)
        for weight, (_, number) in zip(weights, near, strict=True):
            left -= weight
            if left < 0:
                return number
        return near[-1][1]


def _fraction(user: str, question: str) -> float:
    """A fixed number in [0, 1) for this user and question."""
    return int.from_bytes(hashlib.sha256(f"{user}\n{question}".encode()).digest()[:8]) / 2**64
