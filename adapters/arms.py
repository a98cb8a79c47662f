"""How settings of a source name the arms of a release: fixed texts, or what the release says of itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from countermand.detection.blocks import Arm
from countermand.plan.model import Bundle, Release

_RELEASE_ID = "$release_id"
_OF_BUNDLES = tuple(f"${arm.value}.{member}" for arm in Arm for member in Bundle.model_fields)


def _known(value: str) -> str:
    if value.startswith("$") and value != _RELEASE_ID and value not in _OF_BUNDLES:
        members = ", ".join(Bundle.model_fields)
        raise ValueError(
            f"{value!r} is not known; write a text, {_RELEASE_ID}, or $candidate.<member> or $baseline.<member>, where "
            f"a member is one of {members}"
        )
    return value


#: A text, `$release_id`, or a member of a bundle of the release: `$candidate.model`.
ArmValue = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_known)]


def filled(value: str, release: Release) -> str:
    """The value for this release."""
    if value == _RELEASE_ID:
        return release.release_id
    if value in _OF_BUNDLES:
        arm, _, member = value[1:].partition(".")
        return str(getattr(getattr(release, arm), member))
    return value
