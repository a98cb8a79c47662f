"""Records that contradict each other, and sections that contradict the records (EVD-23, EVD-24)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from countermand.canonical import canonical, instant
from countermand.evidence import verify as v
from countermand.evidence.sections.writing import lines
from countermand.ledger.commitment import commitment
from countermand.ledger.note import vkey
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import BEGIN, DIGEST, ORIGIN, RELEASE, Book, Key, a_ledger, rollback

OTHER = "sha256:" + "2" * 64


def findings(tell: Callable[[Book], None]) -> list[str]:
    """What is found in a pack of records that are told after an approved rollback."""
    book = Book()
    rollback(book)
    tell(book)
    report = packs.judged(packs.a_pack(book))
    assert report.first_bad is None, str(report.first_bad)
    return [one.sentence for one in report.findings]


# --- Clocks -----------------------------------------------------------------------------------------------------------


def clock(begin: str, due: str, *, latest: str | None = None, said: dict[str, Any] | None = None) -> list[str]:
    """A clock that counts from `begin`. said: what a person recorded of the event before."""

    def tell(book: Book) -> None:
        if said is not None:
            book.add("obligation.anchor", {"event": "aware"} | said, incident=True)
        body = {"row_id": "r-1", "anchor_event": "aware", "anchor_at": begin, "due": due, "legal_latest": latest}
        book.add("obligation.clock", body, incident=True)

    return findings(tell)


EARLY, NOON, LATER = (f"2026-03-02T{hour}:00:00.000000Z" for hour in ("09", "12", "15"))


def test_a_clock_counts_from_an_instant_that_somebody_recorded() -> None:
    said = {"at": NOON, "on": None}
    assert clock(NOON, LATER, said=said) == []
    assert clock(EARLY, LATER, said=said) == [f"no record says that something happened at {EARLY}"]
    assert clock(EARLY, LATER, said={"at": None, "on": "2026-03-02"}) == [], "of a day alone the hour is not known"


def test_a_clock_may_count_from_a_record_of_the_incident() -> None:
    book = Book()
    rollback(book)
    [opened] = [json.loads(line)["at"] for line in book.lines if '"kind":"incident.opened"' in line]
    assert clock(opened, LATER) == []


@pytest.mark.parametrize(("due", "latest"), [(EARLY, None), (LATER, EARLY)])
def test_a_clock_that_ends_before_it_begins_is_a_finding(due: str, latest: str | None) -> None:
    assert clock(NOON, due, latest=latest, said={"at": NOON, "on": None}) == ["the clock 'r-1' ends before it begins"]


# --- Thresholds in force ----------------------------------------------------------------------------------------------


ADOPTION = Key("ad", "adoption")


def adopt(book: Book, version: int, digest: str, previous: str = "", key: Key = ADOPTION) -> None:
    said = {"name": "pb", "version": version, "digest": digest, "previous_digest": previous}
    signature = base64.b64encode(key.sign(canonical(said))).decode()
    book.add("playbook.adopted", said | {"key_id": key.key_id, "signature": signature})


def register(book: Book, digest: str, release: str = "r-2") -> None:
    book.add("release.registered", {"playbook_digest": digest}, release=release)


def with_adoption(tell: Callable[[Book], None]) -> list[str]:
    def story(book: Book) -> None:
        body = {"purpose": "adoption", "key_id": ADOPTION.key_id, "public": ADOPTION.text, "key_origin": "auto"}
        book.add("key.added", body)
        tell(book)

    return findings(story)


def test_a_release_names_a_playbook_that_people_adopted() -> None:
    def adopted(book: Book) -> None:
        adopt(book, 1, DIGEST)
        adopt(book, 2, OTHER, DIGEST)
        register(book, OTHER)

    def not_adopted(book: Book) -> None:
        adopt(book, 1, DIGEST)
        register(book, OTHER)

    assert with_adoption(adopted) == []
    assert with_adoption(not_adopted) == ["a release by a playbook that nobody adopted"]
    assert findings(lambda book: register(book, OTHER)) == [], "this ledger asks for no adoption"


def test_an_adoption_is_signed_and_follows_the_one_before_it() -> None:
    assert with_adoption(lambda book: adopt(book, 1, DIGEST, key=Key("ad", "attacker"))) == [
        "no adoption key in use signed this version of the playbook"
    ]

    def back(book: Book) -> None:
        adopt(book, 2, OTHER)
        adopt(book, 1, DIGEST, OTHER)

    assert with_adoption(back) == ["this version of the playbook does not follow the one before it"]


def test_a_plan_rests_on_the_thresholds_of_its_release() -> None:
    def tell(book: Book) -> None:
        plan = next(json.loads(line)["body"]["plan"] for line in book.lines if '"kind":"plan"' in line)
        register(book, OTHER, RELEASE)
        book.add("plan", {"plan": plan, "plan_digest": "sha256:" + v.sha256(v.canonical(plan))}, incident=True)

    assert "a plan by other thresholds than its release's" in findings(tell)


# --- Holds ------------------------------------------------------------------------------------------------------------


def hold(**scope: list[str]) -> dict[str, Any]:
    empty: dict[str, list[str]] = {name: [] for name in ("incidents", "releases", "classes", "subjects", "digests")}
    return {"hold_id": "h-9", "scope": empty | scope}


def purged(scope: dict[str, list[str]], certificate: dict[str, Any]) -> list[str]:
    """A purge of the text in the next record, or of samples, while a hold is in force."""

    def tell(book: Book) -> None:
        book.add("comms.corrected", {"reason": book.commit("/reason", "a word"), "subject": "local|ann"}, incident=True)
        place = (book.seq - 1, "/reason")
        salt, value = book.openings[place]
        item = commitment(value, bytes.fromhex(salt))
        book.add("hold.placed", hold(**{name: [item] if one == ["it"] else one for name, one in scope.items()}))
        texts = {"what": "texts", "class_id": "typed", "count": 1, "items": [item], "releases": []}
        book.add("purge.certificate", texts | certificate)
        if not certificate:
            book.erased.add(place)

    return findings(tell)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({"incidents": ["inc-1"]}, True),
        ({"incidents": ["inc-2"]}, False),
        ({"releases": [RELEASE]}, True),
        ({"classes": ["typed"]}, True),
        ({"classes": ["samples"]}, False),
        ({"subjects": ["local|ann"]}, True),
        ({"subjects": ["local|bob"]}, False),
        ({"digests": ["it"]}, True),
        ({"digests": ["0" * 64]}, False),
        ({"incidents": ["inc-1"], "subjects": ["local|bob"]}, False),
    ],
)
def test_a_certificate_for_what_a_hold_covers_is_a_finding(scope: dict[str, list[str]], covered: bool) -> None:
    found = purged(scope, {})
    assert [one.endswith("while hold 'h-9' covered it") for one in found] == [True] * covered


@pytest.mark.parametrize(
    ("scope", "certificate", "covered"),
    [
        ({"releases": ["r-1"]}, {"releases": ["r-1"]}, True),
        ({"releases": ["r-2"]}, {"releases": ["r-1"]}, False),
        ({"classes": ["samples"]}, {"releases": ["r-1"]}, True),
        ({"releases": ["r-2"]}, {"what": "sums"}, True),
        ({"releases": ["r-1"]}, {"releases": ["r-1"], "count": 0}, False),
    ],
)
def test_samples_of_a_release_under_a_hold_are_not_purged(
    scope: dict[str, list[str]], certificate: dict[str, Any], covered: bool
) -> None:
    found = purged(scope, {"what": "samples", "class_id": "samples", "items": []} | certificate)
    assert [one.endswith("while hold 'h-9' covered it") for one in found] == [True] * covered


# --- Sections ---------------------------------------------------------------------------------------------------------


def signed_anew(change: Callable[[dict[str, bytes]], dict[str, bytes]], log: Key | None = None) -> v.Report:
    """A pack whose files under the manifest were changed and signed again by the ledger key itself."""
    book = a_ledger()
    files = packs.a_pack(book)
    said = json.loads(files["manifest.json"])
    own = change({one["path"]: files[one["path"]] for one in said["files"]})
    said["files"] = [
        {"path": path, "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "media_type": "text/plain"}
        for path, raw in sorted(own.items())
    ]
    return packs.judged(packs.finished(book, own, canonical(said), log or book.log))


def without(path: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {name: raw for name, raw in files.items() if name != path}


def edited(path: str, change: Callable[[list[Any]], object]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def edit(files: dict[str, bytes]) -> dict[str, bytes]:
        found = v.entries(files[path], path)
        change(found)
        value = found if path != "population/gaps.json" else found[0]
        return files | {path: lines(found) if path.endswith(".jsonl") else json.dumps(value).encode()}

    return edit


def test_a_pack_that_is_signed_anew_without_a_change_is_intact() -> None:
    assert signed_anew(lambda files: files).verdict == v.CONSISTENT


@pytest.mark.parametrize("path", ["timeline.jsonl", "plan/executed.json", "population/gaps.json", "SUMMARY.html"])
def test_a_section_that_is_silently_missing_is_rejected_although_its_own_key_signed_that(path: str) -> None:
    bad = signed_anew(without(path)).first_bad
    assert bad is not None
    assert (bad.file, bad.sentence) == (path, "it is not in the pack, and the manifest does not say why")


@pytest.mark.parametrize(
    ("path", "change", "pointer"),
    [
        ("timeline.jsonl", lambda found: found[9].update(at="2026-01-01T00:00:00.000000Z"), "/9/at"),
        ("timeline.jsonl", lambda found: found[10].update(actor="somebody"), "/10/actor"),
        ("timeline.jsonl", lambda found: found.pop(), None),
        ("timeline.jsonl", lambda found: found.append(found[-1]), None),
        ("decisions.jsonl", lambda found: found[0].update(kind="reject"), "/0/kind"),
        ("decisions.jsonl", lambda found: found[0]["actor"].update(printed_name="Eve"), "/0/actor"),
        ("decisions.jsonl", lambda found: found.clear(), None),
        ("plan/requested.json", lambda found: found[0]["plan"].update(severity="sev4"), "/0/plan"),
        ("plan/approved.json", lambda found: found[0].update(seq=3), "/0/seq"),
        ("plan/executed.json", lambda found: found[1]["outcome"].update(result="rejected"), "/1/outcome"),
        ("plan/executed.json", lambda found: found[1].update(outcome=None), "/1/outcome"),
        ("population/gaps.json", lambda found: found[0].update(records=1), "/0/records"),
        ("population/gaps.json", lambda found: found[0]["records_by_kind"].pop("decision"), "/0/records_by_kind"),
    ],
)
def test_a_section_that_says_something_else_than_the_records_is_rejected(
    path: str, change: Callable[[list[Any]], object], pointer: str | None
) -> None:
    bad = signed_anew(edited(path, change)).first_bad
    assert bad is not None
    assert (bad.file, bad.pointer) == (path, pointer)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("timeline.csv", b"incident.closed", b"incident.opened"),
        ("population/all_rollbacks.csv", b"reverted", b"expired"),
    ],
)
def test_a_table_that_says_something_else_than_the_records_is_rejected(path: str, before: bytes, after: bytes) -> None:
    bad = signed_anew(lambda files: files | {path: files[path].replace(before, after)}).first_bad
    assert bad is not None
    assert (bad.file, bad.sentence) == (path, "it says something else than the record")


def test_a_pack_that_calls_itself_after_another_ledger_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "ORIGIN", "countermand/test/another")
    book = a_ledger()
    report = packs.judged(packs.a_pack(book), log_vkey=vkey("countermand/test/another", book.log.public))
    assert report.first_bad is not None
    assert (report.first_bad.seq, report.first_bad.pointer) == (0, "/body/ledger_id")
    assert ORIGIN not in report.first_bad.sentence


# --- Everything anew, by whoever holds other keys ---------------------------------------------------------------------


def drop_a_vote(records: list[dict[str, Any]]) -> None:
    records.remove(next(one for one in records if one["kind"] == "decision"))


def move_a_time(records: list[dict[str, Any]]) -> None:
    next(one for one in records if one["kind"] == "ask.closed")["at"] = instant(BEGIN)


def change_a_plan(records: list[dict[str, Any]]) -> None:
    body = next(one for one in records if one["kind"] == "plan")["body"]
    body["plan"]["residual_bp"] = 1
    body["plan_digest"] = "sha256:" + v.sha256(v.canonical(body["plan"]))


def change_an_outcome(records: list[dict[str, Any]]) -> None:
    next(one for one in records if one["kind"] == "stage.outcome")["body"]["result"] = "already"


def nothing(records: list[dict[str, Any]]) -> None:
    """Only the keys are others."""


def forged(change: Callable[[list[dict[str, Any]]], None]) -> Book:
    """The whole ledger written anew after a change of its records, every signature by keys of the attacker."""
    book, other = a_ledger(), Book(Key("lg", "attacker"))
    other.gateway = Key("gw", "attacker")
    ours = {book.log.key_id: other.log, book.gateway.key_id: other.gateway}
    records = [json.loads(line) for line in book.lines]
    change(records)
    other.lines = []
    for number, one in enumerate(records):
        if one["kind"] == "key.added":
            key = ours[one["body"]["key_id"]]
            one["body"] |= {"key_id": key.key_id, "public": key.text}
        if one["kind"] == "decision":
            said = one["body"]["decision"] | {"gateway_key_id": other.gateway.key_id}
            said.pop("signature")
            one["body"]["decision"] = said | {
                "signature": base64.b64encode(other.gateway.sign(canonical(said))).decode()
            }
        for pointer, _ in v.commitments(one["body"]):
            other.openings[number, pointer] = book.openings[one["seq"], pointer]
        other.erased |= {(number, pointer) for seq, pointer in book.erased if seq == one["seq"]}
        prev = v.sha256(other.lines[-1].encode()) if other.lines else "0" * 64
        other.lines.append(canonical(one | {"seq": number, "prev": prev}).decode())
    other.at = book.at
    return other


@pytest.mark.parametrize("change", [nothing, drop_a_vote, move_a_time, change_a_plan, change_an_outcome])
def test_a_ledger_written_anew_under_other_keys_agrees_with_itself_and_not_with_the_key_that_a_reviewer_holds(
    change: Callable[[list[dict[str, Any]]], None],
) -> None:
    files = packs.a_pack(forged(change))
    own = packs.judged(files)
    assert (own.verdict, "keys: from the pack" in own.lines) == (v.CONSISTENT, True), str(own.first_bad)
    pinned = packs.judged(files, log_vkey=vkey(ORIGIN, Key("lg", "log").public))
    assert (pinned.verdict, pinned.first_bad and pinned.first_bad.file) == (v.REJECTED, "keys/log.vkey")
    held = packs.judged(files, checkpoint=packs.checkpoint(a_ledger(), 40).note.encode())
    assert (held.verdict, held.first_bad and held.first_bad.file) == (v.REJECTED, "--checkpoint")
