"""The tree and its proofs, against RFC 6962's own vectors and an implementation that is not ours."""

from __future__ import annotations

import pytest
from pymerkle import InmemoryTree, verify_inclusion

from countermand.ledger import tree

#: The inputs and roots of the tests of certificate-transparency-go, which RFC 6962 implementations share.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Grown:
    """A tree over made-up lines, and the same in pymerkle."""

    def __init__(self, size: int) -> None:
        self.lines = [f"line {number}".encode() for number in range(size)]
        self.nodes = tree.complete_nodes(0, [tree.leaf_hash(line) for line in self.lines], lambda *_: b"")
        self.other = InmemoryTree(algorithm="sha256")
        for line in self.lines:
            self.other.append_entry(line)

    def node(self, level: int, number: int) -> bytes:
        return self.nodes[level, number]


GROWN = Grown(300)


def test_the_shared_vectors_of_rfc_6962_give_their_roots() -> None:
    leaves = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES]
    nodes = tree.complete_nodes(0, leaves, lambda *_: b"")
    for size, root in enumerate(ROOTS, start=1):
        assert tree.root(size, lambda level, number: nodes[level, number]).hex() == root
    assert tree.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_root_up_to_300_equals_that_of_another_implementation() -> None:
    for size in range(1, 301):
        assert tree.root(size, GROWN.node) == GROWN.other.get_root(size), size


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100, 255, 300])
def test_every_record_is_proved_under_the_root_of_the_other_implementation_and_no_other_place_is(size: int) -> None:
    root = GROWN.other.get_root(size)
    for index in range(size):
        path, leaf = tree.inclusion(index, size, GROWN.node), tree.leaf_hash(GROWN.lines[index])
        assert tree.root_from_inclusion(leaf, index, size, path) == root
        theirs = GROWN.other.prove_inclusion(index + 1, size)
        verify_inclusion(leaf, root, theirs)
        assert {leaf.hex(), *(one.hex() for one in path)} == set(theirs.serialize()["path"])
        for wrong in {index - 1, index + 1} & set(range(size)):
            assert not leads(leaf, wrong, size, path, root)


def leads(leaf: bytes, index: int, size: int, path: tuple[bytes, ...], root: bytes) -> bool:
    try:
        return tree.root_from_inclusion(leaf, index, size, path) == root
    except ValueError:
        return False


def test_growth_is_proved_between_many_pairs_of_roots_of_the_other_implementation() -> None:
    for new in (1, 2, 5, 8, 33, 128, 300):
        for old in range(1, new + 1):
            ours = tree.consistency(old, new, GROWN.node)
            assert consistent(old, new, GROWN.other.get_root(old), GROWN.other.get_root(new), ours), (old, new)
            if old > 1:
                assert not consistent(old - 1, new, GROWN.other.get_root(old - 1), b"x" * 32, ours)


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: tuple[bytes, ...]) -> bool:
    """RFC 9162 §2.1.4.2, by the letter."""
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not path:
        return False
    fr = sr = path[0]
    for one in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = tree.node_hash(one, fr), tree.node_hash(one, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = tree.node_hash(sr, one)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (old_root, new_root, 0)


def test_a_tree_that_grows_by_parts_has_the_nodes_of_one_that_grew_at_once() -> None:
    nodes: dict[tuple[int, int], bytes] = {}
    leaves = [tree.leaf_hash(line) for line in GROWN.lines]
    first = 0
    for step in (1, 2, 3, 50, 7, 64, 173):
        known = dict(nodes)
        nodes |= tree.complete_nodes(first, leaves[first : first + step], lambda *name, known=known: known[name])
        first += step
    assert nodes == GROWN.nodes


@pytest.mark.parametrize(
    "call",
    [
        lambda: tree.inclusion(5, 5, GROWN.node),
        lambda: tree.inclusion(-1, 5, GROWN.node),
        lambda: tree.consistency(0, 5, GROWN.node),
        lambda: tree.consistency(6, 5, GROWN.node),
        lambda: tree.root_from_inclusion(b"", 3, 3, ()),
        lambda: tree.root_from_inclusion(b"", 1, 4, (b"",)),
        lambda: tree.root_from_inclusion(b"", 1, 2, (b"", b"")),
    ],
)
def test_what_no_tree_has_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"leaf|tree|path"):
        call()  # type: ignore[operator]
