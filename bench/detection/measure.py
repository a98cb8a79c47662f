"""Runs every rule on the same simulated watches, several processes at once."""

from __future__ import annotations

import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from bench.detection.columns import Cell, cell
from bench.detection.rules.catalogue import RULES
from bench.detection.scenarios import SCENARIOS, Scenario
from bench.detection.traffic import Floats

#: Watches that one process judges at a time.
CHUNK = 500

Results = dict[tuple[str, str], Cell]


@dataclass(frozen=True)
class Form:
    """How many watches a run judges per scenario. slow: most watches for rules that take long. agreement: watches per
    scenario on which twin and product are compared."""

    name: str
    stress: int
    harm: int
    slow: int
    agreement: int

    def watches(self, scenario: Scenario) -> int:
        return self.harm if scenario.harm else self.stress


@dataclass(frozen=True)
class Part:
    """What one rule did on one chunk of watches."""

    rule: str
    minutes: Floats
    excess: Floats
    seconds: float


def chunks(form: Form) -> list[tuple[str, int, int, int]]:
    """(scenario, chunk, watches of fast rules, watches of slow rules) of all work."""
    work = []
    for scenario in SCENARIOS.values():
        watches = form.watches(scenario)
        for number, begin in enumerate(range(0, watches, CHUNK)):
            here = min(CHUNK, watches - begin)
            work.append((scenario.name, number, here, min(here, max(0, form.slow - begin))))
    return work


def judge(name: str, chunk: int, fast: int, slow: int) -> tuple[str, list[Part]]:
    """All rules on one chunk of a scenario."""
    traffic = SCENARIOS[name].draw(chunk, fast)
    parts = []
    for rule in RULES:
        watches = slow if rule.slow else fast
        if not watches:
            continue
        seen = traffic.part(watches)
        began = time.perf_counter()
        minutes = rule.judge(seen)
        seconds = time.perf_counter() - began
        served = np.cumsum(seen.excess, axis=0)
        last = np.minimum(minutes, len(served)).astype(int) - 1
        parts.append(Part(rule.name, minutes, served[last, np.arange(watches)], seconds))
    return name, parts


def measure(form: Form, processes: int, done: Callable[[], None]) -> Results:
    """Every rule in every scenario; `done` is called after each of `chunks(form)`."""
    found: dict[tuple[str, str], list[Part]] = defaultdict(list)
    # A fresh interpreter per process: numpy and matplotlib keep threads that must not be forked.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for future in as_completed([pool.submit(judge, *work) for work in chunks(form)]):
            name, parts = future.result()
            for part in parts:
                found[part.rule, name].append(part)
            done()
    return {
        (rule, name): cell(
            rule,
            SCENARIOS[name],
            np.concatenate([part.minutes for part in parts]),
            np.concatenate([part.excess for part in parts]),
            sum(part.seconds for part in parts),
        )
        for (rule, name), parts in found.items()
    }
