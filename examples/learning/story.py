"""The turn itself: an incident, its review, a proposal, a backtest, a shadow, signatures, the next watch, 30 days."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from countermand import ids
from countermand.detection.blocks import Row
from countermand.detection.planted import Harm
from countermand.learning.editing import pointer_of, renumbered, with_value
from countermand.ledger.record import Kind, Record
from countermand.plan.model import Bundle, Release
from countermand.playbook.load import parse
from countermand.playbook.model import Playbook
from rehearsal.acts import Acts
from rehearsal.people import Played, Refusal
from rehearsal.sandbox import Sandbox
from scripts.synthetic_history import Story as MadeUp
from scripts.synthetic_history import incident

from examples.learning.past import SEED
from examples.learning.world import AMIRA, JONAS, LENA, MARIA, PIPELINE, SHARE_BP, World, usual

_T = TypeVar("_T")
_LOOK = 0.1  # seconds
_SECOND = timedelta(seconds=1)
#: What the users of the first release get.
BAD = MadeUp(
    "invented-prices",
    {"hallucinations": 0.03},
    "The new version invents prices.",
    at=timedelta(minutes=30),
    lasts=timedelta(hours=2),
)
_PARTS = {
    "narrative": "The new version was watched for half an hour. Then it named prices that no page names, and two "
    "people took it back in three steps.",
    "factors": "The index lost its price pages, and the release checks asked no question about prices.",
    "sense": "Everybody saw good numbers in the release checks, and they had been right every time before.",
    "misread": "The alarm about invented answers was right. The one about refusals had rung so often without a reason "
    "that people no longer opened it.",
    "harms": "Customers were told wrong prices for some minutes. No group was told more of them than another.",
    "surprises": "The release checks had passed, all of them.",
    "went_well": "The watch fired, and two people read the same evidence and agreed.",
    "lucky": "It happened in office hours, and both people were there.",
    "went_poorly": "People looked at the alarm about refusals first.",
}


@dataclass(frozen=True)
class Change:
    """One value of the detection that people change, and why. word: what it does; trigger: whose value it is.

    spike: what is worse in five blocks of the next release: too short to call people, long enough to be looked at.
    """

    word: str
    trigger: str
    spike: Harm
    place: str
    value: str
    origin: str
    hypothesis: str
    effect: str
    rollback_if: str
    signers: tuple[str, ...]
    shadow_days: int | None = None
    shadow_because: str | None = None


LOOSER = Change(
    word="looser",
    trigger="refused",
    spike=Harm(signal="refusals", part=0.03),
    place="detection.triggers[1].any[0].tolerate.ratio",
    value="1.4",
    origin="measured",
    hypothesis="A limit of 1.2 for refusals calls people over differences that no user notices.",
    effect="Every recorded incident with refusals is still found, and people open the alarm again.",
    rollback_if="An incident with refusals is found later than within fifteen minutes.",
    signers=(AMIRA, MARIA, JONAS),
)
TIGHTER = Change(
    word="tighter",
    trigger="invented",
    spike=Harm(signal="hallucinations", part=0.03),
    place="detection.triggers[0].any[0].tolerate.ratio",
    value="1.3",
    origin="measured",
    hypothesis="A limit of 1.5 for invented answers let a slow drift go on for longer than needed.",
    effect="The same drift is found earlier, and no quiet day rings.",
    rollback_if="More than one false alarm in two weeks.",
    signers=(AMIRA, MARIA),
    shadow_days=0,
    shadow_because="It only makes the watch stricter, and the review asked for it before the next release.",
)


class Turn:
    """Played in one sandbox by the people of the world, through the console's own door."""

    def __init__(self, world: World, box: Sandbox, people: Played, text: bytes) -> None:
        self.world = world
        self.box = box
        self.people = people
        self.text = text
        self.playbook: Playbook = parse(text)
        self.acts = Acts(people, box.stores.ledger, _no_release)

    async def adopt_first(self) -> str:
        """Two people adopt the first version; returns its digest."""
        digest = await self._sent(self.text)
        asked = await self.people.call(
            PIPELINE,
            "POST",
            f"/api/v1/playbooks/{digest}/adoption",
            json={"reason": "The first version of the help desk."},
        )
        for who in (AMIRA, MARIA):
            await self._sign(who, str(asked["consent_id"]), "Read it, and it fits the help desk.")

        async def adopted() -> bool:
            found = await self.people.call(LENA, "GET", f"/api/v1/playbooks/{self.playbook.name}/adoptions")
            return bool(found["items"])

        await until(adopted, "the first version is adopted")
        return digest

    # --- releases -----------------------------------------------------------------------------------------------

    async def release(self, release_id: str, digest: str, rows: Sequence[Row], began: datetime) -> None:
        """Register a release whose watch began at `began`: every block since then is due at once."""
        self.world.source.plan(release_id, rows)
        body = {
            "release_id": release_id,
            "environment": "example",
            "service": self.playbook.service,
            "candidate": _bundle(release_id).model_dump(),
            "baseline": _bundle("help-desk-v6").model_dump(),
            "playbook_digest": digest,
            "owner": LENA,
        }
        self.world.target.edit(self.playbook.revert.member, SHARE_BP)
        known = Release.model_validate({**body, "registered_by": PIPELINE})
        await self.box.console.catalogue.put_release(known, began)
        await self.people.call(PIPELINE, "POST", "/api/v1/releases", json=body)

    async def quiet_release(self, release_id: str, digest: str, blocks: int, spike: Harm | None = None) -> list[Record]:
        """A release that does as expected, but for a spike in its last five blocks; returns the verdicts on record."""
        began = self.world.clock().replace(microsecond=0)
        self.world.clock.forward(blocks * self.playbook.detection.block + _SECOND)
        await self.release(release_id, digest, list(usual(self.playbook, release_id, blocks, began, spike)), began)

        async def judged() -> list[Record]:
            if await self.box.console.signals.sealed(release_id) < blocks:
                return []
            return await self.box.stores.ledger.records(release_id=release_id, kinds=[Kind.verdict])

        return await until(judged, f"{release_id} is judged")

    async def incident(self, digest: str) -> str:
        """Harm begins, the watch fires, two people take the release back; returns the incident."""
        release_id, block = "help-desk-v7", self.playbook.detection.block
        now = self.world.clock().replace(microsecond=0)
        episode, _ = incident(self.playbook.detection, self.playbook.service, BAD, now, SEED)
        assert episode.fired_at is not None  # noqa: S101, the story is about a watch that fires
        began = now - (episode.fired_at - now)
        _, rows = incident(self.playbook.detection, self.playbook.service, BAD, began, SEED)
        self.harm_start = began + BAD.at
        await self.release(release_id, digest, rows, began)

        async def asked() -> str:
            items = (await self.people.call(LENA, "GET", "/api/v1/asks"))["items"]
            return next((str(one["ask_id"]) for one in items if one["status"] == "pending"), "")

        ask_id = await until(asked, "people are asked")
        for who, why in ((JONAS, "Prices are invented."), (LENA, "I saw three of these answers myself.")):
            await self.people.vote(who, ask_id, "approve", f"Read the evidence and the plan. {why}")

        async def taken_back() -> bool:
            return self.world.target.share(self.playbook.revert.member) == 0

        await until(taken_back, "nobody gets the new version")
        self.world.clock.forward(4 * block)  # what users get from now on is measured at once

        async def closed() -> str:
            records = await self.box.stores.ledger.records(release_id=release_id, kinds=[Kind.incident_closed])
            return str(records[0].incident_id) if records else ""

        return await until(closed, "the incident is closed")

    # --- the review ---------------------------------------------------------------------------------------------

    async def review(self, incident_id: str) -> None:
        """People write its parts, open one action and sign."""
        path = f"/api/v1/reviews/{incident_id}"

        async def drafted() -> bool:
            items = (await self.people.call(LENA, "GET", "/api/v1/reviews"))["items"]
            return any(one["incident_id"] == incident_id for one in items)

        await until(drafted, "the review is drafted")
        for part, text in _PARTS.items():
            terms = {"act": "part", "part": part, "text": text}
            if part == "factors":
                terms["factors"] = "evaluation_gap,signal_late"
            await self.people.call(LENA, "POST", f"{path}/acts", json={"terms": terms})
        action = {
            "act": "open_action",
            "type": "detect",
            "text": "Change the limits of both alarms, and try them on the past before that.",
            "owner": AMIRA,
            "due": f"{self.world.clock() + timedelta(days=14):%Y-%m-%d}",
            "verification": "Both changes are in force, and the next release was watched by them.",
        }
        await self.people.call(LENA, "POST", f"{path}/acts", json={"terms": action})
        for who in (JONAS, MARIA):
            signed = {"reason": "Read it.", "undecided_regimes": "eu_ai_act,gdpr"}
            await self.people.call(who, "POST", f"{path}/signatures", json=signed)
        episode = "/api/v1/episodes/watch-help-desk-v7/labels"
        label = {"kind": "incident", "harm_start": self.harm_start.isoformat(), "version": 1, "note": "See the review."}
        await self.people.call(JONAS, "POST", episode, json=label)

    # --- one change ---------------------------------------------------------------------------------------------

    async def propose(self, change: Change, incident_id: str) -> str:
        """Lena proposes it from the review; returns the proposal."""
        now = await self.people.call(LENA, "GET", "/api/v1/thresholds-in-force", params={"incident": incident_id})
        text = renumbered(with_value(now["text"].encode(), change.place, change.value), int(now["version"]) + 1)
        body = {
            "proposed_digest": await self._sent(text),
            "hypothesis": change.hypothesis,
            "expected_effect": change.effect,
            "rollback_condition": change.rollback_if,
            "origins": {pointer_of(change.place): change.origin},
            "shadow_days": change.shadow_days,
            "shadow_because": change.shadow_because,
            "review_of": incident_id,
        }
        return str((await self.people.call(LENA, "POST", "/api/v1/thresholds", json=body))["proposal_id"])

    async def reaches(self, proposal_id: str, *statuses: str, within: float = 120.0) -> dict[str, Any]:
        """The proposal, once it is there. Raises RuntimeError when it ended elsewhere."""

        async def there() -> dict[str, Any] | None:
            found = await self._proposal(proposal_id)
            if found is not None and found["status"] not in (*statuses, *_ON_THE_WAY):
                raise RuntimeError(f"{proposal_id} is {found['status']!r}: {found['sentence']}")
            return found if found is not None and found["status"] in statuses else None

        return await until(there, f"{proposal_id} is {statuses[0]}", within)

    async def _proposal(self, proposal_id: str) -> dict[str, Any] | None:
        items = (await self.people.call(LENA, "GET", "/api/v1/thresholds"))["items"]
        return next((one for one in items if one["proposal_id"] == proposal_id), None)

    async def sign(self, proposal_id: str, change: Change) -> None:
        """Everybody who has to, one after the other."""
        consent_id = ids.threshold_consent(proposal_id)
        for who in change.signers:
            await self._sign(who, consent_id, "Read the change, the backtest and the shadow.")

    async def _sign(self, who: str, consent_id: str, reason: str) -> None:
        """Once people are asked."""

        async def signed() -> str:
            try:
                return await self.acts.sign(who, consent_id, reason)
            except Refusal as refusal:
                if refusal.code != "unknown_ask":
                    raise
                return ""

        await until(signed, f"{consent_id} can be signed")

    async def report(self, view: Mapping[str, Any]) -> bytes:
        """The stored backtest of a proposal."""
        found = await self.box.stores.ledger.get_blob(str(view["backtest"]))
        assert found is not None  # noqa: S101, the guardrails have read it
        return found[0]

    async def days_pass(self, proposal_id: str, days: timedelta) -> None:
        """Nobody really waits: the clocks of the proposal and of what watches go forward."""
        handle = self.box.temporal.client.get_workflow_handle(ids.threshold_workflow(proposal_id))
        await self.box.temporal.fast_forward(handle, days)
        self.world.clock.forward(days)

    async def _sent(self, text: bytes) -> str:
        kind = {"Content-Type": "application/yaml"}
        sent = await self.people.call(LENA, "POST", "/api/v1/playbooks", content=text, headers=kind)
        return str(sent["digest"])


_ON_THE_WAY = ("backtesting", "shadowing", "signing", "proposed", "comparing", "stopped")


async def until(look: Callable[[], Awaitable[_T | None]], what: str, within: float = 60.0) -> _T:
    """The first true answer. Raises TimeoutError, which says what did not come."""
    try:
        async with asyncio.timeout(within):
            while not (found := await look()):  # noqa: ASYNC110, a workflow has no event to wait for
                await asyncio.sleep(_LOOK)
            return found
    except TimeoutError:
        raise TimeoutError(f"not within {within:.0f} s: {what}") from None


def _bundle(name: str) -> Bundle:
    same = {"decoding": "greedy-2", "guardrail": "policy-12", "harness": "h-31", "training_data": "corpus-9"}
    return Bundle(name=name, model=f"model of {name}", prompt="prompt-6", index=f"index of {name}", **same)


def _no_release() -> Any:
    raise RuntimeError("nothing here acts on a single release")
