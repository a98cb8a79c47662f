"""A real MLflow server from its own environment (`make mlflow-env`) on a free port of loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from tests.waiting import until

_ROOT = Path(__file__).parents[3]
_PROGRAMS = _ROOT / ".venv-mlflow" / "bin"
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def installed() -> bool:
    """Whether `make mlflow-env` was run."""
    return (_PROGRAMS / ".installed").exists()


class MlflowServer:
    """Start it, `kill` it and start it `again`, `stop` it once; tests keep apart by experiments of their own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {"PATH": f"{_PROGRAMS}:{os.environ['PATH']}", "HOME": str(folder), **_QUIET}
        self._client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20)
        store = ("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder))
        self._log = (folder / "log").open("wb")
        self._command = [_PROGRAMS / "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1", *store]
        self._writer: subprocess.Popen[str] | None = None
        self._start()

    def _start(self) -> None:
        self._server = subprocess.Popen(
            self._command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    async def again(self) -> None:
        """Start it with what it stored, and return when it answers."""
        self._start()
        await self.ready()

    async def ready(self) -> None:
        """Returns when the server answers."""

        async def answers() -> bool:
            try:
                return (await self._client.get("/version")).text == "3.17.2"
            except httpx.TransportError:
                return False

        await until(answers, "the MLflow server answers", within=180)

    def kill(self) -> None:
        """The server and its workers are gone at once."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(10)

    async def stop(self) -> None:
        """End everything that was started."""
        if self._writer is not None:
            self._writer.communicate()
        if self._server.poll() is None:
            self.kill()
        self._log.close()
        await self._client.aclose()

    async def experiment(self) -> str:
        """The id of a new experiment."""
        return str((await self._post("/api/2.0/mlflow/experiments/create", name=token_hex(8)))["experiment_id"])

    async def by_library(self, traces: list[dict[str, Any]]) -> list[str]:
        """Write traces with MLflow's own library; returns their ids. See `mlflow_writer.py` for the keys."""
        if self._writer is None:
            self._writer = self._library()
        assert self._writer.stdin is not None
        assert self._writer.stdout is not None
        self._writer.stdin.write(json.dumps(traces) + "\n")
        self._writer.stdin.flush()
        return list(json.loads(await asyncio.to_thread(self._writer.stdout.readline)))

    def _library(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [_PROGRAMS / "python", Path(__file__).with_name("mlflow_writer.py")],
            env={**self._environment, "MLFLOW_TRACKING_URI": self.url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    async def trace(self, experiment: str, at: datetime, tags: dict[str, str], *labels: dict[str, Any]) -> str:
        """Write one trace over REST with these assessments; returns its id."""
        trace_id = f"tr-{token_hex(16)}"
        info = {
            "trace_id": trace_id,
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
            "request_time": at.isoformat().replace("+00:00", "Z"),
            "execution_duration": "0.2s",
            "state": "OK",
            "tags": tags,
            "assessments": [_complete(trace_id, label) for label in labels],
        }
        await self._post("/api/3.0/mlflow/traces", trace={"trace_info": info})
        return trace_id

    async def label(self, trace_id: str, label: dict[str, Any]) -> str:
        """Attach an assessment to a trace; returns its id."""
        path = f"/api/3.0/mlflow/traces/{trace_id}/assessments"
        answer = await self._post(path, assessment=_complete(trace_id, label))
        return str(answer["assessment"]["assessment_id"])

    async def change(self, trace_id: str, assessment_id: str, value: object) -> None:
        """Give an assessment another value in place."""
        body = {
            "assessment": {"assessment_id": assessment_id, "trace_id": trace_id, "feedback": {"value": value}},
            "update_mask": "feedback",
        }
        answer = await self._client.patch(f"/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", json=body)
        assert answer.is_success, answer.text

    async def _post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self._client.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())


def feedback(name: str, value: object, *, by: str = "LLM_JUDGE", judge: str = "judge-1", version: str = "1") -> Any:
    """An assessment as the REST interface takes it."""
    return {
        "assessment_name": name,
        "source": {"source_type": by, "source_id": judge},
        "feedback": {"value": value},
        "metadata": {"mlflow.assessment.scorerVersion": version},
    }


def _complete(trace_id: str, label: dict[str, Any]) -> dict[str, Any]:
    at = "2026-11-20T06:00:00Z"
    return {"trace_id": trace_id, "create_time": at, "last_update_time": at, "valid": True, **label}
