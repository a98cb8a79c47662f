"""Adopting a playbook: what people signed is checked again, signed by the adoption key and recorded (T9)."""

from __future__ import annotations

import base64
from typing import Any, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from countermand import ids
from countermand.governance.adoption import (
    action,
    adopted,
    agreed,
    document,
    not_adopted,
    not_newest,
    not_next,
    succession,
)
from countermand.governance.adoption import signed_bytes as to_sign
from countermand.governance.directory import Governance
from countermand.governance.shipped import rights_in_force
from countermand.governance.version_lists import CONSENT_KINDS
from countermand.learning.change import KINDS, basis, change
from countermand.ledger.adoption_bodies import PlaybookAdopted, ThresholdAdopted
from countermand.ledger.bodies import ConsentOpened, parse_body
from countermand.ledger.record import Kind
from countermand.plan.target import Value
from countermand.playbook.differences import Comparison, compare
from countermand.playbook.model import Playbook


class AdoptionSigner(Protocol):
    """The adoption key."""

    @property
    def key_id(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign_bytes(self, message: bytes) -> bytes: ...


class Adoptions:
    """What stands in the Ledger about adopted playbooks. Ports: Ledger, Catalogue, AdoptionSigner."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue, key: AdoptionSigner) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._key = key

    async def of(self, name: str) -> tuple[PlaybookAdopted, ...]:
        """The adoptions of one playbook that hold, the oldest first."""
        records = await self._ledger.records(kinds=[Kind.playbook_adopted])
        return adopted(records, name, await self.keys()) if records else ()

    async def keys(self) -> dict[str, bytes]:
        """Public adoption keys by key id, the oldest first: those on record, or the file's own before any is."""
        records = await self._ledger.records(kinds=[Kind.key_added, Kind.key_rotated])
        return succession(records) or {self._key.key_id: self._key.public}

    async def refuse_run(self, playbook: Playbook, digest: str, governance: Governance) -> str:
        """Why no workflow may run by it; empty when it may."""
        if governance.playbooks.adoption == "open":
            return ""
        return not_adopted(digest, await self.of(playbook.name))

    async def refuse_release(self, playbook: Playbook, digest: str, governance: Governance) -> str:
        """Why no release may name it; empty when it may."""
        if governance.playbooks.adoption == "open":
            return ""
        return not_newest(digest, await self.of(playbook.name))

    async def next(self, playbook: Playbook) -> tuple[str, PlaybookAdopted | None, Comparison]:
        """(why this version cannot be adopted, the version in force, what would change).

        A first version is compared with what watches its service already, if anything does."""
        known = await self.of(playbook.name)
        last = known[-1] if known else None
        before = await self._catalogue.playbook(last.digest) if last else await self._watching(playbook.service)
        return not_next(playbook, known), last, compare(before, playbook)

    async def _watching(self, service: str) -> Playbook | None:
        """The playbook adopted last that watches a service, under whatever name: another name makes no laxer watch a
        new one."""
        for record in reversed(await self._ledger.records(kinds=[Kind.playbook_adopted])):
            body = PlaybookAdopted.model_validate(record.body)
            if any(one.digest == body.digest for one in await self.of(body.name)):
                playbook = await self._catalogue.playbook(body.digest)
                if playbook.service == service:
                    return playbook
        return None


class AdoptRequest(Value):
    """The consent under which people signed."""

    consent_id: str


class AdoptingActivities:
    """Ports: Ledger, Catalogue, RoleDirectory, KeyRing, AdoptionSigner."""

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, people: RoleDirectory, keys: KeyRing, key: AdoptionSigner
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._key = key
        self._adoptions = Adoptions(ledger, catalogue, key)

    @activity.defn(name="adopt_playbook")
    async def adopt_playbook(self, request: AdoptRequest) -> str:
        """Record the adoption; returns a sentence. Nothing is believed but the records and their signatures."""
        opened = await self._ledger.find(ids.consent_record(request.consent_id, "opened"))
        asked = parse_body(opened) if opened is not None else None
        if opened is None or not isinstance(asked, ConsentOpened):
            raise ApplicationError(f"no consent {request.consent_id!r} is on record", non_retryable=True)
        digest, because = str(asked.document["digest"]), str(asked.document["because"])
        playbook = await self._catalogue.playbook(digest)
        key = ids.playbook_adopted(request.consent_id)
        if await self._ledger.find(key) is not None:
            return f"Version {playbook.version} of {playbook.name} was adopted before."
        refused, last, found = await self._adoptions.next(playbook)
        rests, origins, unfounded = await self._proposal(asked, digest)
        refused = refused or unfounded
        wanted = document(playbook, digest, last, found, because, rests)
        records = await self._ledger.records(kinds=CONSENT_KINDS, after_seq=opened.seq - 1)
        table = rights_in_force((await self._people.snapshot()).governance)
        row = action(found.change, origins)
        signers, lacking = agreed(wanted, row, asked, records, self._keys.gateway_keys(), table)
        if refused or lacking:
            return f"Not adopted: {refused or 'the signatures do not hold for ' + ', '.join(lacking)}."
        if self._key.key_id != (known := list(await self._adoptions.keys())[-1]):
            raise ApplicationError(
                f"the file holds adoption key {self._key.key_id!r}, on record is {known!r}; put that key back, or "
                "change it with `python -m console.admin keys rotate adoption`"
            )
        names = tuple(one.subject for one in signers)
        previous = last.digest if last else ""
        signature = self._key.sign_bytes(to_sign(playbook.name, playbook.version, digest, previous))
        body = PlaybookAdopted(
            name=playbook.name,
            version=playbook.version,
            digest=digest,
            previous_digest=previous,
            change=found.change,
            changes=tuple(one.model_dump(mode="json") for one in found.changes),
            consent_id=request.consent_id,
            signers=names,
            key_id=self._key.key_id,
            signature=base64.b64encode(signature).decode(),
        )
        entries = [body.entry(key, "worker")]
        for one in found.changes:
            if one.path.startswith("/detection/"):
                threshold = ThresholdAdopted(
                    playbook=playbook.name,
                    version=playbook.version,
                    digest=digest,
                    **one.model_dump(),
                    reason=because,
                    signers=names,
                    consent_id=request.consent_id,
                    backtest=rests["backtest"] if rests else None,
                )
                entries.append(threshold.entry(f"{key}{one.path}", "worker"))
        await self._ledger.append(*entries)
        return f"Version {playbook.version} of {playbook.name} is in force."

    async def _proposal(self, asked: ConsentOpened, digest: str) -> tuple[dict[str, Any] | None, tuple[str, ...], str]:
        """(what the change rests on as the records have it, origins of its numbers, why that is no basis)."""
        if "proposal" not in asked.document:
            return None, (), ""
        view = change(await self._ledger.records(kinds=KINDS), str(asked.document["proposal"]["proposal_id"]))
        if view is None or view.proposed.proposed_digest != digest or view.judged is None:
            return None, (), "what people signed rests on no proposal that is on record"
        left = "; ".join(one.sentence for one in view.stops)
        return basis(view), tuple(view.proposed.origin_of.values()), left
