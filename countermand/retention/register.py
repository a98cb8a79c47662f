"""Which holds are in force, and the certificate of what was deleted: the Ledger's records folded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from countermand.ledger import tree
from countermand.ledger.bodies import HoldPlaced, HoldReleased, parse_body
from countermand.ledger.record import Kind, Record
from countermand.retention.holding import Hold

#: The records that this folds.
KINDS = (Kind.hold_placed, Kind.hold_released)


def holds_in_force(records: Iterable[Record]) -> list[Hold]:
    """Every hold that nobody released, in the order in which they were placed.

    Two that got the same name both stand: nobody ends a hold by placing another one.
    """
    found: dict[tuple[str, str], Hold] = {}
    for record in records:
        match parse_body(record):
            case HoldPlaced() as body:
                found.setdefault(
                    (body.hold_id, body.decision_id),
                    Hold(
                        hold_id=body.hold_id,
                        scope=body.scope,
                        reason=body.reason,
                        matter=body.matter,
                        placed_by=body.name,
                        placed_at=record.at,
                        custodians=body.custodians,
                    ),
                )
            case HoldReleased() as body:
                found = {name: hold for name, hold in found.items() if hold.hold_id != body.hold_id}
    return list(found.values())


def ids_root(salt: bytes, ids: Sequence[str]) -> str:
    """64 hex digits: the Merkle root over SHA-256(salt ‖ id) of the sorted ids (RFC 6962). Whoever kept the list of ids
    can check it; the root alone tells nothing about them."""
    leaves = [tree.leaf_hash(hashlib.sha256(salt + one.encode()).digest()) for one in sorted(ids)]
    nodes = tree.complete_nodes(0, leaves, lambda _level, _index: b"")
    return tree.root(len(leaves), lambda level, index: nodes[level, index]).hex()
