"""A real Envoy with a runtime layer from a file, and a wire to its admin interface that can lag and fail."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import httpx

from adapters.envoy_target import EnvoyTarget
from adapters.target_http import Keep
from adapters.target_settings import EnvoyMember
from countermand.plan.target import Member
from tests.adapters.targets import routers_environment
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.harness import Shares, Wire
from tests.adapters.targets.upstreams import Upstreams, ask, start_quietly, until

_HTTP = "envoy.extensions.filters"
_FILE_WRITE = "a write is a rename of a file on this machine, which has no answer that could be lost"


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "0.05s",
                "no_traffic_interval": "0.05s",
                "unhealthy_threshold": 1,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }
        ],
    }


STATIC = {f"routing.{route}": weight for route, weight in (
    ("chat.canary", 60), ("chat.stable", 40), ("fixed.canary", 60), ("fixed.stable", 40),
    ("ghost.nobody", 60), ("ghost.stable", 40),
)}  # fmt: skip
_CLUSTERS = [{"name": "canary", "weight": 60}, {"name": "stable", "weight": 40}]
_ROUTES = [
    {
        "match": {"prefix": "/fixed"},
        "route": {"prefix_rewrite": "/chat", "weighted_clusters": {"clusters": _CLUSTERS}},
    },
    {
        "match": {"prefix": "/"},
        "route": {"weighted_clusters": {"runtime_key_prefix": "routing.chat", "clusters": _CLUSTERS}},
    },
]


def bootstrap(admin: int, port: int, runtime_file: Path, arms: dict[str, int]) -> dict[str, Any]:
    """Two clusters behind one route; one layer from the file, the admin layer above it."""
    manager = {
        "@type": f"type.googleapis.com/{_HTTP}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "chat",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _ROUTES}]},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"type.googleapis.com/{_HTTP}.http.router.v3.Router"},
            }
        ],
    }
    file = {"path": str(runtime_file), "watched_directory": {"path": str(runtime_file.parent)}}
    from_file = {"resource_api_version": "V3", "path_config_source": file}
    return {
        "node": {"id": "edge", "cluster": "edge"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "layered_runtime": {
            "layers": [
                {"name": "static", "static_layer": STATIC},
                {"name": "countermand", "rtds_layer": {"name": "countermand", "rtds_config": from_file}},
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "static_resources": {
            "listeners": [
                {
                    "name": "chat",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [_cluster("canary", arms["candidate"]), _cluster("stable", arms["baseline"])],
        },
    }


class RuntimeWire(Wire):
    """Reads of the runtime, through what the harness has scripted."""

    def __init__(self, harness: EnvoyHarness) -> None:
        super().__init__()
        self._harness = harness

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/runtime":
            scripted = await self._harness.scripted_read()
            if scripted is not None:
                return scripted
        return await super().handle_async_request(request)


class EnvoyHarness:
    """One Envoy; every write by another hand replaces its file by rename, as the documentation asks."""

    name = "envoy"
    lacks: ClassVar[Mapping[str, str]] = {
        "lost response": _FILE_WRITE,
        "no answer": _FILE_WRITE,
        "twice": _FILE_WRITE,
        "killed before": _FILE_WRITE,
        "transcript": "writes to a file leave no transcript",
        "native compare": "Envoy compares nothing; the file is compared under a lock of ours",
        "reader": "the right to write is the right to write the file; see test_target_file.py",
        "credentials": "the admin interface has none",
        "missing arm": "a cluster that runs cannot be taken away; test_envoy.py names one that never was",
        "digest": "clusters have no digests",
        "users": "Envoy counts requests",
        "fixed routing": "Envoy chooses by chance for every request",
        "stuck router": "test_envoy.py has a route that reads no runtime key",
        "restricted": "the right to write is the right to write the file, with every route in it",
    }
    shares = Shares()
    patience = 0.4
    stranger: Literal["external", "unknown"] = "unknown"
    unknown_member = "no member"
    denied = ""
    failing = "failing"
    counters_path = "/stats"
    member = Member(
        target="envoy", name="chat", candidate_digest="sha256:" + "c" * 64, baseline_digest="sha256:" + "b" * 64
    )

    @classmethod
    def missing(cls) -> str | None:
        return None if routers_environment.program("envoy") else f"no Envoy is installed ({routers_environment.HOW})"

    @classmethod
    def version(cls) -> str:
        program = str(routers_environment.program("envoy"))
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split("/")[-4]

    async def start(self, folder: Path) -> None:
        self._folder = folder
        (folder / "runtime").mkdir()
        self.file = folder / "runtime" / "countermand.json"
        self.upstreams = Upstreams()
        await self.upstreams.start()
        self._targets: list[EnvoyTarget] = []
        admin, port = free_port(), free_port()
        self.admin_url = f"http://127.0.0.1:{admin}"
        self.admin = httpx.AsyncClient(base_url=self.admin_url, trust_env=False, timeout=60)
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
        arms = {name: arm.port for name, arm in self.upstreams.arms.items()}
        (folder / "envoy.json").write_text(json.dumps(bootstrap(admin, port, self.file, arms)))
        self._replace({})
        self._script: dict[str, Any] = {}
        self._reads = 0
        self._seeded = 0
        await self._run()

    async def _run(self) -> None:
        options = ("--disable-hot-restart", "--concurrency", "1", "-l", "error")
        program = str(routers_environment.program("envoy"))
        self._process = start_quietly(program, "-c", str(self._folder / "envoy.json"), *options)
        await until(self._healthy, "Envoy is up with two healthy clusters")

    async def halt(self) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 10)

    async def restart(self) -> None:
        if self._process.poll() is None:
            await self.halt()
        await self._run()

    async def stop(self) -> None:
        for target in self._targets:
            await target.close()
        await self.client.aclose()
        await self.admin.aclose()
        await self.halt()
        await self.upstreams.stop()

    async def seed(self, candidate_bp: int) -> None:
        self._script = {}
        self.upstreams.set({})
        await until(self._healthy, "both clusters are healthy")
        await self.external_edit(candidate_bp)
        self._seeded = self._generation()

    def target(self, *, keep: Keep | None = None) -> EnvoyTarget:
        return self.made(keep=keep)

    def made(self, *, keep: Keep | None = None, file: Path | None = None, **members: EnvoyMember) -> EnvoyTarget:
        """An adapter; with `members` besides the one of the suite."""
        self.wire = RuntimeWire(self)
        chat = EnvoyMember(prefix="routing.chat", candidate="canary", baseline="stable", routing="per_request")
        target = EnvoyTarget(
            self.admin_url, file or self.file, "countermand", {"chat": chat} | members, transport=self.wire, keep=keep
        )
        self._targets.append(target)
        return target

    def reader(self) -> EnvoyTarget:
        raise AssertionError(self.lacks["reader"])

    def strangers(self) -> tuple[EnvoyTarget, tuple[str, ...]]:
        raise AssertionError(self.lacks["credentials"])

    def transcript(self) -> list[str]:
        raise AssertionError(self.lacks["transcript"])

    async def external_edit(self, candidate_bp: int) -> None:
        """As a person would with an editor: our mark stays as it was."""
        weights = {"routing.chat.canary": candidate_bp, "routing.chat.stable": 10_000 - candidate_bp}
        self._replace(self._layer() | weights)

        async def taken() -> bool:
            entries = (await self.admin.get("/runtime")).json()["entries"]
            return all(entries.get(key, {}).get("final_value") == str(value) for key, value in weights.items())

        await until(taken, "Envoy has read its file")

    async def fault(self, **script: object) -> None:
        known = {"stale_read_back", "unreadable", "apply_then_drop_response", "delay_after_apply", "arms"}
        if not set(script) <= known:
            raise KeyError(sorted(set(script) - known))
        arms = script.pop("arms", {})
        assert isinstance(arms, dict)
        self.upstreams.set(arms)
        self._script = script | {"before": (await self.admin.get("/runtime")).content}
        self._reads = 0
        if "unhealthy" in arms.values():
            await until(self._not_healthy, "a cluster is not healthy")

    async def scripted_read(self) -> httpx.Response | None:
        """What a read shows instead of the truth. The first two belong to a `set` before its write."""
        self._reads += 1
        if self._reads > 2 and self._script.get("unreadable"):
            return httpx.Response(503)
        if self._reads > 2:
            await asyncio.sleep(self._script.get("delay_after_apply", 0))
        if self._reads <= self._script.get("stale_read_back", -2) + 2:
            return httpx.Response(200, content=self._script["before"], headers={"content-type": "application/json"})
        return None

    async def traffic(self, users: int) -> dict[str, int]:
        return await ask(self.client, users)

    async def effects(self, key: str) -> int:
        return self._generation() - self._seeded if self._mark().get("key") == key else 0

    def shows(self, candidate_bp: int) -> bytes:
        return f'"final_value": "{candidate_bp}"'.encode()

    def _layer(self) -> dict[str, Any]:
        layer: dict[str, Any] = json.loads(self.file.read_text())["resources"][0]["layer"]
        return layer

    def _mark(self) -> dict[str, Any]:
        mark: dict[str, Any] = json.loads(self._layer().get("countermand.chat") or "{}")
        return mark

    def _generation(self) -> int:
        return int(self._mark().get("generation", 0))

    def _replace(self, layer: dict[str, Any]) -> None:
        resource = {"@type": "type.googleapis.com/envoy.service.runtime.v3.Runtime", "name": "countermand"}
        beside = self.file.with_suffix(".tmp")
        beside.write_text(json.dumps({"resources": [resource | {"layer": layer}]}))
        beside.replace(self.file)

    async def _healthy(self) -> bool:
        try:
            found = (await self.admin.get("/stats?filter=membership_healthy")).text
        except httpx.TransportError:
            assert self._process.poll() is None, "Envoy did not start"
            return False
        return found.count("membership_healthy: 1") == 2

    async def _not_healthy(self) -> bool:
        return not await self._healthy()
