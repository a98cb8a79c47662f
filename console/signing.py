"""What a page has to know before it asks a person for a security key."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.step_ups import Site
from console.deps import Console


@dataclass(frozen=True)
class Keys:
    """The keys in use of one person by name, and where they work; `site` None: nowhere at this console's address."""

    site: Site | None
    names: tuple[str, ...]

    @property
    def can_sign(self) -> bool:
        """Whether this person can confirm anything with a key here."""
        return self.site is not None and bool(self.names)


async def keys_of(deps: Console, subject: str) -> Keys:
    """The keys of this person. For the macros of `templates/signing.html`."""
    found = await deps.security_keys.of(subject)
    return Keys(deps.security_keys.site, tuple(key.name for key in found if key.revoked_at is None))
