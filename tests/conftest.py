"""What every test process shares: nothing about what is tested, only what it costs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.worker._workflow import _WorkflowWorker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What is imported for a test run stays to its end: nobody looks through it for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def prepared_once() -> Iterator[None]:
    """A worker tries each of its workflows in the sandbox before it starts: once per process is enough here."""
    prepare, known = SandboxedWorkflowRunner.prepare_workflow, set()

    def once(runner: SandboxedWorkflowRunner, definition: Any) -> None:
        if definition.cls not in known:
            prepare(runner, definition)
            known.add(definition.cls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SandboxedWorkflowRunner, "prepare_workflow", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient_with_a_crowded_machine() -> Iterator[None]:
    """A worker interrupts a workflow that takes two seconds for a step: here, others may have had the processor."""
    made = _WorkflowWorker.__init__

    def patient(worker: _WorkflowWorker, **given: Any) -> None:
        made(worker, **given)
        worker._deadlock_timeout_seconds = 30

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_WorkflowWorker, "__init__", patient)
        yield
