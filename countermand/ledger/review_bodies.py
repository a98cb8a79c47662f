"""Bodies of records about reviews and the actions that come out of them (LRN-1…LRN-6).

What people typed is private; who answers for an action and until when stands in the open.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.playbook.approvals import Quorum

#: Who may read what is published of a review.
Publication = Literal["internal", "customers", "public"]
ReviewForm = Literal["full", "near_miss"]


class ReviewDrafted(Body):
    """The generated draft. as_of: the newest record that it tells; the same records give the same bytes.

    required: parts that people have to write before anybody can sign. sign_off: who signs, as the playbook said; None
    only in drafts of before people wrote in here.
    """

    KIND: ClassVar[Kind] = Kind.review_drafted
    review_id: str
    workflow_id: str
    draft_sha256: str
    owner: str
    due: datetime
    form: ReviewForm = "full"
    required: tuple[str, ...] = ()
    meeting_at: datetime | None = None
    as_of: int = -1
    sign_off: Quorum | None = None


class Tagged(Body):
    """Base of what names contributing factors: `factors` of the shipped list, `others` in people's own words."""

    factors: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def private(self) -> dict[str, str]:
        return super().private() | {f"/others/{index}": "" for index in range(len(self.others))}


class ReviewAct(Body):
    """Base of what people do in a review."""

    decision_id: str
    subject: str
    name: str


class ReviewPart(ReviewAct, Tagged):
    """People wrote a part; the newest one counts. dismissed: remarks about the wording that stood when it was saved."""

    KIND: ClassVar[Kind] = Kind.review_part
    PRIVATE: ClassVar[tuple[str, ...]] = ("/text",)
    part: str
    text: str
    dismissed: int = 0


class ReviewSigned(ReviewAct):
    """Somebody signed. content_sha256: of the draft and of all parts; it counts for nothing else."""

    KIND: ClassVar[Kind] = Kind.review_signed
    roles: tuple[str, ...]
    publication: Publication
    content_sha256: str


class ReviewEscalated(Body):
    """People were told that a review waits. `told` empty: nobody holds the roles, or no channel reached anybody."""

    KIND: ClassVar[Kind] = Kind.review_escalated
    review_id: str
    point: str
    due: datetime
    roles: tuple[str, ...]
    unheld: tuple[str, ...]
    told: tuple[str, ...]
    sentence: str


class ReviewClosed(Body):
    """A review is over: signed by everyone it needs, or waived with a reason. What has to be done goes on.

    `overdue` is an outcome of older reviews only: a review that nobody signs stays open now.
    """

    KIND: ClassVar[Kind] = Kind.review_closed
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    review_id: str
    outcome: Literal["signed", "waived", "overdue"]
    by: tuple[str, ...]
    publication: Publication | None = None
    reason: str | None = None


class ActionOpened(ReviewAct, Tagged):
    """Something has to be done by a person until a day, and how it is checked. The factors are what it shall prevent.

    subject: who opened it; owner: who answers for it. link: a control, playbook, criterion or clock.
    """

    KIND: ClassVar[Kind] = Kind.action_opened
    PRIVATE: ClassVar[tuple[str, ...]] = ("/what", "/verification")
    action_id: str
    type: str
    what: str
    owner: str
    owner_name: str
    due: datetime
    verification: str
    link: str
    before_re_release: bool


class ActionChanged(ReviewAct):
    """Another owner or day, or the work is done and waits for its check."""

    KIND: ClassVar[Kind] = Kind.action_changed
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    action_id: str
    owner: str
    owner_name: str
    due: datetime
    done: bool
    reason: str


class ActionVerified(ReviewAct):
    """The stated check was run. Its result: in words, or as kept bytes."""

    KIND: ClassVar[Kind] = Kind.action_verified
    PRIVATE: ClassVar[tuple[str, ...]] = ("/result",)
    action_id: str
    result: str
    result_sha256: str | None


class ActionDropped(ReviewAct):
    """Somebody who may decided that it is not done."""

    KIND: ClassVar[Kind] = Kind.action_dropped
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    action_id: str
    role: str
    reason: str


class ActionEscalated(Body):
    """People were told that an action is overdue. point: when; the later, the more people are told."""

    KIND: ClassVar[Kind] = Kind.action_escalated
    action_id: str
    point: str
    due: datetime
    roles: tuple[str, ...]
    unheld: tuple[str, ...]
    told: tuple[str, ...]
    sentence: str


class ActionReopened(Tagged):
    """What it should prevent happened again: it is open again, and belongs to both reviews (LRN-5)."""

    KIND: ClassVar[Kind] = Kind.action_reopened
    action_id: str
    by_incident: str
    was: str
    due: datetime
