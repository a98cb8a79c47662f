"""Rows and profile as files: what is wrong in one is said with its name, the value and what is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.obligation_files import FileDuties
from countermand.obligations.dataset import DatasetInvalid, shipped
from countermand.obligations.profile import NOBODY_DECLARED, ProfileInvalid


async def test_without_files_the_rows_are_those_of_the_product_and_nobody_declared_anything(tmp_path: Path) -> None:
    assert await FileDuties(None, tmp_path / "none.yaml").read() == (shipped(), NOBODY_DECLARED)


@pytest.mark.parametrize(
    ("text", "says"),
    [("profile: 7\n", "not a profile"), ("profile: {gdpr: yes}\n", "write its answers below it"),
     ("profile: {gdpr: {controller: maybe}}\n", "'maybe' is not accepted"),
     ("profile: {gdpr: {kontroller: undeclared}}\n", "no row asks for it")],
)  # fmt: skip
async def test_a_profile_that_cannot_be_used_is_refused_with_what_is_accepted(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "profile.yaml").write_text(text)
    with pytest.raises(ProfileInvalid, match=says) as refused:
        await FileDuties(None, tmp_path / "profile.yaml").read()
    assert str(refused.value).startswith("profile.yaml: ")


@pytest.mark.parametrize(
    ("text", "says"), [("a: [", "not readable as YAML"), ("schema_version: 2\n", "schema_version")]
)
async def test_rows_that_cannot_be_used_are_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rows.yaml").write_text(text)
    with pytest.raises(DatasetInvalid, match=says) as refused:
        await FileDuties(tmp_path / "rows.yaml", tmp_path / "none.yaml").read()
    assert str(refused.value).startswith("rows.yaml: ")


async def test_rows_that_are_not_there_are_never_replaced_by_those_of_the_product(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="COUNTERMAND_OBLIGATIONS"):
        await FileDuties(tmp_path / "gone.yaml", tmp_path / "none.yaml").read()
