"""A made-up past to try proposals on: incidents of different kinds and quiet days, each labelled `synthetic`.

`python -m scripts.synthetic_history --out DIR --seed 7` writes one file `countermand.episode/v1` per episode. The same
seed writes the same bytes. What a live watch of the playbook would have done is found by the live evaluator.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from countermand.detection.blocks import Block, BlockState, Row
from countermand.detection.evaluator import changes, fired
from countermand.detection.planted import Harm, plant
from countermand.detection.synthetic import synthetic
from countermand.learning.episode import Episode
from countermand.learning.episode_file import SUFFIX, written
from countermand.playbook.criteria import Detection
from countermand.playbook.load import parse

ROOT = Path(__file__).parent.parent
PLAYBOOK = ROOT / "playbooks" / "conversational-agent.yaml"

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
QUIET_DAYS = 14
#: Outputs per minute on each arm.
PER_MINUTE = 600
FEW = 120

#: From the trigger to the question, the decision and the first step back.
ASKED, DECIDED, EFFECT = timedelta(minutes=1), timedelta(minutes=9), timedelta(minutes=12)


@dataclass(frozen=True)
class Story:
    """One made-up incident. harms: signal → probability that an output that is not bad turns bad.

    grows: how long the harm takes to reach its full size. late: a signal of which a part arrives half an hour later.
    silent: a signal whose source says nothing for a while during the harm. found: when people notice, if no watch does.
    """

    name: str
    harms: Mapping[str, float]
    note: str
    at: timedelta = timedelta(hours=2)
    lasts: timedelta = timedelta(hours=6)
    grows: timedelta = timedelta(0)
    late: str | None = None
    silent: str | None = None
    found: timedelta = timedelta(hours=3)


STORIES = (
    Story("policy-leak", {"moderation_failures": 0.015}, "A filter was left out: content that the policy forbids."),
    Story(
        "slow-drift",
        {"hallucinations": 0.002},
        "Answers lose touch with their sources, a little more every hour.",
        grows=timedelta(hours=3),
        lasts=timedelta(hours=8),
    ),
    Story("wrong-answers", {"accuracy": 0.08}, "Golden questions are answered worse from one minute to the next."),
    Story(
        "dialect",
        {"wrong_refusals": 0.06},
        "Harmless requests in regional wording are refused; the audit delivers late.",
        late="wrong_refusals",
    ),
    Story(
        "slow-and-bad",
        {"thumbs_down": 0.05, "timeouts": 0.03},
        "People wait and complain; the gateway says nothing for twenty minutes.",
        silent="timeouts",
    ),
    Story(
        "flattery",
        {"implausible_approval": 0.3, "moderation_failures": 0.004},
        "Approval jumps while safety falls a little.",
    ),
    Story(
        "faint-leak",
        {"moderation_failures": 0.0008},
        "A little more than usual that the policy forbids: within what the playbook tolerates, found by people.",
        lasts=timedelta(hours=12),
        found=timedelta(hours=9),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory for the episode files")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--playbook", type=Path, default=PLAYBOOK)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    playbook = parse(given.playbook.read_bytes())
    for episode, rows in history(playbook.detection, playbook.service, given.seed):
        (given.out / f"{episode.episode_id}{SUFFIX}").write_bytes(written(episode, rows))
        print(f"{episode.episode_id}: {episode.kind}, {len(rows):,} rows")


def history(
    detection: Detection,
    service: str,
    seed: int,
    quiet_days: int = QUIET_DAYS,
    stories: Sequence[Story] = STORIES,
) -> Iterator[tuple[Episode, list[Row]]]:
    """Every episode with its rows, one release each, a week apart."""
    week = timedelta(days=7)
    for number, story in enumerate(stories):
        yield incident(detection, service, story, BEGIN + number * week, seed)
    for number in range(quiet_days):
        begins = BEGIN + (len(stories) + number) * week
        name = f"quiet-{number + 1:02}"
        rows = _usual(detection, begins, timedelta(days=1), seed, name)
        yield _episode(service, name, "quiet", rows, "Nothing happened."), rows


def incident(
    detection: Detection, service: str, story: Story, begins: datetime, seed: int
) -> tuple[Episode, list[Row]]:
    """One incident with its rows, up to its end: also those after the first step back."""
    rows = _usual(detection, begins, story.lasts, seed, story.name)
    harm_start = begins + story.at
    rows = [_harmed(detection, story, row, harm_start, seed) for row in rows]
    if story.silent is not None:
        off = range(round(story.at / detection.block) + 5, round(story.at / detection.block) + 25)
        rows = [_silent(row, story.silent) if row.seq in off else row for row in rows]
    if story.late is not None:
        rows = list(_late(rows, story.late))
    told = next((change.at for change in changes(detection, rows) if fired(change.verdict)), None)
    known = told or harm_start + story.found
    times = {"fired_at": told, "asked_at": known + ASKED, "decided_at": known + DECIDED}
    effect = {"harm_start": harm_start, "first_effect_at": known + EFFECT}
    episode = _episode(service, story.name, "incident", rows, story.note)
    return Episode(**{**dict(episode), **times, **effect}), rows


def _episode(service: str, name: str, kind: str, rows: list[Row], note: str) -> Episode:
    newest = max(rows, key=lambda row: row.seq)
    return Episode.model_validate(
        {
            "episode_id": f"synthetic-{name}",
            "kind": kind,
            "source": "synthetic",
            "release_id": f"{service}-{name}",
            "service": service,
            "begins": rows[0].start,
            "ends": newest.start + newest.block,
            "labelled_by": "synthetic",
            "label_version": 1,
            "note": note,
        }
    )


def _draws(seed: int, name: str) -> Iterator[float]:
    return iter(Random(f"{seed}/{name}").random, None)  # noqa: S311  # a made-up past, not a secret


def _usual(detection: Detection, begins: datetime, lasts: timedelta, seed: int, name: str) -> list[Row]:
    traffic = {
        name: (FEW, FEW) if spec.source in ("feedback", "golden_questions") else (PER_MINUTE, PER_MINUTE)
        for name, spec in detection.signals.items()
    }
    return list(synthetic(detection, traffic, lasts // detection.block, begins, _draws(seed, name)))


def _harmed(detection: Detection, story: Story, row: Row, harm_start: datetime, seed: int) -> Row:
    since = row.start - harm_start
    if since < timedelta(0):
        return row
    share = min((since + detection.block) / story.grows, 1.0) if story.grows else 1.0
    draws = _draws(seed, f"{story.name}/{row.seq}")
    for signal, part in story.harms.items():
        row = plant(detection.signals, Harm(signal=signal, part=part), row, share, draws)
    return row


def _silent(row: Row, signal: str) -> Row:
    """The source of this signal did not answer."""
    lost = {"state": BlockState.unknown, "reason": "source_failed", "served": 0, "scored": 0, "bad": 0}
    blocks = tuple(block.model_copy(update=lost) if block.signal == signal else block for block in row.blocks)
    return row.model_copy(update={"blocks": blocks})


def _late(rows: list[Row], signal: str, part: int = 20, after: int = 30) -> Iterator[Row]:
    """One in `part` outputs of this signal arrives `after` blocks later, as a row of late samples."""
    waiting: dict[int, Row] = {}
    for row in rows:
        own = [block for block in row.blocks if block.signal == signal and block.scored >= part]
        behind = {id(block): _share(block, part) for block in own}
        if behind:
            waiting[row.seq + after] = Row(
                seq=row.seq, start=row.start, block=row.block, late_of=row.seq, blocks=tuple(behind.values())
            )
        yield row.model_copy(
            update={
                "blocks": tuple(
                    _less(block, behind[id(block)]) if id(block) in behind else block for block in row.blocks
                )
            }
        )
        if row.seq in waiting:
            yield waiting.pop(row.seq)


def _share(block: Block, part: int) -> Block:
    return Block(
        **{**dict(block), "served": block.scored // part, "scored": block.scored // part, "bad": block.bad // part}
    )


def _less(block: Block, late: Block) -> Block:
    left = {"served": block.served - late.served, "scored": block.scored - late.scored, "bad": block.bad - late.bad}
    return Block(**{**dict(block), **left})


if __name__ == "__main__":
    main()
