"""Whether a request comes from Slack: HMAC-SHA256 over `v0:{timestamp}:{raw body}` (SLK-14, T1).

Over the bytes as they came: the SDK's verifier decodes them first and fails on what is not UTF-8.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

#: Seconds by which a request may be older or newer than now.
WINDOW = 300


def genuine(secrets: Sequence[str], timestamp: str, signature: str, body: bytes, now: datetime) -> bool:
    """Whether one of the secrets signed exactly these bytes at about this time. No secret: nothing is genuine."""
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now.timestamp() - int(timestamp)) > WINDOW:
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = [b"v0=" + hmac.new(one.encode(), signed, hashlib.sha256).hexdigest().encode() for one in secrets]
    given = signature.encode("utf-8", "replace")
    return any([hmac.compare_digest(one, given) for one in expected])
