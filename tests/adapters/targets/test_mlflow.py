"""What only an alias in a registry has: a third version, prompts, probes of what is served, a mark for deployers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from activities.ports import Marks, TargetRejected, TargetUnavailable
from adapters.mlflow_target import MlflowTarget
from adapters.served_digest import PROBES
from adapters.target_settings import Serving
from countermand.plan.evidence import judge_traffic
from countermand.plan.target import CheckWord, Member, Split
from tests.adapters.sources.servers import Stub, answered
from tests.adapters.targets.mlflow import BASELINE, CANDIDATE, PROMPTS, THIRD, MlflowHarness, prompt_member

pytestmark = pytest.mark.skipif(MlflowHarness.missing() is not None, reason=f"not run: {MlflowHarness.missing()}")
MEMBER = MlflowHarness.member


@pytest.fixture(scope="module")
async def registry(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MlflowHarness]:
    harness = MlflowHarness()
    await harness.start(tmp_path_factory.mktemp("mlflow"))
    yield harness
    await harness.stop()


@pytest.fixture
async def seeded(registry: MlflowHarness) -> MlflowHarness:
    await registry.seed(10_000)
    return registry


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with Stub() as server:
        yield server


async def put(target: MlflowTarget, desired: Split, key: str, member: Member = MEMBER) -> str:
    start = await target.read(member)
    done = await target.set(
        member, desired, idempotency_key=key, fence=start.fence + 1, expected_revision=start.revision
    )
    assert done.result == "applied"
    return done.after.revision


async def test_an_alias_that_names_a_third_version_is_refused_by_name_and_never_overwritten(
    seeded: MlflowHarness,
) -> None:
    target = seeded.target()
    await seeded.naming(3)
    said = f"names version 3, which is {THIRD}; expected was {CANDIDATE} or {BASELINE}"
    with pytest.raises(TargetRejected, match=said):
        await target.read(MEMBER)
    with pytest.raises(TargetRejected, match=said):
        await target.set(MEMBER, Split.candidate(0), idempotency_key="third", fence=9, expected_revision=None)
    found = await target.preflight(MEMBER, Split.candidate(0))
    assert (found.ready, found.write_permitted) == (False, False)
    assert "write" not in seeded.transcript()


async def test_an_alias_or_a_model_that_does_not_exist_is_refused(seeded: MlflowHarness) -> None:
    target = seeded.target()
    await seeded.api.request(
        "DELETE", "registered-models/alias", params={"name": "assistant", "alias": "live"},
        json={"name": "assistant", "alias": "live"},
    )  # fmt: skip
    with pytest.raises(TargetRejected, match="'assistant' has no alias 'live'; it has: none"):
        await target.read(MEMBER)


async def test_a_prompt_is_known_by_the_digest_of_its_text_and_its_text_is_in_no_message(
    seeded: MlflowHarness,
) -> None:
    member, target = prompt_member(), seeded.target()
    assert (await target.read(member)).split == Split.candidate(10_000)
    assert (await target.preflight(member, Split.candidate(0))).destination_digest == member.baseline_digest
    await put(target, Split.candidate(0), "prompt/1", member)
    assert (await target.read(member)).split == Split.candidate(0)
    other = member.model_copy(update={"baseline_digest": THIRD})
    with pytest.raises(TargetRejected) as refused:
        await target.read(other)
    assert all(text not in str(refused.value) for text in PROMPTS)
    await put(target, Split.candidate(10_000), "prompt/2", member)


async def test_of_two_versions_with_one_digest_the_newer_one_is_named(seeded: MlflowHarness) -> None:
    target = seeded.target()
    newer = await seeded.model_version("assistant", BASELINE)
    await put(target, Split.candidate(0), "newer")
    answer = await seeded.api.get("registered-models/alias", params={"name": "assistant", "alias": "live"})
    assert answer.json()["model_version"]["version"] == newer
    await seeded.naming(2)
    assert (await target.read(MEMBER)).split == Split.candidate(0)
    await seeded.api.request("DELETE", "model-versions/delete", json={"name": "assistant", "version": newer})


async def test_versions_are_found_beyond_the_first_page(seeded: MlflowHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.mlflow_registry._PAGE", 1)
    found = await seeded.target().preflight(MEMBER, Split.candidate(10_000))
    assert (found.ready, found.destination_digest) == (True, CANDIDATE)


async def test_tgt16_the_proof_of_the_right_to_write_leaves_no_trace(seeded: MlflowHarness) -> None:
    before = (await seeded.api.get("registered-models/get", params={"name": "assistant"})).json()
    assert (await seeded.target().preflight(MEMBER, Split.candidate(0))).write_permitted
    assert (await seeded.api.get("registered-models/get", params={"name": "assistant"})).json() == before


async def test_gov47_a_mark_is_written_on_the_version_with_the_digest(seeded: MlflowHarness) -> None:
    target = seeded.target()
    assert isinstance(target, Marks)
    for _ in range(2):
        await target.mark(MEMBER, CANDIDATE, "quarantined:inc-1")
    assert (await seeded.tags("1"))["countermand.status"] == "quarantined:inc-1"
    assert "countermand.status" not in await seeded.tags("2")
    with pytest.raises(TargetRejected, match="no version of 'assistant' has the digest"):
        await target.mark(MEMBER, "sha256:" + "9" * 64, "quarantined:inc-1")
    with pytest.raises(TargetRejected, match="403"):
        await seeded.reader().mark(MEMBER, CANDIDATE, "quarantined:inc-2")


async def test_a_host_that_the_server_does_not_know_is_refused_and_said(seeded: MlflowHarness) -> None:
    """`--allowed-hosts` of MLflow: a proxy that passes its own name on is refused with 403."""
    answer = await seeded.api.get("registered-models/get", headers={"host": "evil.example"})
    assert answer.status_code == 403


def serves(*digests: str | None) -> Callable[[str], bytes | None]:
    """One after the other, and the last one from then on; None sends no header."""
    left = list(digests)

    def respond(_query: str) -> bytes | None:
        digest = left.pop(0) if len(left) > 1 else left[0]
        return answered(200, b"{}", *([f"X-Model-Digest: {digest}"] if digest else []))

    return respond


async def observed(registry: MlflowHarness, stub: Stub, looks: int = 2) -> tuple[str, str]:
    """Word and sentence after the alias was moved to the baseline and so many looks."""
    target = registry.made(serving=Serving(url=f"{stub.url}/healthz", header="x-model-digest"))
    assert target.capabilities.observes == "headers"
    revision = await put(target, Split.candidate(0), "probed")
    for _ in range(looks):
        seen = await target.observe(MEMBER)
    assert seen.requests == looks * PROBES
    judged = judge_traffic(Split.candidate(0), seen, revision, residual_bp=500)
    return judged.word, judged.sentence


async def test_tgt11_probes_pass_when_every_answer_names_the_baseline_and_are_called_probes(
    seeded: MlflowHarness, stub: Stub
) -> None:
    stub.respond = serves(BASELINE)
    assert await observed(seeded, stub) == ("pass", "none of 200 probes was served by the candidate.")


async def test_tgt11_too_few_probes_are_unknown(seeded: MlflowHarness, stub: Stub) -> None:
    stub.respond = serves(BASELINE)
    word, sentence = await observed(seeded, stub, looks=1)
    assert (word, sentence) == ("unknown", "only 100 of the 135 probes needed were seen; no traffic is not success.")


async def test_c12_a_service_that_does_not_follow_the_alias_fails_while_the_alias_is_right(
    seeded: MlflowHarness, stub: Stub
) -> None:
    stub.respond = serves(*[BASELINE] * 150, CANDIDATE)
    word, sentence = await observed(seeded, stub)
    assert (word, sentence) == ("fail", "50 of 200 probes were still served by the candidate.")


async def test_a_digest_that_is_neither_arm_fails_with_its_name(seeded: MlflowHarness, stub: Stub) -> None:
    stub.respond = serves(*[BASELINE] * 150, THIRD)
    word, sentence = await observed(seeded, stub)
    assert word == CheckWord.failed
    assert THIRD in sentence


async def test_answers_without_the_header_are_unknown(seeded: MlflowHarness, stub: Stub) -> None:
    stub.respond = serves(*[BASELINE] * 199, None)
    word, sentence = await observed(seeded, stub)
    assert (word, sentence) == ("unknown", "1 of 200 probes were answered without the header 'x-model-digest'.")


async def test_c13_a_service_that_does_not_answer_is_unknown_and_its_failures_are_counted(
    seeded: MlflowHarness, stub: Stub
) -> None:
    stub.respond = lambda _query: answered(503, b"")
    assert (await observed(seeded, stub))[0] == CheckWord.unknown
    target = seeded.made(serving=Serving(url=f"{stub.url}/healthz", header="x-model-digest"))
    assert (await target.observe(MEMBER)).errors == PROBES


async def test_c15_c21_a_restart_of_the_registry_loses_neither_alias_nor_mark(seeded: MlflowHarness) -> None:
    target = seeded.target()
    await put(target, Split.candidate(0), "c15")
    before = await target.read(MEMBER)
    await asyncio.to_thread(seeded.server.kill)
    with pytest.raises(TargetUnavailable):
        await target.read(MEMBER)
    await seeded.server.again()
    after = await target.read(MEMBER)
    volatile = {"read_at", "raw_sha256"}
    assert after.model_dump(exclude=volatile) == before.model_dump(exclude=volatile)
