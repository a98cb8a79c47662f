"""The short form of `python -m bench backtest`: judging a proposal costs little more than one plain pass (LRN-9)."""

from __future__ import annotations

import time
from pathlib import Path

from bench.backtest import episode_of, playbook
from countermand.detection.evaluator import Evaluator
from countermand.learning.episode_file import SUFFIX, rows_of
from countermand.learning.feeding import hear
from countermand.learning.versions import Versions
from countermand.playbook.load import parse


def test_a_proposal_with_all_its_trials_costs_little_more_than_a_plain_pass(tmp_path: Path) -> None:
    episode = episode_of(tmp_path, 50, 60)
    current, proposed = (parse(playbook(50, ratio).encode()) for ratio in ("1.3", "1.2"))
    versions = Versions(current, proposed)
    # Every rule once, and the changed one for each other value than the current one.
    assert len(versions.rules) == len(versions.current) + len(versions.trials) - 1
    rows = list(rows_of(tmp_path / f"{episode.episode_id}{SUFFIX}", versions.detection.signals))

    def plain() -> None:
        evaluator = Evaluator(current.detection)
        for row in rows:
            evaluator.judge(row)

    def backtest() -> None:
        hear(episode, versions.detection, versions.rules, rows)

    # Interleaved and in processor time: what else the machine does hits both.
    seconds: dict[str, float] = {}
    for _ in range(3):
        for name, run in (("plain", plain), ("backtest", backtest)):
            began = time.process_time()
            run()
            seconds[name] = min(time.process_time() - began, seconds.get(name, 1e9))
    assert seconds["backtest"] < 2.5 * seconds["plain"]
