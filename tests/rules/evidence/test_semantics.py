"""What an intact pack says about who decided, and how far it can be trusted (EVD-24, EVD-25, EVD-28)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from countermand.evidence import verify as v
from countermand.governance.decision import SignatureClass
from countermand.ledger.note import vkey
from tests import cases
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import BEGIN, DIGEST, ORIGIN, Book, Key, a_ledger, noise, rollback

WITNESS = Key("w", "witness")


def findings(**incident: Any) -> list[str]:
    report = packs.judged(packs.a_pack(a_ledger(**incident)))
    assert report.first_bad is None, str(report.first_bad)
    return [one.sentence for one in report.findings]


def test_an_approved_rollback_has_no_findings() -> None:
    assert findings() == []


def test_an_effect_that_one_of_two_approved_is_a_finding_in_an_intact_pack() -> None:
    report = packs.judged(packs.a_pack(a_ledger(approvers=1)))
    assert (report.verdict, report.exit_code(v.CONSISTENT)) == (v.CONSISTENT, v.EXIT_FINDINGS)
    assert "missing: release_owner" in report.findings[0].sentence
    assert report.findings[0].pointer == "/body/plan_digest"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"requester": cases.MARIA}, "missing: safety_lead"),
        ({"excluded": (cases.JONAS,)}, "missing: release_owner"),
        ({"need_people": 3}, "1 more"),
        ({"expires_at": BEGIN + timedelta(seconds=1)}, "in time"),
        ({"need_roles": ("safety_lead", "safety_lead")}, "missing: safety_lead"),
        ({"approval_digest": "sha256:" + "2" * 64}, "something else than what people signed"),
        ({"signature_class": SignatureClass.step_up}, "missing"),
        ({"plan_digest": "sha256:" + "2" * 64}, "nobody was asked"),
        ({"need_roles": (), "need_people": 0}, "something else than what people signed"),
    ],
)
def test_quorum_four_eyes_and_time_are_counted_again_from_the_signed_decisions(
    change: dict[str, Any], because: str
) -> None:
    found = findings(ask=change)
    assert found
    assert because in found[0]


def an_incident_and(more: Any) -> list[str]:
    book = Book()
    rollback(book)
    more(book)
    report = packs.judged(packs.a_pack(book))
    assert report.first_bad is None, str(report.first_bad)
    return [one.sentence for one in report.findings]


def test_an_effect_that_no_intent_announced_is_a_finding() -> None:
    outcome = {"result": "applied", "revert": 1, "stage": 9, "member": None}
    found = an_incident_and(lambda book: book.add("stage.outcome", outcome, incident=True, key="other/outcome/0"))
    assert "an effect that no intent announced" in found


def test_what_is_done_after_the_close_is_a_finding_and_its_review_is_not() -> None:
    def more(book: Book) -> None:
        book.add("review.closed", {}, incident=True)
        book.add("obligation.decided", {}, incident=True)
        book.add("incident.phase", {}, incident=True)

    assert [one for one in an_incident_and(more) if "after incident" in one] == [
        "incident.phase after incident 'inc-1' was closed by record 19"
    ]


def test_a_plan_that_is_not_the_one_of_its_digest_is_a_finding() -> None:
    found = an_incident_and(
        lambda book: book.add("plan", {"plan_digest": DIGEST, "plan": {"stages": []}}, incident=True)
    )
    assert "the recorded plan is not the one that its digest names" in found


def test_taking_the_rollback_back_without_a_decision_is_a_finding() -> None:
    def more(book: Book) -> None:
        intent = next(json.loads(line) for line in book.lines if '"stage.intent"' in line)
        plan = next(json.loads(line)["body"]["plan"] for line in book.lines if '"kind":"plan"' in line)
        book.add("stage.intent", intent["body"] | {"stage": 999, "desired": plan["before"]}, incident=True)

    assert "the rollback was taken back without a decision: nobody signed it" in an_incident_and(more)


def test_a_text_that_was_erased_under_a_hold_is_a_finding() -> None:
    assert findings(erase="held") == ["destroyed by record 22 while hold 'hold-1' covered it"]
    assert findings(erase="lawful") == []


def test_a_text_that_is_gone_without_a_certificate_is_a_finding() -> None:
    book = Book()
    rollback(book, erase="never")
    book.erased.add(min(book.openings))
    report = packs.judged(packs.a_pack(book))
    assert [one.sentence for one in report.findings] == ["erased, and no certificate in this pack says so"]


def test_an_intent_without_outcome_is_listed() -> None:
    def more(book: Book) -> None:
        intent = next(json.loads(line) for line in book.lines if '"stage.intent"' in line)
        book.add("stage.intent", intent["body"], incident=True, key="incident/x/other/intent")

    book = Book()
    rollback(book)
    more(book)
    assert (
        f"record {book.seq - 1}: an intent whose outcome is not in the pack"
        in packs.judged(packs.a_pack(book)).completeness
    )


# --- How far it can be trusted ----------------------------------------------------------------------------------------


def test_the_verdict_is_as_strong_as_what_the_reviewer_brought() -> None:
    book = a_ledger()
    files, line = packs.a_pack(book, witnesses=[WITNESS]), vkey(ORIGIN, book.log.public)
    point, witness = packs.checkpoint(book, 20).note.encode(), (packs.witness_vkey(WITNESS),)
    assert packs.judged(files).verdict == v.CONSISTENT
    assert packs.judged(files, log_vkey=line).verdict == v.CONSISTENT
    assert packs.judged(files, checkpoint=point, witnesses=witness).verdict == v.CONSISTENT, (
        "the key came with the pack"
    )
    assert packs.judged(files, log_vkey=line, checkpoint=point).verdict == v.ANCHORED
    assert packs.judged(files, log_vkey=line, witnesses=witness).verdict == v.WITNESSED
    assert packs.judged(files, log_vkey=line, witnesses=witness, min_witnesses=2).verdict == v.CONSISTENT
    assert packs.judged(files, log_vkey=line, witnesses=witness * 2, min_witnesses=2).verdict == v.CONSISTENT


def test_it_says_how_many_of_the_newest_records_nothing_outside_covers() -> None:
    book = a_ledger()
    line, point = vkey(ORIGIN, book.log.public), packs.checkpoint(book, 20).note.encode()
    report = packs.judged(packs.a_pack(book), log_vkey=line, checkpoint=point)
    assert "newest records that nothing of yours covers: 40 of 60" in report.lines
    assert "keys: pinned" in report.lines
    assert any(one.startswith("gaps in anchoring") for one in report.lines)


def test_a_checkpoint_of_another_history_is_a_rejection() -> None:
    book, other = a_ledger(), a_ledger(approvers=1)
    line, point = vkey(ORIGIN, book.log.public), packs.checkpoint(other, 30).note.encode()
    report = packs.judged(packs.a_pack(book), log_vkey=line, checkpoint=point)
    assert report.verdict == v.REJECTED
    assert "the record was rewritten" in str(report.first_bad)


def test_a_history_that_was_cut_does_not_reach_the_checkpoint_that_the_reviewer_holds() -> None:
    long, short = a_ledger(80), a_ledger(60)
    line, point = vkey(ORIGIN, long.log.public), packs.checkpoint(long, 80).note.encode()
    report = packs.judged(packs.a_pack(short), log_vkey=line, checkpoint=point)
    assert (report.verdict, report.exit_code(v.ANCHORED)) == (v.CONSISTENT, v.EXIT_WEAKER)
    assert "your checkpoint of size 80 cannot be compared: the pack has 60 leaves" in report.lines


def test_a_witness_that_holds_another_history_keeps_the_verdict_down_until_it_takes_a_checkpoint_again() -> None:
    book = a_ledger()
    line, witness = vkey(ORIGIN, book.log.public), (packs.witness_vkey(WITNESS),)
    book.add("checkpoint.forked", {"tree_size": 20, "place": "w1"})
    report = packs.judged(packs.a_pack(book, witnesses=[WITNESS]), log_vkey=line, witnesses=witness)
    assert report.verdict == v.CONSISTENT
    assert any(one.startswith("w1 holds another history") for one in report.lines)
    book.add("checkpoint.external", {"tree_size": 30, "place": "w1"})
    report = packs.judged(packs.a_pack(book, witnesses=[WITNESS]), log_vkey=line, witnesses=witness)
    assert report.verdict == v.WITNESSED


def test_as_many_witnesses_as_asked_for_must_have_cosigned_each_with_a_key_of_its_own() -> None:
    book = a_ledger()
    line, keys = vkey(ORIGIN, book.log.public), [Key("w", name) for name in ("one", "two", "three")]
    files = packs.a_pack(book, witnesses=keys[:2])
    known = tuple(packs.witness_vkey(key) for key in keys)
    two = packs.judged(files, log_vkey=line, witnesses=known, min_witnesses=2)
    assert two.verdict == v.WITNESSED
    assert f"witness {packs.WITNESS!r} did not cosign" in two.lines
    three = packs.judged(files, log_vkey=line, witnesses=known, min_witnesses=3)
    assert (three.verdict, three.exit_code(v.WITNESSED)) == (v.CONSISTENT, v.EXIT_WEAKER)
    stranger = packs.judged(files, log_vkey=line, witnesses=(packs.witness_vkey(Key("w", "stranger")),))
    assert stranger.verdict == v.CONSISTENT


@pytest.mark.parametrize(("ahead", "verdict"), [(299, v.WITNESSED), (301, v.REJECTED)])
def test_a_cosignature_may_be_a_little_ahead_of_the_reviewers_clock_and_not_more(ahead: int, verdict: str) -> None:
    book = a_ledger()
    files = packs.a_pack(book, witnesses=[WITNESS], cosigned_at=int(packs.NOW) + ahead)
    line = vkey(ORIGIN, book.log.public)
    assert packs.judged(files, log_vkey=line, witnesses=(packs.witness_vkey(WITNESS),)).verdict == verdict


def a_rotated_ledger(signer: Key | None = None) -> tuple[Book, Key]:
    book = a_ledger(40)
    old, new = book.log, Key("lg", "second")
    said = {"purpose": "ledger", "old_key_id": old.key_id, "key_id": new.key_id, "public": new.text}
    sign = {
        name: packs.base64.b64encode(key.sign(v.canonical(said))).decode()
        for name, key in (("signed_by_old", signer or old), ("signed_by_new", new))
    }
    book.add("key.rotated", said | sign)
    book.log = new
    noise(book, 60)
    return book, old


def test_a_key_that_replaced_the_reviewers_with_its_signature_is_pinned_too() -> None:
    book, old = a_rotated_ledger()
    report = packs.judged(packs.a_pack(book), log_vkey=vkey(ORIGIN, old.public))
    assert report.verdict == v.CONSISTENT
    assert "keys: pinned" in report.lines


def test_a_replacement_that_the_old_key_did_not_sign_is_rejected() -> None:
    book, _ = a_rotated_ledger(Key("lg", "attacker"))
    bad = packs.judged(packs.a_pack(book)).first_bad
    assert bad is not None
    assert (bad.seq, bad.pointer) == (40, "/body/signed_by_old")


def test_a_key_that_somebody_added_beside_the_first_one_is_rejected() -> None:
    book, mine = a_ledger(40), Key("gw", "attacker")
    book.add("key.added", {"purpose": "gateway", "key_id": mine.key_id, "public": mine.text, "key_origin": "auto"})
    bad = packs.judged(packs.a_pack(book)).first_bad
    assert bad is not None
    assert (bad.seq, "second first key" in bad.sentence) == (40, True)


# --- The command line -------------------------------------------------------------------------------------------------


def test_exit_codes_are_those_that_are_documented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, weak, bad = tmp_path / "good.zip", tmp_path / "finding.zip", tmp_path / "bad.zip"
    good.write_bytes(v.zip_bytes(packs.a_pack(a_ledger())))
    weak.write_bytes(v.zip_bytes(packs.a_pack(a_ledger(approvers=1))))
    bad.write_bytes(good.read_bytes() + b"x")
    assert v.main([str(good)]) == v.OK
    assert v.main([str(bad), "--json"]) == v.EXIT_REJECTED
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["first_bad"]["file"] == "the container"
    assert v.main([str(good), "--require", "anchored"]) == v.EXIT_WEAKER
    assert v.main([str(weak)]) == v.EXIT_FINDINGS
    assert v.main([str(tmp_path / "absent.zip")]) == v.EXIT_USAGE
    assert v.main([str(good), "--min-witnesses", "0"]) == v.EXIT_USAGE
    assert v.main([str(good), "--log-vkey", str(bad)]) == v.EXIT_USAGE
    with pytest.raises(SystemExit) as wrong:
        v.main([str(good), "--require", "compliant"])
    assert wrong.value.code == v.EXIT_USAGE


def test_a_full_pack_and_a_redacted_one_show_the_same_lines_and_only_one_of_them_the_words() -> None:
    book = a_ledger()
    full, redacted = packs.a_pack(book), packs.a_pack(book, profile="redacted")
    assert full["ledger/records.jsonl"] == redacted["ledger/records.jsonl"]
    assert b"the answers are wrong" in v.zip_bytes(full)
    assert b"the answers are wrong" not in v.zip_bytes(redacted)
    assert b"Mustermann" not in v.zip_bytes(full), "it was erased"
