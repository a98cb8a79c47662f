"""`obligations/`, `review/` and `rehearsal/`: clocks, what was learnt, and whether this was practised before."""

from __future__ import annotations

from countermand.evidence.material import Material
from countermand.evidence.sections.kept import as_line
from countermand.evidence.sections.writing import Section, lines, present, pretty
from countermand.ledger.record import Kind

#: Records that say whether something was reportable, and why not. All others of `obligation.` are about clocks.
_DECIDED = ("obligation.decided", "obligation.set_aside", "obligation.opened", "obligation.closed", "profile.")


def obligations(material: Material) -> Section:
    """Clocks, decisions and filings, as their records say. Not legal advice."""
    decided = material.of(*_DECIDED)
    filed = material.of("obligation.filed")
    others = [one for one in material.of("obligation.") if one not in decided and one not in filed]
    no_clock = "no reporting clock was started in this scope, and none was set aside; not legal advice"
    return present(
        {
            "obligations/clocks.jsonl": lines(map(as_line, others)),
            "obligations/regime_decisions.jsonl": lines(map(as_line, decided)),
            "obligations/filings.jsonl": lines(map(as_line, filed)),
        },
        {
            "obligations/clocks.jsonl": no_clock,
            "obligations/regime_decisions.jsonl": "nobody decided whether something is reportable; not legal advice",
            "obligations/filings.jsonl": "nothing was filed in this scope",
        },
    )


def reviews(material: Material) -> Section:
    """The newest draft of each review, and every record about it."""
    drafts: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    for record in material.of(Kind.review_drafted.value):
        digest = record.body["draft_sha256"]
        path = f"review/{digest.removeprefix('sha256:')}.md"
        if digest in material.blobs:
            drafts[path] = material.blobs[digest].content
        else:
            why = "redacted: the draft quotes reasons of people" if material.profile == "redacted" else "not stored"
            missing[path] = why
    section = present(
        {"review/actions.jsonl": lines(map(as_line, (*material.of("review."), *material.of("action."))))},
        {"review/actions.jsonl": "no review was begun in this scope"},
    )
    if not drafts and not missing:
        missing["review/review.md"] = "no review was drafted in this scope"
    return Section(section.files | drafts, section.missing | missing)


def rehearsal(material: Material) -> Section:
    """The newest rehearsal of each playbook in scope, and of each release's rollouts by sandbox."""
    newest = {record.body["playbook_digest"]: as_line(record) for record in material.of(Kind.rehearsal_passed.value)}
    sandboxes = [
        as_line(record) for record in material.of(Kind.rollout_ended.value) if record.body["kind"] == "sandbox"
    ]
    found = {"rehearsals": [newest[digest] for digest in sorted(newest)], "sandboxes": sandboxes}
    none = "no rehearsal of these playbooks is recorded, and no sandbox of these releases"
    return present(
        {"rehearsal/last.json": pretty(found) if newest or sandboxes else b""}, {"rehearsal/last.json": none}
    )
