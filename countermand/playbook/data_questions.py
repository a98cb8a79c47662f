"""What a data source may be asked for a check: one reading SQL query, or one GET and where its answer holds the values.

Sources stand in the data-sources file by name. A query names the release's digests as bind parameters; nothing is
ever written into its text.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from countermand.playbook.terms import Strict

#: What a query may name: the digest of each bundle, and of each of its parts.
Binding = Literal[
    "candidate_digest", "candidate_model", "candidate_prompt", "candidate_decoding", "candidate_guardrail",
    "candidate_index", "candidate_harness", "candidate_training_data",
    "baseline_digest", "baseline_model", "baseline_prompt", "baseline_decoding", "baseline_guardrail",
    "baseline_index", "baseline_harness", "baseline_training_data",
]  # fmt: skip
BINDINGS: tuple[str, ...] = get_args(Binding)

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_WRITING = re.compile(r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into)\b", re.IGNORECASE)
_ACTING = re.compile(
    r"""\b(dblink\w*|lo_\w+|load_extension|nextval|setval|set_config|pg_(?:advisory|cancel|logical|ls|notify|promote|read"""
    r"""|reload|rotate|sleep|switch|terminate|try_advisory|write)\w*|query_to_xml\w*)"?\s*\(""",
    re.IGNORECASE,
)
#: Every name that SQLAlchemy would take for a bind parameter, even within quotes.
_NAMED = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


def named(query: str) -> list[str]:
    """The bind parameters of a query, each once, in the order in which they stand."""
    return list(dict.fromkeys(_NAMED.findall(query)))


def _reads(query: str) -> str:
    # The connection cannot write whatever stands here; this only says so before an incident. What functions do besides
    # reading (end other sessions, open files and connections) is for the rights of the account to refuse as well.
    bare = _COMMENT.sub(" ", query).strip()
    first = bare.split(maxsplit=1)[0].lower() if bare else ""
    if first not in ("select", "with"):
        raise ValueError(f"{_start(query)!r} does not read; write one SELECT, or WITH … SELECT")
    if ";" in bare.removesuffix(";"):
        raise ValueError(f"{_start(query)!r} holds more than one statement; write one SELECT without `;`")
    if found := _WRITING.search(bare):
        raise ValueError(f"{found[0]!r} changes data; a check only reads: write one SELECT, or WITH … SELECT")
    if found := _ACTING.search(bare):
        raise ValueError(f"{found[1]!r} does more than read; a check only reads: leave it out")
    for name in named(query):
        if name not in BINDINGS:
            raise ValueError(f"':{name}' is no bind parameter; accepted are :{', :'.join(BINDINGS)}")
    return bare.removesuffix(";").rstrip()


def _start(query: str) -> str:
    line = " ".join(query.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def _path(path: str) -> str:
    if ".." in path or "//" in path:
        raise ValueError(f"{path!r} is not accepted; write a path without '..' and '//'")
    return path


def _pointer(text: str) -> str:
    if text and (not text.startswith("/") or re.search(r"~(?![01])", text)):
        raise ValueError(f"{text!r} is not a JSON Pointer (RFC 6901); write '' for the whole, or for example /index/id")
    return text


def _no_pattern(pattern: str, example: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not accepted here; write for example {example}")
        return text

    return AfterValidator(check)


Query = Annotated[str, Field(max_length=4000), AfterValidator(_reads)]
Pointer = Annotated[str, Field(max_length=200), AfterValidator(_pointer)]
UrlPath = Annotated[
    str, Field(max_length=500), _no_pattern(r"/[A-Za-z0-9._~/-]*", "/collections/help"), AfterValidator(_path)
]
#: A table, with its schema if it has one; small letters, so that every database means the same.
Table = Annotated[
    str, Field(max_length=120), _no_pattern(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", "conversation_notes")
]
Column = Annotated[str, Field(max_length=63), _no_pattern(r"[a-z][a-z0-9_]*", "index")]


class Get(Strict):
    """One GET of a source that speaks HTTP and JSON, and where its answer holds what is asked for."""

    path: UrlPath = Field(description="Path below the source's address.")
    parameters: dict[Column, Binding] = Field(
        default_factory=dict, description="Parameters of the address, each with the digest that it is given."
    )
    rows: Pointer = Field("", description="JSON Pointer to the list of rows, or to the only row; '' is the whole.")
    values: dict[Column, Pointer] = Field(
        default_factory=dict,
        description="JSON Pointer, within a row, of each value; without it the members of a row are its values.",
    )
