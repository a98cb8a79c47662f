"""Do the workers encrypt with the key of this console? A process with another one cannot read what the others write."""

from __future__ import annotations

from typing import Any

from adapters.payload_codec import KEY_WORD
from console.deps import Console
from console.temporal import OutcomeUnknown


async def payload_keys_check(deps: Console) -> dict[str, Any]:
    """A check for `/readyz` and `countermand doctor`: the payload key of every worker that asked for work lately."""
    ours = deps.codec.key_id
    try:
        workers = await deps.workflows.workers()
    except OutcomeUnknown as error:
        return _check(False, f"it is not known which payload keys the workers have: {error}")
    others = [one.replace(KEY_WORD, "") for one in workers if one.partition(KEY_WORD)[2] != ours]
    if others:
        return _check(
            False,
            f"this console encrypts with payload key {ours}, but another one is used by {'; '.join(others)}. Put the "
            "same files into keys/codec everywhere, then start those workers again. A worker that ended is named here "
            "for five more minutes.",
        )
    fine = f"workers and console encrypt with {ours}" if workers else f"no worker asks for work; ours is {ours}"
    return _check(True, fine)


def _check(fine: bool, sentence: str) -> dict[str, Any]:
    return {"name": "payload keys", "ok": fine, "sentence": sentence}
