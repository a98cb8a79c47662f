"""A proposed change of thresholds: recorded, judged by guardrails, put up for signatures, settled (LRN-10, LRN-12)."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.adopting import Adoptions
from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from activities.threshold_ports import (
    Acted,
    ActRequest,
    Judged,
    JudgeRequest,
    OfProposal,
    Proposed,
    ProposeRequest,
    Settled,
    ToSign,
)
from countermand import ids
from countermand.governance.adoption import action, document
from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right, unreachable
from countermand.governance.shipped import rights_in_force
from countermand.learning import acts, guardrails
from countermand.learning.change import KINDS, ChangeView, basis, change
from countermand.learning.proposal import NotProposable, Proposal, examine, record
from countermand.learning.report import BacktestReport
from countermand.ledger.bodies import EpisodeLabelled, ThresholdJudged, ThresholdProposed
from countermand.ledger.record import Kind
from countermand.messages.facts import spoken
from countermand.playbook.differences import Comparison
from countermand.playbook.model import Playbook
from countermand.playbook.terms import Severity

#: The type of the failure that a refused decision travels in.
_REFUSED = "Refused"


async def look_up(ledger: Ledger, proposal_id: str) -> ChangeView:
    """The proposal as it stands on record. Raises ApplicationError when nobody proposed it."""
    view = change(await ledger.records(kinds=KINDS), proposal_id)
    if view is None:
        raise ApplicationError(f"no proposal {proposal_id!r} is on record", non_retryable=True)
    return view


async def read_report(ledger: Ledger, said: ThresholdProposed, sha256: str) -> BacktestReport:
    """The report of exactly this comparison. Raises ApplicationError for one that is not."""
    found = await ledger.get_blob(sha256)
    if found is None:
        raise ApplicationError(f"no backtest {sha256!r} is stored", non_retryable=True)
    report = BacktestReport.model_validate_json(found[0])
    compared = (report.current_digest, report.proposed_digest)
    if report.digest != sha256 or compared != (said.current_digest, said.proposed_digest):
        raise ApplicationError(
            f"backtest {sha256!r} compares {compared!r}; the proposal needs "
            f"{(said.current_digest, said.proposed_digest)!r}",
            non_retryable=True,
        )
    return report


async def examined(
    catalogue: Catalogue, adoptions: Adoptions, proposal: Proposal
) -> tuple[Playbook, Playbook, Comparison]:
    """(the version in force, the proposed one, what would change). Raises NotProposable, KeyError."""
    current = await catalogue.playbook(proposal.current_digest)
    proposed = await catalogue.playbook(proposal.proposed_digest)
    back = await catalogue.playbook(proposal.back_to) if proposal.back_to else None
    return current, proposed, examine(proposal, current, proposed, await adoptions.of(current.name), back)


def right_for(directory: Directory, said: ThresholdProposed) -> Right:
    """The row of the table in force under which people sign this change."""
    return rights_in_force(directory.governance).row(action(said.change, said.origin_of.values()), Severity.sev1)


class ThresholdActivities:
    """Ports: Ledger, Catalogue, RoleDirectory, KeyRing, Adoptions."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        people: RoleDirectory,
        keys: KeyRing,
        adoptions: Adoptions,
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._adoptions = adoptions

    @activity.defn(name="propose_threshold")
    async def propose_threshold(self, request: ProposeRequest) -> Proposed:
        """Record it, unless it is no proposal that could be adopted."""
        proposal = request.proposal
        key = ids.threshold_record(proposal.proposal_id, "proposed")
        try:
            current, proposed, found = await examined(self._catalogue, self._adoptions, proposal)
        except (NotProposable, KeyError) as error:
            return Proposed(refused=str(error), version=0, name="")
        body = record(proposal, request.workflow_id, current, proposed, found)
        await self._ledger.append(body.entry(key, proposal.proposed_by))
        return Proposed(refused="", version=proposed.version, name=proposed.name)

    @activity.defn(name="judge_threshold")
    async def judge_threshold(self, request: JudgeRequest) -> Judged:
        """Let the guardrails look at the backtest, and record what they found."""
        view = await look_up(self._ledger, request.proposal_id)
        said = view.proposed
        report = await read_report(self._ledger, said, request.backtest)
        proposed = await self._catalogue.playbook(said.proposed_digest)
        detection, directory = proposed.detection, await self._people.snapshot()
        per_release, right = detection.false_alarms.per_release, right_for(directory, said)
        labels = await self._labels(proposed.service)
        who = directory.principal_of(said.proposed_by)
        own = {one.subject for one in labels if directory.principal_of(one.subject) == who}
        found = (
            *guardrails.judge(said, report, per_release, detection.watch, right, request.now),
            *guardrails.own_labels(labels, own),
        )
        body = ThresholdJudged(
            proposal_id=said.proposal_id,
            backtest=request.backtest,
            incidents=len(report.incidents),
            quiet_s=guardrails.quiet_seconds(report),
            asks=report.honesty.proposed.asks,
            findings=tuple(one.model_dump(mode="json") for one in found),
            stops=tuple(one.name for one in guardrails.stops(found, ())),
            sentences=report.sentences,
        )
        await self._ledger.append(body.entry(ids.threshold_record(said.proposal_id, "judged"), "worker"))
        left = guardrails.stops(found, ())
        return Judged(
            stops=tuple(one.sentence for one in left if one.word == "stops"),
            refuses=tuple(f"{one.sentence} {one.next}" for one in left if one.word == "refuses"),
        )

    async def _labels(self, service: str) -> list[EpisodeLabelled]:
        """What people said about the past of one service, in order."""
        found = []
        for one in await self._ledger.records(kinds=[Kind.episode_labelled]):
            status = await self._catalogue.release(one.release_id) if one.release_id else None
            if status is not None and status.release.service == service:
                found.append(EpisodeLabelled.model_validate(one.body))
        return found

    @activity.defn(name="put_up_threshold")
    async def put_up_threshold(self, request: OfProposal) -> ToSign:
        """What people are asked to sign: the change, and what it rests on."""
        view = await look_up(self._ledger, request.proposal_id)
        said, directory = view.proposed, await self._people.snapshot()
        proposed = await self._catalogue.playbook(said.proposed_digest)
        refused, last, found = await self._adoptions.next(proposed)
        if last is None or last.digest != said.current_digest:
            in_force = f"version {last.version} ({last.digest})" if last else "no version"
            refused = f"it starts from version {said.current_version}; {in_force} is in force by now. Propose it again"
        right, rests = right_for(directory, said), basis(view)
        asker = directory.principal_of(said.proposed_by)
        others = [one for one in directory.holders(*right.roles) if one.subject != asker]
        if lacking := unreachable(right, {one.subject: one.roles for one in others}):
            refused = refused or f"without the person who proposed it nobody is left to sign as {spoken(lacking)}"
        if view.stops:
            refused = refused or f"nobody waived this: {view.stops[0].sentence}"
        return ToSign(
            refused=refused,
            subject=f"May version {proposed.version} of {proposed.name}, with other thresholds, watch releases of "
            f"{proposed.service}?",
            right=right,
            document=document(proposed, said.proposed_digest, last, found, said.hypothesis, rests),
            requester=asker,
            directory=directory,
            keys=self._keys.gateway_keys(),
        )

    @activity.defn(name="settle_threshold")
    async def settle_threshold(self, request: OfProposal) -> Settled:
        """Whether the adoption that people signed is in force now."""
        said = (await look_up(self._ledger, request.proposal_id)).proposed
        consent_id = ids.threshold_consent(said.proposal_id)
        for one in await self._adoptions.of(said.playbook):
            if one.consent_id == consent_id:
                return Settled(adopted=True, sentence=f"Version {one.version} of {one.name} is in force.")
        return Settled(
            adopted=False,
            sentence="People signed, and it is not in force: another version came first, or a signature does not hold "
            "any more. Nothing changed; propose it again.",
        )

    @activity.defn(name="decide_threshold")
    async def decide_threshold(self, request: ActRequest) -> Acted:
        """Judge a signed decision by the people and the records of now; record a waiver."""
        decision = request.decision
        try:
            self._keys.gateway_keys().verify(decision)
            view, directory = await look_up(self._ledger, request.proposal_id), await self._people.snapshot()
            row = rights_in_force(directory.governance).row(Action.loosen_threshold, Severity.sev1)
            mine = directory.principal_of(decision.actor.subject) == directory.principal_of(view.proposed.proposed_by)
            withdraws = decision.kind is DecisionKind.withdraw
            acts.check(decision, directory, row, own=mine and withdraws)
            if withdraws:
                return Acted(sentence=acts.withdraw(decision, view), withdrawn=True, left=len(view.stops))
            if decision.kind is not DecisionKind.waive_finding:
                raise Refused(
                    Refusal.wrong_state, f"{decision.kind.value} does not apply to a proposal.", "Waive or withdraw."
                )
            body = acts.waived(decision, view, directory)
        except Refused as error:
            raise ApplicationError(
                str(error), error.code.value, error.detail, error.next, type=_REFUSED, non_retryable=True
            ) from error
        key = ids.threshold_record(view.proposal_id, f"waived/{body.decision_id}")
        await self._ledger.append(body.entry(key, body.subject))
        left = len((await look_up(self._ledger, request.proposal_id)).stops)
        return Acted(sentence=f"{body.waives} is waived by {body.name}.", withdrawn=False, left=left)
