"""The role directory: the governance file, and the members of roles that other systems keep (GOV-3…5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from adapters.database import Database, utc_now
from adapters.directory_file import FileDirectory
from adapters.directory_slack import SlackGroups
from adapters.group_source import GroupMembers, GroupSource, SourceUnavailable
from adapters.oidc_groups import SignInGroups
from adapters.settings import Settings
from adapters.slack_links import SlackLinks
from adapters.slack_settings import slack_settings
from adapters.slack_web import SlackWeb
from countermand.canonical import digest
from countermand.governance.directory import Directory
from countermand.governance.sources import FRESH, LastKnown, Membership, RoleSource, SourceKind
from countermand.playbook.units import format_duration


class SourcedDirectory:
    """Implements RoleDirectory. The digest covers the file and who holds which role, not when that was read."""

    def __init__(
        self, file: FileDirectory, sources: Mapping[SourceKind, GroupSource], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._file = file
        self._sources = sources
        self._clock = clock
        self._last: dict[RoleSource, GroupMembers] = {}

    async def snapshot(self) -> Directory:
        """Raises GovernanceInvalid; a source that does not answer is named in the membership instead."""
        directory = await self._file.snapshot()
        governance = directory.governance
        if not governance.sources:
            return directory
        found = [await self._read(role, of, governance.last_known) for role, of in sorted(governance.sources.items())]
        said = {one.role: sorted(one.members) for one in found if not one.unavailable}
        return directory.model_copy(
            update={"memberships": tuple(found), "digest": digest({"file": directory.digest, "members": said})}
        )

    async def _read(self, role: str, of: RoleSource, last_known: LastKnown | None) -> Membership:
        source, now = self._sources.get(of.kind), self._clock()
        if source is None:
            return _unknown(role, of, f"{of.kind} is not set up on this machine", now)
        try:
            found = await source.members(of.group)
            if now - found.as_of > FRESH:
                raise SourceUnavailable(f"what it said is {format_duration(now - found.as_of)} old")
        except SourceUnavailable as error:
            known = self._last.get(of)
            if known is None or last_known is None or now - known.as_of > last_known.max_age:
                return _unknown(role, of, str(error), now)
            return _membership(role, of, known, last_known=True)
        self._last[of] = found
        return _membership(role, of, found, last_known=False)


def role_directory(settings: Settings, database: Database) -> SourcedDirectory:
    """The directory of this installation, for a composition root."""
    sources: dict[SourceKind, GroupSource] = {}
    if settings.oidc.exists():
        sources["oidc_groups"] = SignInGroups(database)
    slack = slack_settings(settings.data / "slack.yaml")
    if slack is not None:
        web = SlackWeb(slack.bot_token(), slack.api_url)
        sources["slack_user_group"] = SlackGroups(web, SlackLinks(database), slack.teams)
    return SourcedDirectory(FileDirectory(settings.governance), sources)


def _membership(role: str, of: RoleSource, found: GroupMembers, *, last_known: bool) -> Membership:
    return Membership(
        role=role,
        source=str(of),
        members=found.members,
        as_of=found.as_of,
        last_known=last_known,
        left_out=found.left_out,
    )


def _unknown(role: str, of: RoleSource, why: str, at: datetime) -> Membership:
    return Membership(role=role, source=str(of), members={}, as_of=at, unavailable=why)
