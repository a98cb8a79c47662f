"""Leases: a share of users that a writer may hold for a while, and what happens when nobody renews it.

While a lease is on, no share above its cap is accepted. One that is not renewed in time ends by itself: the service
goes back to the share from before, and nobody has to ask for it. SQLite holds it, so that a restart forgets nothing.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

from countermand.canonical import instant, parse_instant
from countermand.plan.target import Split, Value

from examples.demo.split import SplitState, SplitStore

_SCHEMA = """
create table if not exists lease (
  lease_id text primary key, name text not null, cap_bp integer not null, returns_to_bp integer not null,
  expires_at text not null, state text not null check (state in ('on', 'released', 'expired'))
) strict;
create unique index if not exists one_lease_per_split on lease (name) where state = 'on';
"""
_COLUMNS = "lease_id, name, cap_bp, returns_to_bp, expires_at, state"


class Lease(Value):
    """One lease of a split; `returns_to_bp` is the candidate's share when it began."""

    lease_id: str
    name: str
    cap_bp: int
    returns_to_bp: int
    expires_at: str
    state: str


class LeaseRefused(Exception):
    """This lease cannot begin, go on or end now."""


class AboveCap(Exception):
    """The share is above the cap of the lease that is on."""


class LeaseStore:
    """The leases of all splits of one store."""

    def __init__(self, db: sqlite3.Connection, splits: SplitStore) -> None:
        self._db = db
        self._splits = splits
        self._db.executescript(_SCHEMA)

    def on(self, name: str) -> Lease | None:
        """The lease that is on for this split."""
        return self._one("name = ? and state = 'on'", name)

    def refuse_above(self, name: str, split: Split) -> None:
        """Raise AboveCap unless this share may be set now."""
        lease = self.on(name)
        if lease is not None and split.candidate_bp > lease.cap_bp:
            raise AboveCap(f"{split.candidate_bp} bp is above the cap {lease.cap_bp} bp of lease {lease.lease_id!r}")

    def hold(self, name: str, lease_id: str, *, cap_bp: int, seconds: float) -> Lease:
        """Begin this lease, or renew it. Raises UnknownSplit, LeaseRefused; one that ended never begins again."""
        now = self._splits.get(name)
        until = instant(datetime.now(UTC) + timedelta(seconds=seconds))
        known = self._one("lease_id = ?", lease_id)
        if known is None:
            self._begin(now, lease_id, cap_bp, until)
        elif known.state != "on":
            raise LeaseRefused(f"lease {lease_id!r} is {known.state}; it cannot be renewed")
        elif (known.name, known.cap_bp) != (name, cap_bp):
            raise LeaseRefused(
                f"lease {lease_id!r} is for {known.name!r} and {known.cap_bp} bp; nothing else is accepted"
            )
        else:
            with self._db:
                self._db.execute("update lease set expires_at = ? where lease_id = ?", (until, lease_id))
        lease = self.on(name)
        assert lease is not None  # noqa: S101  # begun or renewed just now
        return lease

    def _begin(self, now: SplitState, lease_id: str, cap_bp: int, until: str) -> None:
        other = self.on(now.name)
        if other is not None:
            raise LeaseRefused(f"lease {other.lease_id!r} is on until {other.expires_at}")
        if now.candidate_bp > cap_bp:
            raise LeaseRefused(f"the candidate already has {now.candidate_bp} bp, more than {cap_bp} bp")
        with self._db:
            row = (lease_id, now.name, cap_bp, now.candidate_bp, until, "on")
            self._db.execute(f"insert into lease ({_COLUMNS}) values (?,?,?,?,?,?)", row)  # noqa: S608

    def release(self, name: str, lease_id: str) -> None:
        """End this lease; again changes nothing. Raises LeaseRefused while the share is above where it began."""
        lease = self._one("lease_id = ?", lease_id)
        if lease is None or lease.name != name:
            raise LeaseRefused(f"no lease of {name!r} is called {lease_id!r}")
        share = self._splits.get(name).candidate_bp
        if lease.state == "on" and share > lease.returns_to_bp:
            raise LeaseRefused(f"the candidate has {share} bp; set {lease.returns_to_bp} bp first")
        self._end(lease, "released")

    def expire(self) -> list[SplitState]:
        """End what nobody renewed; returns the new generations. A share is only ever taken back, never given."""
        taken_back = []
        now = datetime.now(UTC)
        rows = self._db.execute(f"select {_COLUMNS} from lease where state = 'on'").fetchall()  # noqa: S608
        for lease in map(_lease, rows):
            if parse_instant(lease.expires_at) > now:
                continue
            state = self._splits.get(lease.name)
            if state.candidate_bp > lease.returns_to_bp:
                back, key = Split.candidate(lease.returns_to_bp), f"lease/{lease.lease_id}/expired"
                taken_back.append(self._splits.write(state, back, key=key, fence=state.fence))
            self._end(lease, "expired")
        return taken_back

    def _end(self, lease: Lease, state: str) -> None:
        with self._db:
            self._db.execute("update lease set state = ? where lease_id = ? and state = 'on'", (state, lease.lease_id))

    def _one(self, where: str, value: str) -> Lease | None:
        row = self._db.execute(f"select {_COLUMNS} from lease where {where}", (value,)).fetchone()  # noqa: S608
        return None if row is None else _lease(row)


def _lease(row: tuple[object, ...]) -> Lease:
    return Lease.model_validate(dict(zip(Lease.model_fields, row, strict=True)))
