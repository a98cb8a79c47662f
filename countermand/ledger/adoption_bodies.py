"""Bodies of adopted playbooks and thresholds (T9, LRN-12)."""

from __future__ import annotations

from typing import Any, ClassVar

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class PlaybookAdopted(Body):
    """People signed that releases may name this playbook from now on.

    signature: base64, by the adoption key `key_id` over the canonical bytes of name, version, digest and
    previous_digest, which is empty for the first version.
    """

    KIND: ClassVar[Kind] = Kind.playbook_adopted
    name: str
    version: int
    digest: str
    previous_digest: str
    change: str
    changes: tuple[dict[str, Any], ...]
    consent_id: str
    signers: tuple[str, ...]
    key_id: str
    signature: str


class ThresholdAdopted(Body):
    """One number of the detection was changed by an adoption.

    path: a JSON pointer into the playbook; place: the same as people call it. backtest: what the change rests on, if
    anything.
    """

    KIND: ClassVar[Kind] = Kind.threshold_adopted
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    playbook: str
    version: int
    digest: str
    path: str
    before: str
    after: str
    direction: str
    reason: str
    signers: tuple[str, ...]
    consent_id: str
    backtest: str | None = None
    place: str = ""
