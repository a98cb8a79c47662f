"""What a source that counts by itself is asked for a signal: counters by their selectors, or an expression."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from countermand.playbook.terms import Strict

#: Stands in an expression where the adapter writes the label matchers of one arm.
ARM = "$arm"

_MATCHER = r'\s*[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\\n]|\\.)*"\s*'
_SELECTOR = re.compile(rf"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{{({_MATCHER}(?:,{_MATCHER})*)?,?\s*\}})?\s*")


def split_selector(text: str) -> tuple[str, str]:
    """(name of the metric, its matchers as written). Raises ValueError when it is no plain selector."""
    match = _SELECTOR.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a selector; write the name of a counter and label matchers, without a function or "
            'a range: answers_total{task="chat"}'
        )
    return match[1], (match[2] or "").strip()


def _selector(text: str) -> str:
    split_selector(text)
    return text


def _bucket(text: str) -> str:
    name, _ = split_selector(text)
    if not name.endswith("_bucket"):
        raise ValueError(f"{text!r} does not name the buckets of a classic histogram; write {name}_bucket")
    return text


def _expression(text: str) -> str:
    if not re.search(r"[{,]\s*\$arm\s*[,}]", text):
        raise ValueError(
            f"{text!r} would ask for both arms at once; write {ARM} where the label matchers of an arm belong: "
            f"avg(judge_bad_share{{{ARM}}})"
        )
    return text


Selector = Annotated[str, Field(max_length=1000), AfterValidator(_selector)]
Buckets = Annotated[str, Field(max_length=1000), AfterValidator(_bucket)]
Expression = Annotated[str, Field(max_length=1000), AfterValidator(_expression)]

#: The keys that are written together, by the kinds of signal they feed.
_FORMS: dict[str, tuple[frozenset[str], ...]] = {
    "rate": (frozenset({"bad", "total"}), frozenset({"value", "total"})),
    "judgement": (frozenset({"bad", "total"}), frozenset({"value", "total"})),
    "score": (frozenset({"sum", "sumsq", "count"}),),
    "latency": (frozenset({"histogram"}),),
}


class SignalQuery(Strict):
    """What is asked for one signal. The matchers that choose an arm stand in the source's settings."""

    bad: Selector | None = Field(None, description="Selector of the counter of bad outputs.")
    total: Selector | None = Field(None, description="Selector of the counter of all labelled outputs.")
    value: Expression | None = Field(
        None,
        description="PromQL with `$arm` that gives one share per arm, in the signal's own direction; approximate.",
    )
    sum: Selector | None = Field(None, description="Selector of the counter that adds up the scores.")
    sumsq: Selector | None = Field(None, description="Selector of the counter that adds up their squares.")
    count: Selector | None = Field(None, description="Selector of the counter of scored outputs.")
    histogram: Buckets | None = Field(None, description="Selector of the `_bucket` counters, one per `le`.")
    served: Selector | None = Field(
        None, description="Selector of the counter of all outputs that were due, labelled or not; default: labelled."
    )

    def misfit(self, kind: str) -> str | None:
        """Why it cannot feed a signal of this kind; None when it can."""
        forms = _FORMS.get(kind)
        if forms is None:
            return f"a signal of kind {kind} is not asked for by a query; leave it out"
        given = {name for name, text in self if text is not None} - {"served"}
        if given in forms:
            return None
        takes = " or ".join("{" + ", ".join(name for name in type(self).model_fields if name in f) + "}" for f in forms)
        return f"{', '.join(sorted(given)) or 'nothing'} does not fit a signal of kind {kind}; it takes {takes}"

    @property
    def selectors(self) -> dict[str, str]:
        """The selectors of counters, by key."""
        return {name: text for name, text in self if text is not None and name != "value"}
