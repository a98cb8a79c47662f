"""How far a source can be trusted on its own, from its settings (GOV-56)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from adapters.source_settings import SourceSettings
from adapters.source_trust import ConfiguredTrust
from countermand.governance.gates import SourceFact, independent
from countermand.governance.gating import Trust

PROMETHEUS = {
    "kind": "prometheus",
    "scrape": "15s",
    "arms": {"candidate": {"version": "$candidate.model"}, "baseline": {"version": "$baseline.model"}},
}


def trusted(**entry: object) -> Trust:
    settings = TypeAdapter(SourceSettings).validate_python(PROMETHEUS | entry)
    return ConfiguredTrust({"metrics": settings})("metrics")


@pytest.mark.parametrize(
    ("url", "authenticated"),
    [
        ("https://metrics.example", True),
        ("http://127.0.0.1:9090", True),
        ("http://localhost:9090", True),
        ("http://[::1]:9090", True),
        ("http://metrics.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_a_server_that_is_asked_proves_its_name_or_is_on_this_machine(url: str, authenticated: bool) -> None:
    assert trusted(url=url).authenticated is authenticated


def test_sources_on_one_host_or_with_one_credential_count_as_one() -> None:
    one = trusted(url="https://Metrics.example:9090/a", token_file=Path("secret"))
    other = trusted(url="https://metrics.example:9091")
    third = trusted(url="https://other.example", token_file=Path("secret"))
    alone = trusted(url="https://far.example")
    facts = [
        SourceFact(name=name, authenticated=True, healthy=True, agrees=True, shares=trust.shares)
        for name, trust in zip("abcd", (one, other, third, alone), strict=True)
    ]
    assert independent(tuple(facts)) == 2


def test_a_source_that_sends_needs_no_entry() -> None:
    assert ConfiguredTrust({})("feedback") == Trust(authenticated=True, shares=())


def test_gov_18_what_people_say_is_no_independent_source() -> None:
    assert not ConfiguredTrust({})("people").authenticated
