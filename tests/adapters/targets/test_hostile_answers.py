"""Answers that were written to break whoever reads them: counted or refused, never a crash."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from adapters.served_digest import PROBES, Probes
from adapters.target_file import Mark
from adapters.target_http import Lost, TargetHttp
from adapters.target_settings import Serving
from tests.adapters.sources.servers import Stub, answered


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with Stub() as server:
        server.respond = lambda _query: answered(200, b"no gzip", "Content-Encoding: gzip")
        yield server


async def test_a_probe_whose_answer_cannot_be_unpacked_is_counted_as_failed(stub: Stub) -> None:
    probes = Probes()
    seen = await probes.more("chat", "1", Serving(url=f"{stub.url}/x", header="X-Digest"))
    await probes.close()
    assert (seen.errors, seen.requests) == (PROBES, PROBES)


async def test_an_answer_that_cannot_be_unpacked_leaves_the_effect_unknown_and_shows_no_token(stub: Stub) -> None:
    http = TargetHttp(stub.url, None, None)
    with pytest.raises(Lost, match="DecodingError") as lost:
        await http.send("PUT", "/split", "secret-token")
    await http.close()
    assert "secret-token" not in repr(lost.value)
    assert lost.value.__cause__ is None


def test_a_mark_that_would_not_fit_into_a_record_is_not_ours() -> None:
    fields = {"fence": 1, "generation": 1, "candidate": 0, "baseline": 100}
    assert Mark(key="k" * 1_000, **fields)
    with pytest.raises(ValidationError, match="at most"):
        Mark(key="k" * (1_001), **fields)
