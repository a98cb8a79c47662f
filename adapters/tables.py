"""The tables, and nothing but the tables (storage.md §3). Outside the storage adapters nobody sees them.

Table models do not validate what they are given, so rows are built from validated models only and the
database holds CHECK constraints of its own. Triggers are in `migrations/`: metadata cannot express them.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from adapters.database import UtcDateTime

#: Rows of these are never changed or deleted; triggers and rights hold it, the self-check looks after them.
APPEND_ONLY = (
    *("ledger_record", "evidence_blob", "playbook_version", "signal_block", "signal_block_late"),
    *("merkle_node", "ledger_checkpoint", "ledger_cosignature", "ledger_anchor"),
)

# A 64-bit key that is also SQLite's own row id.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")
# None is SQL's NULL, not JSON's.
_OptionalJSON = JSON(none_as_null=True)


class Table(SQLModel):
    """Base with a metadata of its own and constraint names that are equal on both databases."""

    metadata: ClassVar[MetaData] = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# --- append-only ------------------------------------------------------------------------------------------


class LedgerTable(Table, table=True):
    """One record of the Ledger. `line` holds the exact bytes that are hashed; other columns only find it."""

    __tablename__ = "ledger_record"
    __table_args__ = (
        CheckConstraint("seq >= 0", name="seq"),
        CheckConstraint("length(hash) = 64 AND length(prev) = 64", name="hashes"),
        Index(None, "incident_id", "seq"),
        Index(None, "release_id", "seq"),
        Index(None, "kind", "seq"),
    )

    seq: int = Field(sa_column=Column(_Sequence, primary_key=True, autoincrement=False))
    at: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    incident_id: str | None = Field(sa_type=Text)
    release_id: str | None = Field(sa_type=Text)
    idem_key: str = Field(sa_type=Text, unique=True)
    line: str = Field(sa_type=Text)
    prev: str = Field(sa_type=String(64))
    hash: str = Field(sa_type=String(64), unique=True)


class BlobTable(Table, table=True):
    """Bytes by content: views that were shown, answers of targets, anything too long for a record (STO-9).

    `key_ref`: the content is encrypted under this key of the vault, because it quotes people; `sha256` and `size` are
    of the plain bytes. No foreign key: this row stays when the key is destroyed.
    """

    __tablename__ = "evidence_blob"

    sha256: str = Field(sa_type=String(71), primary_key=True)
    media_type: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    content: bytes = Field(sa_type=LargeBinary)
    key_ref: str | None = Field(default=None, sa_type=String(35))


class NodeTable(Table, table=True):
    """A complete node of the tree over the Ledger's lines; level 0 are the leaves."""

    __tablename__ = "merkle_node"

    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_type=LargeBinary)


class CheckpointTable(Table, table=True):
    """A signed head of the Ledger. `note` holds the exact signed text."""

    __tablename__ = "ledger_checkpoint"

    tree_size: int = Field(sa_column=Column(_Sequence, primary_key=True, autoincrement=False))
    root: str = Field(sa_type=String(64))
    note: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)


class CosignatureTable(Table, table=True):
    """The signature line of a witness under a checkpoint."""

    __tablename__ = "ledger_cosignature"

    tree_size: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_checkpoint.tree_size"), primary_key=True, autoincrement=False)
    )
    witness: str = Field(sa_type=Text, primary_key=True)
    line: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)


class AnchorTable(Table, table=True):
    """That a place outside took a checkpoint, and the blob it answered with."""

    __tablename__ = "ledger_anchor"

    tree_size: int = Field(
        sa_column=Column(BigInteger, ForeignKey("ledger_checkpoint.tree_size"), primary_key=True, autoincrement=False)
    )
    kind: str = Field(sa_type=Text, primary_key=True)
    place: str = Field(sa_type=Text, primary_key=True)
    blob_sha256: str = Field(sa_column=Column(String(71), ForeignKey("evidence_blob.sha256"), nullable=False))
    at: datetime = Field(sa_type=UtcDateTime)


class PlaybookTable(Table, table=True):
    """The exact bytes of a playbook that parsed."""

    __tablename__ = "playbook_version"

    digest: str = Field(sa_type=String(71), primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class SealedTable(Table, table=True):
    """One sealed Row of a release: canonical bytes and their digest."""

    __tablename__ = "signal_block"

    release_id: str = Field(sa_column=Column(Text, ForeignKey("release.release_id"), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    start: datetime = Field(sa_type=UtcDateTime)
    row: str = Field(sa_type=Text)
    digest: str = Field(sa_type=String(71))


class LateTable(Table, table=True):
    """One Row of samples that came after their block was sealed; judged after row `closed_after` (DET-17)."""

    __tablename__ = "signal_block_late"

    release_id: str = Field(sa_column=Column(Text, ForeignKey("release.release_id"), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    closed_after: int = Field(sa_type=BigInteger)
    row: str = Field(sa_type=Text)
    digest: str = Field(sa_type=String(71))


# --- operational ------------------------------------------------------------------------------------------


class ReleaseTable(Table, table=True):
    """A registered release. Intake and sealing of one release take turns by locking its row."""

    __tablename__ = "release"

    release_id: str = Field(sa_type=Text, primary_key=True)
    release: dict[str, Any] = Field(sa_type=JSON)
    playbook_digest: str = Field(sa_column=Column(ForeignKey("playbook_version.digest"), nullable=False))
    signals: list[str] = Field(sa_type=JSON)
    registered_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(sa_type=UtcDateTime)
    closed_why: str | None = Field(sa_type=Text)
    sealed_until_us: int | None = Field(sa_type=BigInteger)


class BundleManifestTable(Table, table=True):
    """The newest manifest of a bundle; manifest and parts are blobs, and the Ledger says who described it and when.

    `stored`: the parts whose bytes were given with it and can be had from here.
    """

    __tablename__ = "bundle_manifest"

    bundle_digest: str = Field(sa_type=String(71), primary_key=True)
    manifest_sha256: str = Field(sa_column=Column(String(71), ForeignKey("evidence_blob.sha256"), nullable=False))
    stored: list[str] = Field(sa_type=JSON)
    described_by: str = Field(sa_type=Text)
    described_at: datetime = Field(sa_type=UtcDateTime)


class ObservationTable(Table, table=True):
    """One labelled output: the buffer between intake and sealed blocks.

    `value`: what `countermand.detection.sealing` keeps of it, NULL = served and not labelled. `segments`: the groups
    that gap signals compare, `key=group` joined by `;`. `event_us` counts microseconds since 1970 so that one
    expression finds the block on both databases. No foreign keys and one index: this is the table that takes tens of
    thousands of rows a second.
    """

    __tablename__ = "observation"
    __table_args__ = (
        CheckConstraint("value >= 0", name="value"),
        CheckConstraint("arm IN ('candidate', 'baseline')", name="arm"),
        Index(None, "release_id", "event_us"),
    )

    source_id: str = Field(sa_type=Text, primary_key=True)
    observation_id: str = Field(sa_type=Text, primary_key=True)
    batch_id: str = Field(sa_type=Text)
    release_id: str = Field(sa_type=Text)
    signal: str = Field(sa_type=Text)
    arm: str = Field(sa_type=Text)
    event_us: int = Field(sa_type=BigInteger)
    value: int | None = Field(sa_type=Integer)
    segments: str | None = Field(sa_type=Text)
    late: bool


class CountedTable(Table, table=True):
    """Sums that a source made itself, until they join the block that holds `start_us`."""

    __tablename__ = "counted_block"
    __table_args__ = (Index(None, "release_id", "start_us"),)

    source_id: str = Field(sa_type=Text, primary_key=True)
    release_id: str = Field(sa_type=Text, primary_key=True)
    signal: str = Field(sa_type=Text, primary_key=True)
    arm: str = Field(sa_type=Text, primary_key=True)
    segment: str = Field(sa_type=Text, primary_key=True)
    start_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    block: dict[str, Any] = Field(sa_type=JSON)
    late: bool


class EventTable(Table, table=True):
    """Something outside that may explain a change; `release_id` NULL: whatever is watched at that time."""

    __tablename__ = "external_event"

    source_id: str = Field(sa_type=Text, primary_key=True)
    event_id: str = Field(sa_type=Text, primary_key=True)
    release_id: str | None = Field(sa_type=Text)
    begins_us: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    ends_us: int = Field(sa_type=BigInteger)
    what: str = Field(sa_type=Text)


class BatchTable(Table, table=True):
    """A batch that was taken in, and the answer that its sender got."""

    __tablename__ = "signal_batch"

    source_id: str = Field(sa_type=Text, primary_key=True)
    batch_id: str = Field(sa_type=Text, primary_key=True)
    body_sha256: str = Field(sa_type=Text)
    answer: dict[str, Any] | None = Field(sa_type=_OptionalJSON)
    at: datetime = Field(sa_type=UtcDateTime)


class EvaluationTable(Table, table=True):
    """The verdict record of one sealed row."""

    __tablename__ = "evaluation"

    release_id: str = Field(sa_column=Column(Text, ForeignKey("release.release_id"), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    record: dict[str, Any] = Field(sa_type=JSON)


class OutboxTable(Table, table=True):
    """A message to one audience, written before it is sent, with its receipt afterwards."""

    __tablename__ = "outbox"

    key: str = Field(sa_type=Text, primary_key=True)
    incident_id: str = Field(sa_type=Text, index=True)
    message: dict[str, Any] = Field(sa_type=JSON)
    written_at: datetime = Field(sa_type=UtcDateTime)
    receipt: dict[str, Any] | None = Field(sa_type=_OptionalJSON)


class MessageAttemptTable(Table, table=True):
    """That a channel was asked to take a message, written before it is asked; what it answered afterwards."""

    __tablename__ = "message_attempt"

    key: str = Field(sa_type=Text, primary_key=True)
    channel: str = Field(sa_type=Text, primary_key=True)
    begun_at: datetime = Field(sa_type=UtcDateTime)
    outcome: dict[str, Any] | None = Field(sa_type=_OptionalJSON)


class AlertTable(Table, table=True):
    """One alert of a source, by the sha256 of source, fingerprint and start (SRC-16), or a payload nobody understood.

    `starts_us` is never after it was first heard of; `ends_us` NULL: it fires. `releases`: whom it is about.
    `unmatched`: why it is about no watched release. `anywhere`: its sender may write to every release, so it can be
    about one that is registered later.
    """

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint("status IN ('firing', 'resolved', 'unmapped')", name="status"),
        Index(None, "source_id", "name", "starts_us"),
        Index(None, "last_at"),
    )

    key: str = Field(sa_type=String(64), primary_key=True)
    source_id: str = Field(sa_type=Text)
    fingerprint: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    starts_us: int = Field(sa_type=BigInteger)
    ends_us: int | None = Field(sa_type=BigInteger)
    labels: dict[str, str] = Field(sa_type=JSON)
    annotations: dict[str, str] = Field(sa_type=JSON)
    releases: list[str] = Field(sa_type=JSON)
    unmatched: str | None = Field(sa_type=Text)
    anywhere: bool
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)


class HeardTable(Table, table=True):
    """From `from_us` to `until_us` a source of alerts was never silent for longer than its settings allow.

    `partial_us`: when it last said that something is missing from what it sent, and `partial_why`.
    """

    __tablename__ = "source_heard"

    source_id: str = Field(sa_type=Text, primary_key=True)
    from_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    until_us: int = Field(sa_type=BigInteger)
    partial_us: int | None = Field(sa_type=BigInteger)
    partial_why: str | None = Field(sa_type=Text)


class DeliveryTable(Table, table=True):
    """A signed delivery that was taken in, and the answer that its sender got; kept against replay (SRC-27)."""

    __tablename__ = "webhook_delivery"

    source_id: str = Field(sa_type=Text, primary_key=True)
    delivery_id: str = Field(sa_type=Text, primary_key=True)
    body_sha256: str = Field(sa_type=String(64))
    answer: dict[str, Any] | None = Field(sa_type=_OptionalJSON)
    at: datetime = Field(sa_type=UtcDateTime, index=True)


# --- what people typed, and what is to be forgotten ---------------------------------------------------------


class VaultKeyTable(Table, table=True):
    """The data key for what one person wrote about one incident or release, wrapped by the master key (OBL-34).

    Without its row nothing that was encrypted under it can be read, wherever copies of the ciphertext are.
    """

    __tablename__ = "vault_key"
    __table_args__ = (UniqueConstraint("scope", "subject"),)

    key_ref: str = Field(sa_type=String(35), primary_key=True)
    scope: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text, index=True)
    wrapped: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcDateTime)


class VaultItemTable(Table, table=True):
    """One text and its salt, encrypted; the Ledger holds the commitment (EVD-26). `class_`: its retention class."""

    __tablename__ = "vault_item"
    __table_args__ = (Index(None, "class", "created_at"),)

    commitment: str = Field(sa_type=String(64), primary_key=True)
    key_ref: str = Field(sa_column=Column(String(35), ForeignKey("vault_key.key_ref"), nullable=False, index=True))
    ciphertext: bytes = Field(sa_type=LargeBinary)
    class_: str = Field(sa_column=Column("class", Text, nullable=False))
    incident_id: str | None = Field(sa_type=Text, index=True)
    release_id: str | None = Field(sa_type=Text)
    subject: str = Field(sa_type=Text, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


# --- people and sources -----------------------------------------------------------------------------------


class AccountTable(Table, table=True):
    """A local account (CON-13)."""

    __tablename__ = "account"

    subject: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    password: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)


class SessionTable(Table, table=True):
    """A signed-in browser; the token itself is only in the cookie.

    `acr`, `amr`, `auth_time`: how and when the person signed in, as the identity provider says; `local` and NULL for a
    local account.
    """

    __tablename__ = "session"

    token_sha256: str = Field(sa_type=String(64), primary_key=True)
    subject: str = Field(sa_column=Column(ForeignKey("account.subject"), nullable=False))
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    acr: str = Field(sa_type=Text)
    amr: list[str] = Field(sa_type=JSON)
    auth_time: datetime | None = Field(sa_type=UtcDateTime)


class SignInGroupsTable(Table, table=True):
    """The groups that an identity provider named at somebody's newest sign-in."""

    __tablename__ = "sign_in_groups"

    subject: str = Field(sa_type=Text, primary_key=True)
    groups: list[str] = Field(sa_type=JSON)
    at: datetime = Field(sa_type=UtcDateTime)


class TokenTable(Table, table=True):
    """A bearer token of a person's command line or of a signal source; only its hash is here."""

    __tablename__ = "api_token"
    __table_args__ = (CheckConstraint("kind IN ('person', 'source')", name="kind"),)

    token_sha256: str = Field(sa_type=String(64), primary_key=True)
    token_id: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    scopes: list[str] = Field(sa_type=JSON)
    releases: list[str] | None = Field(sa_type=_OptionalJSON)
    environments: list[str] | None = Field(sa_type=_OptionalJSON)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(sa_type=UtcDateTime)


class ShownTable(Table, table=True):
    """That one person was shown exactly these bytes about one ask (GOV-63)."""

    __tablename__ = "shown_view"

    view_sha256: str = Field(sa_column=Column(String(71), ForeignKey("evidence_blob.sha256"), primary_key=True))
    subject: str = Field(sa_type=Text, primary_key=True)
    ask_id: str = Field(sa_type=Text, primary_key=True)
    approval_digest: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=UtcDateTime)


class SecurityKeyTable(Table, table=True):
    """The public half of a security key of one person (GOV-62). Nothing here can sign.

    No foreign key: people of an identity provider have no local account. `sign_count` only grows, unless the key
    does not count at all.
    """

    __tablename__ = "security_key"

    credential_id: str = Field(sa_type=Text, primary_key=True)
    subject: str = Field(sa_type=Text, index=True)
    name: str = Field(sa_type=Text)
    public_key: bytes = Field(sa_type=LargeBinary)
    sign_count: int = Field(sa_type=BigInteger)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(sa_type=UtcDateTime)


class StepUpTable(Table, table=True):
    """One question to a security key, answered at most once and used at most once (CON-12).

    `digest`: what the answer is for. `credential_id`: the key that answered; NULL: none has yet.
    """

    __tablename__ = "step_up"

    step_up_id: str = Field(sa_type=String(32), primary_key=True)
    subject: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    nonce: bytes = Field(sa_type=LargeBinary)
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    credential_id: str | None = Field(sa_type=Text)
    used_at: datetime | None = Field(sa_type=UtcDateTime)


# --- Slack ------------------------------------------------------------------------------------------------


class SlackLinkTable(Table, table=True):
    """Which person a Slack user is. `subject` is NULL until somebody signed in at the console said so with the code."""

    __tablename__ = "slack_link"

    team_id: str = Field(sa_type=Text, primary_key=True)
    user_id: str = Field(sa_type=Text, primary_key=True)
    subject: str | None = Field(sa_type=Text, index=True)
    linked_at: datetime | None = Field(sa_type=UtcDateTime)
    code_sha256: str | None = Field(sa_type=String(64), unique=True)
    code_until: datetime | None = Field(sa_type=UtcDateTime)


class SlackCardTable(Table, table=True):
    """One copy of a card or of a note in its thread, and where it is. `ts` NULL: not posted, or not known to be.

    `revision` only grows: whoever holds an older one sends nothing. `shown` is the digest of what people see there.
    """

    __tablename__ = "slack_card"

    card_id: str = Field(sa_type=Text, primary_key=True)
    ask_id: str = Field(sa_type=Text, index=True)
    place: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    thread_ts: str | None = Field(sa_type=Text)
    ts: str | None = Field(sa_type=Text)
    revision: int
    shown: str | None = Field(sa_type=String(71))
    posted: str | None = Field(sa_type=String(71))
    attempted_at: datetime | None = Field(sa_type=UtcDateTime)
    edited_at: datetime | None = Field(sa_type=UtcDateTime)


class SlackInboxTable(Table, table=True):
    """A click or a submission, written before Slack is answered; the key makes a repetition the same one (SLK-12)."""

    __tablename__ = "slack_inbox"

    key: str = Field(sa_type=Text, primary_key=True)
    inbound: dict[str, Any] = Field(sa_type=JSON)
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))
    taken_at: datetime | None = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(sa_type=UtcDateTime)
