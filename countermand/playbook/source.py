"""YAML text as plain values that remember where they were written.

YAML 1.2 without its surprises: no duplicate keys, no merge keys, no tags, no hidden characters. Limits on
size, depth and the number of values after alias expansion keep a hostile file cheap to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

Path = tuple[str | int, ...]

#: Control characters, characters that reverse the reading order, and halves of characters: people would see
#: something else than what the file says.
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({"map", "seq", "str", "null", "bool", "int", "float", "timestamp"})
_SYNTAX = (
    (r"character '\\t'", "a tab stands where spaces are needed; YAML is indented with spaces only"),
    (r"character '(.)' that cannot start", "no value can start with {0!r}; put the text in quotes"),
    (
        r"mapping values are not allowed",
        "unexpected ':'; quote a text that contains ': ', or correct the indentation",
    ),
    (r"expected ',' or '(.)'", "a list or mapping that is opened here is not closed; {0!r} is missing"),
    (r"unexpected end of stream", "a text in quotes that starts here is not closed"),
    (r"undefined alias '(.*)'", "alias *{0} has no anchor &{0} above it"),
    (r"another document", "a playbook is one document; remove the second '---'"),
    (
        r"unknown escape character (.*)",
        "a backslash before {0} means nothing in double quotes; use single quotes",
    ),
    (r"expected <block end>", "the indentation does not fit the lines above"),
    (r"could not find expected ':'", "a key is not followed by ':'"),
)


@dataclass(frozen=True)
class Flaw:
    """Something wrong with the text itself; line and column count from 1."""

    line: int
    column: int
    where: Path
    message: str


@dataclass
class Written:
    """A value and where it stands. `text` is the scalar as written; `keys` and `parts` are what is below."""

    line: int
    column: int
    value: Any = None
    text: str | None = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    parts: Mapping[str | int, Written] = field(default_factory=dict)
    size: int = 1
    depth: int = 1

    def at(self, path: Path) -> Written | None:
        """What is written at `path`, or None."""
        here: Written | None = self
        for part in path:
            here = here.parts.get(part) if here else None
        return here

    def size_at(self, path: Path) -> int:
        """How many entries the list or mapping at `path` has."""
        here = self.at(path)
        return len(here.parts) if here else 0

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column for `path`: of a scalar itself, else of its key or item, else of the parent."""
        here, line, column = self, self.line, self.column
        for part in path:
            below = here.parts.get(part)
            if below is None:
                break
            key = here.keys.get(part) if isinstance(part, str) else None
            line, column = (below.line, below.column) if below.text or key is None else key
            here = below
        return line, column

    def key_place(self, path: Path) -> tuple[int, int]:
        """Line and column of the key that `path` ends in."""
        parent = self.at(path[:-1])
        key = parent.keys.get(str(path[-1])) if parent else None
        return key or self.place(path)


def read(raw: bytes) -> tuple[Written | None, list[Flaw]]:
    """The values of a YAML file and everything wrong with its text. Never raises on any bytes."""
    if len(raw) > MAX_BYTES:
        return None, [Flaw(1, 1, (), f"the file has {len(raw):,} bytes; at most {MAX_BYTES:,} are accepted")]
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        return None, [Flaw(line, column, (), f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8")]
    if hidden := _HIDDEN.search(text):
        return None, [_hidden(text, hidden.start())]
    try:
        root = _parser().compose(text)
    except ReaderError as error:
        return None, [_hidden(text, error.position)]
    except MarkedYAMLError as error:
        return None, [_syntax(error)]
    reader = _Reader()
    if not isinstance(root, MappingNode):
        what = "the file is empty" if root is None else "a playbook is a mapping of keys to values"
        return None, [Flaw(1, 1, (), f"{what}; it starts with `schema: countermand.playbook/v1`")]
    try:
        written = reader.read(root, ())
    except _Unbounded as error:
        return None, [error.flaw]
    return written, reader.flaws


def _parser() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    return yaml


def _hidden(text: str, index: int) -> Flaw:
    line = text.count("\n", 0, index) + 1
    column = index - text.rfind("\n", 0, index)
    return Flaw(line, column, (), f"hidden character U+{ord(text[index]):04X}; remove it")


def _syntax(error: MarkedYAMLError) -> Flaw:
    if isinstance(error, MaxDepthExceededError):
        mark = error.problem_mark
        return Flaw(mark.line + 1, mark.column + 1, (), f"nested deeper than {MAX_DEPTH} levels")
    problem = str(error.problem)
    mark = error.problem_mark or error.context_mark
    for pattern, words in _SYNTAX:
        if match := re.search(pattern, problem):
            if "is not closed" in words and error.context_mark is not None:
                mark = error.context_mark
            problem = words.format(*match.groups())
            break
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Flaw(line, column, (), f"not valid YAML: {problem}")


class _Unbounded(Exception):
    """Stop reading: the rest of the file cannot be trusted to end."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


class _Reader:
    """Turns YAML nodes into plain values. An aliased node is read once and counted at each use."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self._done: dict[int, Written] = {}
        self._open: set[int] = set()
        self._size = 0

    def read(self, node: Node, where: Path) -> Written:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        known = self._done.get(id(node))
        self._size += known.size if known else 1
        if self._size > MAX_VALUES:
            raise _Unbounded(Flaw(line, column, where, f"more than {MAX_VALUES:,} values after aliases are filled in"))
        if known and len(where) + known.depth > MAX_DEPTH:
            raise _Unbounded(Flaw(line, column, where, f"nested deeper than {MAX_DEPTH} levels"))
        if known:
            return known
        if id(node) in self._open:
            raise _Unbounded(Flaw(line, column, where, "an alias refers to a value that contains it"))
        self._open.add(id(node))
        before = self._size
        written = Written(line, column)
        self._tag(node, where)
        match node:
            case MappingNode():
                self._mapping(node, where, written)
            case SequenceNode():
                items = [self.read(item, (*where, index)) for index, item in enumerate(node.value)]
                written.parts = dict(enumerate(items))
                written.value = [item.value for item in items]
            case ScalarNode():
                self._scalar(node, where, written)
        written.size = self._size - before + 1
        written.depth = 1 + max((part.depth for part in written.parts.values()), default=0)
        self._open.discard(id(node))
        self._done[id(node)] = written
        return written

    def _tag(self, node: Node, where: Path) -> None:
        tag = str(node.tag).removeprefix(_CORE)
        if tag not in _PLAIN_TAGS:
            line, column = node.start_mark.line + 1, node.start_mark.column + 1
            message = f"tag {tag!r} is not accepted; a playbook holds plain values only"
            self.flaws.append(Flaw(line, column, where, message))

    def _mapping(self, node: MappingNode, where: Path, written: Written) -> None:
        parts: dict[str | int, Written] = {}
        for key_node, value_node in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, ScalarNode):
                self.flaws.append(Flaw(line, column, where, "a key is a plain word, not a list or mapping"))
                continue
            key = key_node.value
            if key_node.tag == _CORE + "merge":
                message = "merge keys (<<) are not part of YAML 1.2; write the keys out"
                self.flaws.append(Flaw(line, column, (*where, key), message))
                continue
            if key in parts:
                message = f"key {key!r} is written twice; first in line {written.keys[key][0]}"
                self.flaws.append(Flaw(line, column, (*where, key), message))
                continue
            written.keys[key] = (line, column)
            parts[key] = self.read(value_node, (*where, key))
        written.parts = parts
        written.value = {key: part.value for key, part in parts.items()}

    def _scalar(self, node: ScalarNode, where: Path, written: Written) -> None:
        written.text = node.value
        if hidden := _HIDDEN.search(node.value):
            message = f"hidden character U+{ord(hidden[0]):04X} in the text; remove it"
            self.flaws.append(Flaw(written.line, written.column, where, message))
        written.value = node.value
        match str(node.tag).removeprefix(_CORE):
            case "null":
                written.value = None
            case "bool" if node.value.lower() in ("true", "false"):
                written.value = node.value.lower() == "true"
            case "int" if re.fullmatch(r"[-+]?[0-9]{1,18}", node.value):
                written.value = int(node.value)
            case "float" if _FLOAT.fullmatch(node.value):
                written.value = float(node.value)
