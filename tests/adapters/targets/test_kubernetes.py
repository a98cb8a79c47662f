"""What only an HTTPRoute has: other writers, a status that moves, weights of any sum, rights per object."""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.ports import TargetRejected, TargetUnavailable
from adapters.kubernetes_route import ROUTE, Route, route_in
from adapters.kubernetes_target import HttpRouteTarget, trusting
from adapters.target_settings import HttpRouteMember
from adapters.target_weights import not_restorable, split_of
from countermand.plan.target import Member, SetOutcome, Split
from tests.adapters.targets.harness import asked_for
from tests.adapters.targets.kubernetes import HttpRouteHarness, certificates, rules

PLACE = HttpRouteMember.model_validate(
    {
        "namespace": "default",
        "route": "chat",
        "candidate": "canary",
        "baseline": "stable",
        "candidate_health": "http://127.0.0.1:1",
        "baseline_health": "http://127.0.0.1:1",
    }
)


def route(of: list[dict[str, Any]], **metadata: Any) -> Route:
    known = {"uid": "u", "generation": 3, "resourceVersion": "17"} | metadata
    return route_in(ROUTE.validate_python({"metadata": known, "spec": {"rules": of}}), PLACE)


def backends(*refs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"backendRefs": list(refs)}]


@pytest.mark.parametrize(
    ("candidate", "baseline", "share"), [(1, 3, 2_500), (9, 1, 9_000), (999_999, 1, 10_000), (0, 1, 0), (1, 2, 3_334)]
)
def test_weights_of_any_sum_are_shares_and_the_candidates_is_never_understated(
    candidate: int, baseline: int, share: int
) -> None:
    assert split_of(*route(rules(candidate, baseline)).weights) == Split.candidate(share)


def test_tgt6_weights_that_are_no_whole_basis_points_are_named() -> None:
    assert not_restorable(*route(rules(1, 3)).weights, 1) == []
    assert "1 and 2, could not be restored" in not_restorable(*route(rules(1, 2)).weights, 1)[0]


def test_a_weight_that_is_not_said_is_one_as_the_gateway_api_has_it() -> None:
    assert route(backends({"name": "canary"}, {"name": "stable", "weight": 3})).weights == (1, 3)


@pytest.mark.parametrize(
    "of",
    [
        [],
        backends({"name": "canary"}),
        backends({"name": "canary"}, {"name": "stable"}, {"name": "third"}),
        backends({"name": "canary"}, {"name": "canary"}),
        rules(1, 1) + backends({"name": "canary"}),
    ],
)
def test_c8_a_route_where_more_or_less_than_two_weights_decide_is_refused(of: list[dict[str, Any]]) -> None:
    with pytest.raises(TargetRejected, match="exactly one rule with the backends 'canary' and 'stable'"):
        route(of)


@pytest.mark.parametrize("weight", [-1, 1_000_001, 0.5, "1", True])
def test_c8_weights_that_the_gateway_api_does_not_know_are_refused(weight: Any) -> None:
    with pytest.raises(TargetRejected, match="a whole number of 0 to 1,000,000 is accepted"):
        route(backends({"name": "canary", "weight": weight}, {"name": "stable"}))


def test_c8_a_mark_that_is_not_ours_is_refused() -> None:
    with pytest.raises(TargetRejected, match="is not as we wrote it"):
        route(rules(1, 1), annotations={"countermand/last-change": "{}"})


def test_c16_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for file in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(TargetRejected, match="is not the certificate of an authority"):
            trusting(file)


def member(name: str) -> Member:
    return HttpRouteHarness.member.model_copy(update={"name": name})


async def put(target: HttpRouteTarget, candidate_bp: int, **more: Any) -> SetOutcome:
    name = more.pop("name", "chat")
    return await target.set(
        member(name),
        Split.candidate(candidate_bp),
        idempotency_key=f"to {candidate_bp}",
        fence=9,
        expected_revision=more.pop("expected_revision", None),
    )


class Busy(httpx.AsyncBaseTransport):
    """A gateway that writes the status of the route right before our next patches."""

    def __init__(self, harness: HttpRouteHarness, times: int) -> None:
        self._harness = harness
        self._times = times
        self._inner = httpx.AsyncHTTPTransport(verify=harness.tls)
        self.statuses: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and self._times:
            self._times -= 1
            await self._harness.patch("chat", {"status": {"tries_left": self._times}}, below="/status")
        response = await self._inner.handle_async_request(request)
        self.statuses.append(response.status_code)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpRouteHarness]:
    if not asked_for(HttpRouteHarness.name):
        pytest.skip("not run: make test-kubernetes")
    missing = HttpRouteHarness.missing()
    if missing is not None:
        pytest.skip(f"not run: {missing}")
    harness = HttpRouteHarness()
    await harness.start(tmp_path_factory.mktemp("kubernetes"))
    yield harness
    await harness.stop()


@pytest.fixture
async def cluster(running: HttpRouteHarness) -> HttpRouteHarness:
    await running.seed(6_000)
    await running.seed(5_000)
    return running


def made(cluster: HttpRouteHarness, **more: Any) -> HttpRouteTarget:
    return cluster.made(cluster.token(cluster.read_token), cluster.token(cluster.write_token), **more)


async def test_tgt1_a_set_leaves_everything_but_the_two_weights_and_our_annotation_as_it_was(
    cluster: HttpRouteHarness,
) -> None:
    before = await cluster.route("chat")
    await put(made(cluster), 2_500)
    after = await cluster.route("chat")
    assert after["spec"]["rules"] == rules(2_500, 7_500)
    expected = deepcopy(before["spec"]) | {"rules": rules(2_500, 7_500)}
    assert after["spec"] == expected
    assert after["metadata"]["annotations"]["team"] == "chat"


async def test_c5_a_status_that_a_gateway_writes_is_no_change_of_the_split(cluster: HttpRouteHarness) -> None:
    target = made(cluster)
    start = await target.read(member("chat"))
    await cluster.patch("chat", {"status": {"parents": [{"controller": "gateway"}]}}, below="/status")
    assert (await target.read(member("chat"))).revision == start.revision
    assert (await put(target, 2_500, expected_revision=start.revision)).result == "applied"


async def test_c5_a_status_that_is_written_during_our_patch_costs_one_more_try(cluster: HttpRouteHarness) -> None:
    busy = Busy(cluster, 1)
    outcome = await put(made(cluster, transport=busy), 2_500)
    assert (outcome.result, outcome.after.split) == ("applied", Split.candidate(2_500))
    assert busy.statuses.count(409) == 1


async def test_c5_a_route_that_never_rests_is_unavailable_and_stays_as_it_was(cluster: HttpRouteHarness) -> None:
    with pytest.raises(TargetUnavailable, match="others wrote to the route during each of 2 tries"):
        await put(made(cluster, transport=Busy(cluster, 100)), 2_500)
    assert (await cluster.route("chat"))["spec"]["rules"] == rules(5_000, 5_000)


async def test_tgt17_another_owner_of_the_weights_is_named_before_people_are_asked_until_we_wrote_them(
    cluster: HttpRouteHarness,
) -> None:
    target = made(cluster, shared_with=())
    found = await target.preflight(member("chat"), Split.candidate(0))
    assert not found.ready
    assert found.write_permitted
    assert "contested: the weights also belong to 'deployer'" in found.problems[0]
    await put(target, 2_500)
    assert (await target.preflight(member("chat"), Split.candidate(0))).ready


async def test_tgt17_a_sync_that_takes_the_weights_back_is_named_and_fails_the_next_stage(
    cluster: HttpRouteHarness,
) -> None:
    target = made(cluster)
    done = await put(target, 2_500)
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "chat"},
        "spec": {"rules": rules(5_000, 5_000)},
    }
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/chat?fieldManager=gitops"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    assert (await cluster.admin.patch(path, json=body, headers=headers)).status_code == 409
    (await cluster.admin.patch(f"{path}&force=true", json=body, headers=headers)).raise_for_status()
    assert "'gitops'" in (await target.preflight(member("chat"), Split.candidate(0))).problems[0]
    assert (await put(target, 0, expected_revision=done.after.revision)).result == "conflict"


async def test_tgt6_weights_that_could_not_be_restored_are_named_before_people_are_asked(
    cluster: HttpRouteHarness,
) -> None:
    await cluster.patch("chat", {"spec": {"rules": rules(1, 2)}})
    found = await made(cluster).preflight(member("chat"), Split.candidate(0))
    assert "could not be restored" in found.problems[0]


async def test_c18_tgt23_the_write_token_of_one_route_cannot_touch_a_second_one(cluster: HttpRouteHarness) -> None:
    target = made(cluster, routes={"other": "other"})
    before = await cluster.route("other")
    with pytest.raises(TargetRejected, match="403"):
        await put(target, 0, name="other")
    found = await target.preflight(member("other"), Split.candidate(0))
    assert not found.write_permitted
    assert "403" in found.problems[0]
    assert await cluster.route("other") == before
    assert (await put(target, 0)).result == "applied"


async def test_a_server_is_only_believed_with_a_certificate_of_the_authority_that_is_set(
    cluster: HttpRouteHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await made(cluster, transport=None).read(member("chat"))).split == Split.candidate(5_000)
    certificates(tmp_path)
    monkeypatch.setattr(cluster, "ca_file", tmp_path / "ca.pem")
    with pytest.raises(TargetUnavailable, match="was not sent"):
        await made(cluster, transport=None).read(member("chat"))
