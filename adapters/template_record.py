"""The templates of messages, drafts and reviews are files: which ones a worker began with stands in the Ledger (T9)."""

from __future__ import annotations

from collections.abc import Mapping

from activities.ports import Ledger
from countermand.canonical import digest
from countermand.ledger.bodies import TemplatesRead, parse_body
from countermand.ledger.record import Kind
from countermand.ledger.told_bodies import TemplateFile


async def record_templates(ledger: Ledger, files: Mapping[str, str]) -> None:
    """Record these templates (sha256 by name), unless the newest record of templates says the same."""
    known = await ledger.records(kinds=[Kind.templates_read])
    last = parse_body(known[-1]) if known else None
    before = {one.name: one.sha256 for one in last.files} if isinstance(last, TemplatesRead) else {}
    if before == files:
        return
    changed = sorted(name for name in {*before, *files} if before.get(name) != files.get(name)) if before else []
    read = tuple(TemplateFile(name=name, sha256=files[name]) for name in sorted(files))
    body = TemplatesRead(digest=digest([dict(one) for one in read]), files=read, changed=tuple(changed))
    # Templates that came back after others are another record, so the record before is part of the key.
    after = known[-1].seq if known else "none"
    await ledger.append(body.entry(f"templates/{after}/{body.digest}", "worker"))
