"""Look whether the way back of a release is open before anybody needs it (TGT-18)."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.looking import look
from activities.ports import Catalogue, Ledger, TargetRejected, Targets, TargetUnavailable
from countermand.ledger.bodies import DestinationChecked
from countermand.plan.build import members_of
from countermand.plan.model import Release
from countermand.plan.target import Value
from countermand.playbook.model import Playbook


class LookRequest(Value):
    release_id: str


class Looked(Value):
    """`over`: the release is closed, so that nobody has to look any more."""

    over: bool
    sentence: str


class ReadyingActivities:
    """Ports: Targets, Catalogue, Ledger."""

    def __init__(self, targets: Targets, catalogue: Catalogue, ledger: Ledger) -> None:
        self._targets = targets
        self._catalogue = catalogue
        self._ledger = ledger

    @activity.defn(name="look_at_destination")
    async def look_at_destination(self, request: LookRequest) -> Looked:
        """Ask the target whether all users could go back now, and record the answer; nothing is changed."""
        status = await self._catalogue.release(request.release_id)
        if status is None:
            raise ApplicationError(f"unknown release {request.release_id!r}", non_retryable=True)
        if status.closed_at is not None:
            return Looked(over=True, sentence=status.closed_why or "the release is closed")
        info = activity.info()
        key = f"{request.release_id}/destination/{info.workflow_run_id}/{info.activity_id}"
        known = await self._ledger.find(key)
        if known is not None:
            return Looked(over=False, sentence=DestinationChecked.model_validate(known.body).sentence)
        playbook = await self._catalogue.playbook(status.release.playbook_digest)
        body = await self._looked(status.release, playbook)
        await self._ledger.append(body.entry(key, "worker", release_id=request.release_id))
        return Looked(over=False, sentence=body.sentence)

    async def _looked(self, release: Release, playbook: Playbook) -> DestinationChecked:
        lead = members_of(release, playbook)[0]
        ready: bool | None
        try:
            looked = [one.preflight for one in await look(self._targets, release, playbook)]
        except TargetUnavailable as error:
            ready, sentence = None, f"a target did not answer: {error}"
        except TargetRejected as error:
            ready, sentence = False, str(error)
        else:
            ready = all(one.ready and one.write_permitted for one in looked)
            problems = "; ".join(problem for one in looked for problem in one.problems)
            open_now = f"all users could go back to {release.baseline.name}."
            sentence = open_now if ready else problems or "a target may not be written."
        return DestinationChecked(target=lead.target, member=lead.name, ready=ready, sentence=sentence)
