"""Erasing the words of one person leaves what is held about others, and the messages that others read."""

from __future__ import annotations

import pytest

from activities.ports import LedgerConflict
from adapters.database import Database
from adapters.erasure import Request, _blanked
from tests.adapters.storage.test_vault import CANARY, a_hold, concern, eraser, store

ASKED = Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy")


@pytest.mark.parametrize("scope", [{"subjects": ("local|jonas",)}, {"digests": ("sha256:page",)}])
async def test_a_page_that_quotes_somebody_whose_words_are_held_survives_the_erasure_of_another(
    db: Database, scope: dict[str, tuple[str, ...]]
) -> None:
    ledger = store(db)
    said = [concern(1, CANARY), concern(2, "what Jonas said", "local|jonas")]
    await ledger.append(*[entry.model_copy(update={"incident_id": "inc-1"}) for entry in said])
    page = await ledger.put_blob(f"<p>{CANARY}, what Jonas said</p>".encode(), "text/html", "inc-1")
    await ledger.append(a_hold(**scope))
    answers = await eraser(db).erase(ASKED)
    assert await ledger.get_blob(page) is not None
    assert [answer.KIND.value for answer in answers][-1] == "erasure.refused"
    assert "hold-1" in answers[-1].basis  # type: ignore[union-attr]


async def test_the_same_request_again_gives_the_same_answer_and_another_person_needs_another_id(db: Database) -> None:
    await store(db).append(concern())
    first = await eraser(db).erase(ASKED)
    assert await eraser(db).erase(ASKED) == first
    with pytest.raises(LedgerConflict, match="somebody else"):
        await eraser(db).erase(ASKED.model_copy(update={"subject": "local|jonas"}))


def test_a_short_word_of_one_person_does_not_tear_what_others_read() -> None:
    assert _blanked("nobody said no.", ["no"]) == "nobody said [erased]."
    assert _blanked({"text": f"Maria: {CANARY}!"}, [CANARY]) == {"text": "Maria: [erased]!"}
