"""The Merkle tree over the Ledger's lines, and its two proofs (RFC 6962 §2.1, RFC 9162 §2.1.3 and §2.1.4).

leaf = SHA-256(0x00 ‖ line), node = SHA-256(0x01 ‖ left ‖ right), divided at the largest power of two below n.
A node is named `(level, index)`: it covers the `2**level` leaves from `index * 2**level` on. Complete nodes never
change, so they can be stored; everything here asks for them through `Node` and computes what is not complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

#: The hash of the complete node `(level, index)`.
Node = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """32 bytes: the leaf of one line."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """32 bytes: the node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_nodes(first_leaf: int, leaves: Sequence[bytes], node: Node) -> dict[tuple[int, int], bytes]:
    """Every node that becomes complete when `leaves` are added after the `first_leaf` leaves that are there.

    `node` is asked for complete nodes left of them only. The leaves themselves are level 0 of the answer.
    """
    made: dict[tuple[int, int], bytes] = {}
    for number, leaf in enumerate(leaves, start=first_leaf):
        level, index, value = 0, number, leaf
        made[0, number] = leaf
        while index % 2:
            left = made.get((level, index - 1)) or node(level, index - 1)
            level, index, value = level + 1, index // 2, node_hash(left, value)
            made[level, index] = value
    return made


def root(size: int, node: Node) -> bytes:
    """32 bytes: the root over the first `size` leaves."""
    return EMPTY_ROOT if size == 0 else _subtree(0, size, node)


def inclusion(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """The path that proves that leaf `index` is in the tree of `size` leaves, nearest sibling first.

    Raises ValueError when there is no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index!r} is not in a tree of {size!r} leaves; 0 to {size - 1} are")
    return _path(index, 0, size, node)


def consistency(old: int, new: int, node: Node) -> tuple[bytes, ...]:
    """The proof that the first `old` leaves of the tree of `new` leaves are the tree of `old` leaves.

    Raises ValueError unless 0 < old ≤ new.
    """
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old!r} leaves grows to one of {new!r}; 0 < old ≤ new is needed")
    return () if old == new else _grown(old, 0, new, node, whole=True)


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that this path leads to (RFC 9162 §2.1.3.2). Raises ValueError when the path has another length."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index!r} is not in a tree of {size!r} leaves; 0 to {size - 1} are")
    value, at, last, rest = leaf, index, size - 1, list(path)
    while last > 0:
        if at % 2 or at < last:
            if not rest:
                raise ValueError(f"the path for leaf {index} of {size} is too short: {len(path)} hashes")
            sibling = rest.pop(0)
            value = node_hash(sibling, value) if at % 2 else node_hash(value, sibling)
        at, last = at // 2, last // 2
    if rest:
        raise ValueError(f"the path for leaf {index} of {size} is too long: {len(path)} hashes")
    return value


def _subtree(begin: int, end: int, node: Node) -> bytes:
    size = end - begin
    level = size.bit_length() - 1
    if size == 1 << level:
        return node(level, begin >> level)
    middle = begin + _below(size)
    return node_hash(_subtree(begin, middle, node), _subtree(middle, end, node))


def _path(index: int, begin: int, end: int, node: Node) -> tuple[bytes, ...]:
    if end - begin == 1:
        return ()
    middle = begin + _below(end - begin)
    if index < middle:
        return (*_path(index, begin, middle, node), _subtree(middle, end, node))
    return (*_path(index, middle, end, node), _subtree(begin, middle, node))


def _grown(old: int, begin: int, end: int, node: Node, *, whole: bool) -> tuple[bytes, ...]:
    """RFC 6962 §2.1.2; `whole`: the old tree is this whole subtree of the old root, which the asker knows."""
    if old == end:
        return () if whole else (_subtree(begin, end, node),)
    middle = begin + _below(end - begin)
    if old <= middle:
        return (*_grown(old, begin, middle, node, whole=whole), _subtree(middle, end, node))
    return (*_grown(old, middle, end, node, whole=False), _subtree(begin, middle, node))


def _below(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
