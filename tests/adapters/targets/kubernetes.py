"""A real Kubernetes API server over a real etcd, with RBAC and no controllers. Opt-in: `make test-kubernetes`."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from adapters.kubernetes_target import HttpRouteTarget
from adapters.target_settings import HttpRouteSettings
from countermand.plan.target import Member
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.patched import BASELINE, CANDIDATE, LACKS, FaultyWire, PatchedHarness, Process

_PROGRAMS = {"kube-apiserver": "COUNTERMAND_TEST_KUBE_APISERVER", "etcd": "COUNTERMAND_TEST_ETCD"}
_HERE = "gateway.networking.k8s.io"
ROUTES = f"/apis/{_HERE}/v1/namespaces/default/httproutes"
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

# As far as the adapter reads the kind; the published definition asks for a newer API server than old ones are.
_WEIGHT = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_REF = _ANYTHING | {"properties": {"name": {"type": "string"}, "weight": _WEIGHT}}
_RULE = _ANYTHING | {"properties": {"backendRefs": {"type": "array", "items": _REF}}}
_SPEC = _ANYTHING | {"properties": {"rules": {"type": "array", "items": _RULE, "x-kubernetes-list-type": "atomic"}}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": f"httproutes.{_HERE}",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"},
    },
    "spec": {
        "group": _HERE,
        "scope": "Namespaced",
        "names": {"kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _ANYTHING}},
                },
            }
        ],
    },
}


def rules(candidate: int, baseline: int) -> list[dict[str, Any]]:
    """A rule that is nobody's business here, and the one of the release, with a port and a filter of its own."""
    return [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
            "backendRefs": [{"name": "files", "port": 80}],
        },
        {
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}],
            "backendRefs": [
                {"name": "stable", "port": 8080, "weight": baseline},
                {"name": "canary", "port": 8080, "weight": candidate},
            ],
        },
    ]


class HttpRouteHarness(PatchedHarness):
    """One API server; `chat` is the route of the suite. Its write token may get and patch that one route."""

    name = "kubernetes"
    lacks: ClassVar[Mapping[str, str]] = LACKS | {
        "restricted": "shown in test_kubernetes.py, with a second route that the read token may see",
    }
    counters_path = f"{ROUTES}/chat"
    member = Member(target="kubernetes", name="chat", candidate_digest=CANDIDATE, baseline_digest=BASELINE)

    @classmethod
    def missing(cls) -> str | None:
        unset = [variable for variable in _PROGRAMS.values() if not Path(os.environ.get(variable, "")).is_file()]
        return f"{' and '.join(unset)}: no such program (docs/targets.md says how one is had)" if unset else None

    @classmethod
    def version(cls) -> str:
        said = {
            name: subprocess.run([os.environ[variable], "--version"], capture_output=True, text=True, check=True).stdout
            for name, variable in _PROGRAMS.items()
        }
        server, etcd = said["kube-apiserver"].split()[1], said["etcd"].splitlines()[0].split()[-1]
        return f"API server {server}, etcd {etcd}"

    async def start(self, folder: Path) -> None:
        await self.prepare(folder)
        self._admin_token = f"admin-{token_hex(16)}"
        self._port, self._etcd_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = folder / "ca.pem"
        certificates(folder)
        users = (
            (self._admin_token, "admin", "system:masters"),
            (self.read_token, "reader"),
            (self.write_token, "writer"),
        )
        (folder / "tokens.csv").write_text("".join(f"{u[0]},{u[1]},{u[1]},{u[2] if u[2:] else ''}\n" for u in users))
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        headers = {"Authorization": f"Bearer {self._admin_token}"}
        self.admin = httpx.AsyncClient(base_url=self.url, headers=headers, verify=self.tls, trust_env=False, timeout=30)
        await self._run()
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        (await self.admin.post(definitions, json=DEFINITION)).raise_for_status()
        await self._server.until(self._has_routes)
        for route in ("chat", "other"):
            await self.new_route(route, rules(6_000, 4_000))
            await self._grant(f"{route}-reader", route, "reader", ["get"])
        await self._grant("writer", "chat", "writer", ["get", "patch"])
        await self._server.until(self._granted)
        self._seeded = 0

    async def new_route(self, name: str, of: list[dict[str, Any]]) -> None:
        body = {
            "apiVersion": f"{_HERE}/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": name, "annotations": {"team": "chat"}},
            "spec": {"parentRefs": [{"name": "public"}], "rules": of},
        }
        (await self.admin.post(f"{ROUTES}?fieldManager=deployer", json=body)).raise_for_status()

    async def _grant(self, name: str, route: str, user: str, verbs: list[str]) -> None:
        """A role for one object by name (`resourceNames`)."""
        rule = {"apiGroups": [_HERE], "resources": ["httproutes"], "resourceNames": [route], "verbs": verbs}
        group, version = "rbac.authorization.k8s.io", {"apiVersion": "rbac.authorization.k8s.io/v1"}
        role = version | {"kind": "Role", "metadata": {"name": name}, "rules": [rule]}
        binding = version | {
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }
        for plural, body in (("roles", role), ("rolebindings", binding)):
            path = f"/apis/{group}/v1/namespaces/default/{plural}"
            (await self.admin.post(path, json=body)).raise_for_status()

    async def _run(self) -> None:
        self._etcd = self._started(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{self._etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self._etcd_port}",
            "--listen-peer-urls=http://127.0.0.1:0",
            "--log-level=error",
        )
        key = self.folder / "server.key"
        self._server = self._started(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self.folder / 'server.pem'}",
            f"--tls-private-key-file={key}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        )
        await self._server.until(self._up)

    def _started(self, program: str, *options: str) -> Process:
        return Process(self.folder / f"{program}.log", os.environ[_PROGRAMS[program]], *options)

    async def _up(self) -> bool:
        try:
            return (await self.admin.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def _has_routes(self) -> bool:
        return (await self.admin.get(ROUTES)).status_code == 200

    async def _granted(self) -> bool:
        headers = {"Authorization": f"Bearer {self.write_token}"}
        return (await self.admin.get(f"{ROUTES}/chat", headers=headers)).status_code == 200

    async def halt(self) -> None:
        await self._server.end()
        await self._etcd.end()

    async def restart(self) -> None:
        if self._server.runs:
            await self.halt()
        await self._run()
        # The rights of the tokens are read again a moment after the server is ready.
        await self._server.until(self._granted)

    async def stop(self) -> None:
        await self.finish()
        await self.admin.aclose()
        await self.halt()

    async def seed(self, candidate_bp: int) -> None:
        self.clear()
        self.upstreams.set({})
        await self.external_edit(candidate_bp)
        self._seeded = (await self.route("chat"))["metadata"]["generation"]

    async def external_edit(self, candidate_bp: int) -> None:
        """As a person does it with kubectl: our annotation stays as it was."""
        await self.patch("chat", {"spec": {"rules": rules(candidate_bp, 10_000 - candidate_bp)}})

    async def patch(self, route: str, body: dict[str, Any], *, manager: str = "deployer", below: str = "") -> None:
        path = f"{ROUTES}/{route}{below}?fieldManager={manager}"
        (await self.admin.patch(path, json=body, headers=_MERGE_PATCH)).raise_for_status()

    async def route(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.admin.get(f"{ROUTES}/{name}")).raise_for_status().json()
        return found

    def made(self, read_token: Path, write_token: Path, **more: Any) -> HttpRouteTarget:
        self.wire = FaultyWire(self, self.tls)
        routes = {"chat": "chat"} | more.pop("routes", {})
        arms = {"namespace": "default", "candidate": "canary", "baseline": "stable"} | self.health()
        settings = {
            "kind": "kubernetes_httproute",
            "url": self.url,
            "ca_file": self.ca_file,
            "read_token_file": read_token,
            "write_token_file": write_token,
            "shared_with": more.pop("shared_with", ("deployer",)),
            "members": {name: arms | {"route": route} for name, route in routes.items()},
        }
        transport = more.pop("transport", self.wire)
        target = HttpRouteTarget(HttpRouteSettings.model_validate(settings), transport=transport, **more)
        self.targets.append(target)
        return target

    def takes_effect(self, request: httpx.Request) -> bool:
        return "dryRun" not in request.url.params

    async def effects(self, key: str) -> int:
        metadata = (await self.route("chat"))["metadata"]
        mark = json.loads(metadata["annotations"].get("countermand/last-change", "{}"))
        return int(metadata["generation"] - self._seeded) if mark.get("key") == key else 0

    def shows(self, candidate_bp: int) -> bytes:
        return f'"name":"canary","port":8080,"weight":{candidate_bp}'.encode()


def certificates(folder: Path) -> None:
    """An authority (`ca.pem`) and what it signed for 127.0.0.1 (`server.pem`, `server.key`), valid for a day."""
    now = datetime.datetime.now(datetime.UTC)
    keys = {name: rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for name in ("ca", "server")}
    names = {name: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in keys}
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    for name, key in keys.items():
        authority = x509.BasicConstraints(ca=name == "ca", path_length=None)
        certificate = (
            x509.CertificateBuilder(names["ca"], names[name], key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(authority, critical=True)
            .add_extension(address, critical=False)
            .sign(keys["ca"], hashes.SHA256())
        )
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        keys["server"].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
