"""Writes traces with MLflow's own library; runs in MLflow's environment, one JSON list of traces per line of input."""

from __future__ import annotations

import json
import sys
from typing import Any

import mlflow
from mlflow.entities import AssessmentSource


def write(trace: dict[str, Any]) -> str:
    span = mlflow.start_span_no_context(
        "answer",
        inputs={"question": "?"},
        tags=trace["tags"],
        experiment_id=trace["experiment"],
        start_time_ns=trace["at_ms"] * 1_000_000,
    )
    span.end(end_time_ns=(trace["at_ms"] + 200) * 1_000_000)
    return str(span.trace_id)


def label(trace_id: str, given: dict[str, Any]) -> None:
    source = AssessmentSource(given["by"], given["judge"])
    if "expected" in given:
        mlflow.log_expectation(trace_id=trace_id, name=given["name"], value=given["expected"], source=source)
        return
    error = ValueError("the judge gave up") if given.get("failed") else None
    feedback = mlflow.log_feedback(
        trace_id=trace_id, name=given["name"], value=given.get("value"), error=error, source=source
    )
    if "then" in given:
        mlflow.override_feedback(
            trace_id=trace_id, assessment_id=feedback.assessment_id, value=given["then"], source=source
        )


for line in sys.stdin:
    traces = json.loads(line)
    ids = [write(trace) for trace in traces]
    mlflow.flush_trace_async_logging()
    for trace_id, trace in zip(ids, traces, strict=True):
        for given in trace["labels"]:
            label(trace_id, given)
    print(json.dumps(ids), flush=True)
