"""Whether everything a scenario names exists: in its playbook, among its people, in the rows of clocks (LRN-22)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from countermand.playbook.model import Playbook
from countermand.playbook.terms import Fault
from countermand.rehearsal.oracle_lines import ANYBODY
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.script import spoken, unknown_event


def dangling(scenario: Scenario, playbook: Playbook, rows: Collection[str]) -> Iterator[Fault]:
    """What leads nowhere, each with its place and what would be accepted. rows: ids of all rows of clocks."""
    if scenario.context is not playbook.context:
        yield ("context",), f"{scenario.context.value!r} is not that of the playbook, {playbook.context.value!r}"
    yield from _people(scenario)
    yield from _world(scenario, playbook)
    for place, event in _events(scenario):
        if why := unknown_event(event, playbook):
            yield place, why
    for index, row in enumerate(scenario.obligations_expected):
        if row not in rows:
            yield ("obligations_expected", index), f"{row!r} is no row of a clock; write an id of obligations.yaml"


def _people(scenario: Scenario) -> Iterator[Fault]:
    people = (*scenario.persons, scenario.requester, "automation")
    anybody = (*ANYBODY, *scenario.roles, *scenario.persons)
    for index, act in enumerate(scenario.people):
        yield from _known(act.who, people, "nobody in it", ("people", index, "who"))
    for index, change in enumerate(scenario.world.directory):
        for field, person in (("person", change.person), ("to", change.to)):
            if person is not None:
                yield from _known(person, people, "nobody in it", ("world", "directory", index, field))
    for index, inject in enumerate(scenario.injects):
        yield from _known(inject.to, tuple(scenario.roles), "a role that nobody holds", ("injects", index, "to"))
    for index, turn in enumerate(scenario.tabletop):
        yield from _known(turn.role, tuple(scenario.roles), "a role that nobody holds", ("tabletop", index, "role"))
    for index, expected in enumerate(scenario.expected_decisions):
        yield from _known(expected.by, anybody, "neither a role nor a person", ("expected_decisions", index, "by"))
    for index, line in enumerate(scenario.forbidden):
        yield from _known(line.by, anybody, "neither a role nor a person", ("forbidden", index, "by"))


def _world(scenario: Scenario, playbook: Playbook) -> Iterator[Fault]:
    world, signals = scenario.world, playbook.detection.signals
    sources = sorted({spec.source for spec in signals.values()})
    for index, harm in enumerate(world.signals):
        yield from _known(harm.signal, sorted(signals), "no signal", ("world", "signals", index, "signal"))
    for name, source in world.sources.items():
        yield from _known(name, sources, "no source of a signal", ("world", "sources", name))
        for index, lie in enumerate(source.lies):
            own = sorted(signal for signal, spec in signals.items() if spec.source == name)
            yield from _known(lie.signal, own, "not from it", ("world", "sources", name, "lies", index, "signal"))
    for index, fault in enumerate(world.target):
        stage = fault.on.removeprefix("stage_")
        if stage.isdigit() and int(stage) > len(playbook.revert.stages):
            last = len(playbook.revert.stages)
            yield ("world", "target", index, "on"), f"{fault.on!r} is no stage of the playbook; it has {last}"
    for name in world.checks:
        checks = [check.id for check in playbook.data_integrity.checks]
        yield from _known(name, checks, "no check of the playbook", ("world", "checks", name))
    if world.standing is not None:
        triggers = [trigger.id for trigger in playbook.detection.triggers]
        for index, trigger in enumerate(world.standing.triggers):
            yield from _known(trigger, triggers, "no trigger", ("world", "standing", "triggers", index))


def _events(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every event that it names, and where."""
    named: Iterable[tuple[str, Iterable[object], tuple[str, ...]]] = (
        ("people", scenario.people, ("on_event",)),
        ("injects", scenario.injects, ("on_event",)),
        ("expected_decisions", scenario.expected_decisions, ("after",)),
        ("expected_events", scenario.expected_events, ("event", "after")),
        ("forbidden", scenario.forbidden, ("event", "until")),
        ("communications_expected", scenario.communications_expected, ("before", "after")),
    )
    for section, lines, fields in named:
        for index, line in enumerate(lines):
            for field in fields:
                event = getattr(line, field)
                if event is not None:
                    yield (section, index, field), event
    for index, event in enumerate(scenario.ends_when.events):
        yield ("ends_when", "events", index), event


def _known(name: str, known: Collection[str], what: str, place: tuple[str | int, ...]) -> Iterator[Fault]:
    if name not in known:
        yield place, f"{name!r} is {what}; write {spoken(known) if known else 'nothing'}"
