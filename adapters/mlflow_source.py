"""Labels that judges and people attach to MLflow traces, as outputs and blocks (SRC-23…26).

The block of a trace is that of its request, not of its label. Asked for a block, the source reads the traces from
`overlap` before it to its end, and gives

* an output for every labelled trace, under an id that is the same whenever it is read: the store keeps the first;
* for each arm and signal of the block itself one counted block: the traces that were served and have no label yet.

So a label that comes after its block was sealed is a late output, once; one that is changed afterwards is refused by
the store as a repetition with other content: one served output is one piece of evidence, and the first label counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import httpx

from activities.signal_ports import CountedBlock, LabelledOutput, Pulled, PullRequest
from adapters.arms import filled
from adapters.mlflow_labels import Judges, Labelled
from adapters.mlflow_traces import Found, MlflowTraces, NoAnswer, Trace
from adapters.source_settings import MlflowSettings
from countermand.canonical import digest, digest_bytes, instant
from countermand.detection.blocks import Arm, BlockState
from countermand.detection.sealing import DERIVED, encoder
from countermand.playbook.assessments import AssessmentQuery
from countermand.playbook.signals import SignalSpec

_log = logging.getLogger(__name__)

#: More labels outside the declared range than one in this many make the block unknown (sources.md §2).
_OUT_OF_RANGE = 100


class MlflowSource:
    """Implements PullSource."""

    def __init__(self, settings: MlflowSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Raises OSError when the token file cannot be read."""
        self._settings = settings
        self._traces = MlflowTraces(settings, transport)

    async def close(self) -> None:
        await self._traces.close()

    async def pull(self, request: PullRequest) -> Pulled:
        """Labels known by now of the block and of the overlap before it; unknown blocks when they cannot be read."""
        signals = {name: spec for name, spec in sorted(request.signals.items()) if spec.kind not in DERIVED}
        arms = {filled(text, request.release): arm for arm, text in self._settings.arms.items()}
        if len(arms) < len(Arm):
            return self._unknown(request, signals, "inconsistent", f"both arms have the tag {next(iter(arms))!r}")
        try:
            found = await self._traces.between(request.start - self._settings.overlap, request.end)
        except NoAnswer as missing:
            return self._unknown(request, signals, missing.reason, str(missing))
        # Tens of thousands of labels take seconds: other watches share this loop.
        return await asyncio.to_thread(self._read, request, signals, arms, found)

    def _read(
        self, request: PullRequest, signals: Mapping[str, SignalSpec], arms: Mapping[str, Arm], found: Found
    ) -> Pulled:
        tag = self._settings.arm_tag
        served = [(arms[trace.tags[tag]], trace) for trace in found.traces if trace.tags.get(tag) in arms]
        parts = [self._signal(request, name, spec, served, found) for name, spec in signals.items()]
        return Pulled(
            items=tuple(item for part in parts for item in part.items),
            counts=tuple(block for part in parts for block in part.counts),
        )

    def _signal(
        self, request: PullRequest, name: str, spec: SignalSpec, served: Sequence[tuple[Arm, Trace]], found: Found
    ) -> Pulled:
        query = spec.query
        if not isinstance(query, AssessmentQuery):
            return self._unknown(request, [name], "query_error", "the playbook names no assessment in `query`")
        encode = encoder(name, spec)
        read = [Labelled.of(arm, trace, spec.kind, query, encode) for arm, trace in served]
        late = [one for one in read if one.trace.request_time < request.start]
        block = read[len(late) :]
        judges = Judges.of(late, block)
        # Late labels of a former judge and of the new one are not compared with each other.
        known = [one for one in late if one.judges <= judges.now] + block
        asked = {
            "experiments": self._settings.experiments,
            "from": instant(request.start),
            "judges": sorted("/".join(judge) for judge in judges.of_block),
            "pages": found.pages,
            "query": query.model_dump(mode="json"),
            "signal": name,
            "to": instant(request.end),
        }
        counts = []
        for arm in Arm:
            own = [one for one in block if one.arm is arm]
            labelled = sum(one.label is not None for one in own)
            unfit = Counter(one.unfit for one in own if one.unfit)
            if unfit:
                _log.warning("%s of the %s from %s: unlabelled are %s", name, arm, request.start, dict(unfit))
            beyond = unfit["out_of_range"] * _OUT_OF_RANGE > labelled + unfit["out_of_range"]
            reason = "judge_changed" if judges.changed else "out_of_range" if beyond else None
            evidence = digest({**asked, "arm": arm.value, "served": len(own), "unfit": dict(unfit)})
            counts.append(_block(request, name, arm, reason, len(own) - labelled, evidence))
        return Pulled(items=tuple(_outputs(request.release.release_id, name, known)), counts=tuple(counts))

    def _unknown(self, request: PullRequest, signals: Iterable[str], reason: str, said: str) -> Pulled:
        _log.warning("%s from %s: %s unknown(%s): %s", self._settings.url, request.start, list(signals), reason, said)
        return Pulled(counts=tuple(_block(request, name, arm, reason) for name in signals for arm in Arm))


def _outputs(release_id: str, signal: str, read: Iterable[Labelled]) -> Iterator[LabelledOutput]:
    # The same trace is an output of every release that was watched then, and of every signal that reads it.
    reader = digest_bytes(f"{release_id}/{signal}".encode()).removeprefix("sha256:")[:16]
    for one in read:
        if one.label is not None:
            outcome, value, category = one.label
            yield LabelledOutput(
                observation_id=f"{one.trace.trace_id}/{reader}",
                release_id=release_id,
                arm=one.arm,
                signal=signal,
                event_time=one.trace.request_time,
                outcome=outcome,
                value=value,
                category=category,
            )


def _block(
    request: PullRequest, signal: str, arm: Arm, reason: str | None, unlabelled: int = 0, evidence: str | None = None
) -> CountedBlock:
    """What the block holds beside its labelled outputs: how many were served without label, or why it is unknown."""
    return CountedBlock(
        release_id=request.release.release_id,
        arm=arm,
        signal=signal,
        start=request.start,
        state=BlockState.unknown if reason else BlockState.ok,
        reason=reason,
        served=unlabelled,
        scored=0,
        evidence=evidence,
    )
