"""The draft of a review: the same records give the same bytes, and it looks back over the frozen rows (LRN-2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from temporalio.testing import ActivityEnvironment

from activities.reviewing import DraftRequest, ReviewingActivities
from adapters.templates import JinjaRenderer
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.ledger.bodies import FreezeCompleted, FrozenItem, ReviewDrafted
from countermand.ledger.record import Kind
from countermand.messages.incident import incident
from countermand.messages.review import Looked, review_facts
from countermand.review.earlier import earlier
from tests import cases, fakes, reviewing
from tests.adapters.templates.test_shipped_templates import TEMPLATES

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
#: Where the candidate turns bad.
HARM = 60


def rows() -> tuple[Row, ...]:
    detection = cases.playbook().detection

    def block(seq: int, arm: Arm) -> Block:
        bad = 8 if arm is Arm.candidate and seq >= HARM else 2 + seq % 2
        return Block(signal="hallucinations", arm=arm, state=BlockState.ok, served=100, scored=100, bad=bad)

    return tuple(
        Row(
            seq=seq,
            start=BEGIN + seq * detection.block,
            block=detection.block,
            blocks=tuple(block(seq, arm) for arm in Arm),
        )
        for seq in range(HARM + 60)
    )


async def test_lrn_2_the_same_records_give_the_same_draft_and_a_second_run_writes_nothing() -> None:
    ledger, playbook, release = fakes.FakeLedger(), cases.playbook(), cases.release()
    raw = b"".join(json.dumps(row.model_dump(mode="json")).encode() + b"\n" for row in rows())
    item = FrozenItem(
        name="signals.jsonl",
        sha256=await ledger.put_blob(raw, "application/jsonl"),
        size=len(raw),
        source="signals",
        read_at=BEGIN,
        complete=True,
        why="",
    )
    await reviewing.close_incident(ledger, "inc-1", release.release_id)
    frozen = FreezeCompleted(inventory_sha256="sha256:i", items=(item,))
    await ledger.append(frozen.entry("inc-1/freeze", "worker", incident_id="inc-1", release_id=release.release_id))
    catalogue = fakes.FakeCatalogue(playbook, release)
    renderer = JinjaRenderer(TEMPLATES)
    reviewer = ReviewingActivities(ledger, renderer, catalogue, fakes.now)
    request = DraftRequest(
        incident_id="inc-1",
        release_id=release.release_id,
        review_id="inc-1-review",
        workflow_id="review/inc-1",
        owner="release_owner",
        sign_off=playbook.review.sign_off,
        due=BEGIN + timedelta(days=5),
        now=BEGIN,
    )
    made = await ActivityEnvironment().run(reviewer.draft_review, request)
    assert await ActivityEnvironment().run(reviewer.draft_review, request) == made
    assert ledger.kinds()[Kind.review_drafted.value] == 1
    raw_draft = (await ledger.get_blob(made.draft_sha256) or (b"", ""))[0]
    for said in ("limit 20 % tighter", "The harm seems to begin", "late: it fired"):
        assert said in raw_draft.decode()
    body = ReviewDrafted.model_validate(ledger.bodies(Kind.review_drafted)[0])
    told = [one for one in await ledger.records(incident_id="inc-1") if one.seq <= body.as_of]
    view = incident(told)
    assert view is not None
    again = review_facts(view, Looked(rows=rows(), found=earlier(playbook.detection, rows())))
    assert renderer.render_review(again).encode() == raw_draft


def test_lrn_2_a_tighter_limit_would_have_been_sooner_and_its_false_alarms_are_counted_before_the_harm() -> None:
    found = earlier(cases.playbook().detection, rows())
    assert found.onset is not None
    assert HARM - 5 <= found.onset.seq <= HARM + 5
    assert found.fired_at is not None
    tighter = next(one for one in found.alternatives if one.what.endswith("tighter"))
    wider = next(one for one in found.alternatives if one.what.endswith("wider"))
    assert tighter.sooner is not None
    assert tighter.sooner >= timedelta()
    assert wider.fired_at is None or wider.fired_at >= found.fired_at
    assert tighter.false_alarms is not None


def test_where_nothing_fired_no_false_alarm_is_counted_and_nothing_is_called_sooner() -> None:
    found = earlier(cases.playbook().detection, rows()[:HARM])
    assert (found.fired_at, found.onset) == (None, None)
    assert {(one.sooner, one.false_alarms) for one in found.alternatives} == {(None, None)}
    assert earlier(cases.playbook().detection, ()).begins is None
