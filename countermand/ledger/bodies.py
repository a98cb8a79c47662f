"""The schema of each record kind (EVD-4): every body, and which kind it belongs to."""

from __future__ import annotations

from countermand.ledger.ask_bodies import (
    AskAcknowledged,
    AskClosed,
    AskDefaulted,
    AskExtended,
    AskOpened,
    AskRung,
    AskSentTo,
    AskVote,
    ConsentClosed,
    ConsentOpened,
    ConsentOverdue,
    ConsentVote,
    DecisionMade,
    DecisionRefused,
    StandingIssued,
    StandingRevoked,
)
from countermand.ledger.body import Body
from countermand.ledger.bundle_bodies import BundleDescribed
from countermand.ledger.guard_bodies import DestinationChecked, GuardState, RequarantineBreach, VersionMarked
from countermand.ledger.incident_bodies import (
    FreezeCompleted,
    FreezeFailed,
    FreezeIncomplete,
    FreezeStarted,
    FreezeWaived,
    FrozenItem,
    GateDecided,
    GlassBroken,
    IncidentClosed,
    IncidentOpened,
    IncidentPhase,
    PlanMade,
    ReviewClosed,
    ReviewDrafted,
)
from countermand.ledger.record import Kind, Record
from countermand.ledger.release_bodies import (
    ConcernRaised,
    QuarantineLifted,
    RehearsalPassed,
    ReleaseClosed,
    ReleaseRefused,
    ReleaseRegistered,
    VerdictChanged,
    VersionAllowed,
    VersionDenied,
    VersionQuarantined,
)
from countermand.ledger.rollout_bodies import (
    RolloutEnded,
    RolloutHeld,
    RolloutIntent,
    RolloutOutcome,
    RolloutPlanned,
    RolloutPromoted,
    RolloutScheduled,
    RolloutSkipped,
    RolloutTraffic,
)
from countermand.ledger.stage_bodies import (
    CheckDone,
    StageIntent,
    StageOutcome,
    StageState,
    StageWord,
)
from countermand.ledger.told_bodies import (
    CommsCorrected,
    CommsFailed,
    CommsSent,
    UpdateKept,
    UpdateOverdue,
    UpdatePromised,
)

__all__ = [
    "BODIES",
    "AskAcknowledged",
    "AskClosed",
    "AskDefaulted",
    "AskExtended",
    "AskOpened",
    "AskRung",
    "AskSentTo",
    "AskVote",
    "Body",
    "BundleDescribed",
    "CheckDone",
    "CommsCorrected",
    "CommsFailed",
    "CommsSent",
    "ConcernRaised",
    "ConsentClosed",
    "ConsentOpened",
    "ConsentOverdue",
    "ConsentVote",
    "DecisionMade",
    "DecisionRefused",
    "DestinationChecked",
    "FreezeCompleted",
    "FreezeFailed",
    "FreezeIncomplete",
    "FreezeStarted",
    "FreezeWaived",
    "FrozenItem",
    "GateDecided",
    "GlassBroken",
    "GuardState",
    "IncidentClosed",
    "IncidentOpened",
    "IncidentPhase",
    "PlanMade",
    "QuarantineLifted",
    "RehearsalPassed",
    "ReleaseClosed",
    "ReleaseRefused",
    "ReleaseRegistered",
    "RequarantineBreach",
    "ReviewClosed",
    "ReviewDrafted",
    "RolloutEnded",
    "RolloutHeld",
    "RolloutIntent",
    "RolloutOutcome",
    "RolloutPlanned",
    "RolloutPromoted",
    "RolloutScheduled",
    "RolloutSkipped",
    "RolloutTraffic",
    "StageIntent",
    "StageOutcome",
    "StageState",
    "StageWord",
    "StandingIssued",
    "StandingRevoked",
    "UpdateKept",
    "UpdateOverdue",
    "UpdatePromised",
    "VerdictChanged",
    "VersionAllowed",
    "VersionDenied",
    "VersionMarked",
    "VersionQuarantined",
    "parse_body",
]

BODIES: dict[Kind, type[Body]] = {
    body.KIND: body
    for body in (
        BundleDescribed,
        ReleaseRegistered, ReleaseClosed, VerdictChanged, IncidentOpened, IncidentPhase, IncidentClosed,
        FreezeCompleted, FreezeFailed, FreezeIncomplete, FreezeWaived,
        PlanMade, AskOpened, AskRung, AskAcknowledged, AskExtended, AskVote, AskClosed,
        DecisionMade, DecisionRefused, StageIntent, StageOutcome, StageState, CheckDone, CommsSent, CommsFailed,
        CommsCorrected, ReviewDrafted, ReviewClosed, UpdatePromised, UpdateKept, UpdateOverdue,
        ConsentOpened, ConsentVote, ConsentOverdue, ConsentClosed, StandingIssued, StandingRevoked,
        ConcernRaised, FreezeStarted, GlassBroken,
        GateDecided, AskDefaulted, RehearsalPassed,
        AskSentTo,
        VersionDenied, VersionAllowed, VersionQuarantined, QuarantineLifted, ReleaseRefused,
        RequarantineBreach, GuardState, VersionMarked, DestinationChecked,
        RolloutPlanned, RolloutIntent, RolloutOutcome, RolloutTraffic, RolloutPromoted, RolloutHeld, RolloutEnded,
        RolloutScheduled, RolloutSkipped,
    )
}  # fmt: skip


def parse_body(record: Record) -> Body | None:
    """The typed body of a record; None for kinds without a schema of their own (genesis, selfcheck)."""
    model = BODIES.get(record.kind)
    return model.model_validate(record.body) if model else None
