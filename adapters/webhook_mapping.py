"""From the JSON of another system to outputs, counted blocks or alerts, by the rules of its source (SRC-28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from activities.signal_ports import CountedBlock, LabelledOutput
from adapters.alert_values import Alert
from adapters.webhook_rules import AlertRule, CountedRule, MappingRule, Misfit, OutputRule, Taken, said, value_at
from countermand.canonical import digest

#: Items that one payload may hold.
MAX_ITEMS = 5_000


class Mapped(NamedTuple):
    """What a payload holds, and why parts of it were not understood. about_alerts: those could have been alerts."""

    outputs: tuple[LabelledOutput, ...] = ()
    counted: tuple[CountedBlock, ...] = ()
    alerts: tuple[Alert, ...] = ()
    misfits: tuple[str, ...] = ()
    about_alerts: bool = False


def mapped(rules: tuple[MappingRule, ...], payload: object) -> Mapped:
    """What the first rule that fits makes of a payload; items that do not fit are told, the others count."""
    rule = next((rule for rule in rules if rule.fits(payload)), None)
    if rule is None:
        return Mapped(misfits=("no rule of the mapping fits this payload",))
    try:
        items = [payload] if rule.each is None else value_at(payload, rule.each)
    except Misfit as absent:
        return Mapped(misfits=(str(absent),), about_alerts=rule.alert is not None)
    if not isinstance(items, list) or not 0 < len(items) <= MAX_ITEMS:
        misfit = f"{rule.each}: {said(items)} is not a list of 1 to {MAX_ITEMS} items"
        return Mapped(misfits=(misfit,), about_alerts=rule.alert is not None)
    outputs, counted, alerts, misfits = [], [], [], []
    for index, item in enumerate(items):
        try:
            if rule.output is not None:
                outputs.append(LabelledOutput(**_fields(rule.output, item, payload)))
            elif rule.counted is not None:
                counted.append(CountedBlock(**_fields(rule.counted, item, payload)))
            elif rule.alert is not None:
                alerts.append(_alert(rule.alert, item, payload))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = "/".join(str(part) for part in first["loc"])
            misfits.append(f"item {index}: {where}: {first['msg']} (got {said(first['input'])})")
        except Misfit as misfit:
            misfits.append(f"item {index}: {misfit}")
    return Mapped(tuple(outputs), tuple(counted), tuple(alerts), tuple(misfits), rule.alert is not None)


def _fields(rule: OutputRule | CountedRule, item: object, payload: object) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in type(rule).model_fields:
        source = getattr(rule, name)
        if isinstance(source, Taken):
            fields[name] = source.take(item, payload)
        elif source:
            fields[name] = _texts(source, item, payload)
    return {name: value for name, value in fields.items() if value is not None}


def _texts(sources: Mapping[str, Taken], item: object, payload: object) -> dict[str, str]:
    taken = {name: source.take(item, payload) for name, source in sources.items()}
    return {name: value if isinstance(value, str) else str(value) for name, value in taken.items() if value is not None}


def _alert(rule: AlertRule, item: object, payload: object) -> Alert:
    labels = {"alertname": str(rule.name.take(item, payload)), **_texts(rule.labels, item, payload)}
    identity = rule.id.take(item, payload) if rule.id else None
    starts_at = rule.starts_at.take(item, payload)
    status = rule.status.take(item, payload)
    ends_at = rule.ends_at.take(item, payload) if rule.ends_at else None
    if ends_at is None and rule.fires_for and status == "firing":
        ends_at = starts_at + rule.fires_for
    return Alert(
        fingerprint=digest(sorted(labels.items())) if identity is None else str(identity),
        status=status,
        starts_at=starts_at,
        ends_at=ends_at,
        labels=labels,
        annotations=_texts(rule.annotations, item, payload),
    )
