"""What Envoy says its runtime is, and the file of one layer of it (targets.md §6.3)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_file import Mark
from adapters.target_http import Raw, kept_as
from adapters.target_settings import EnvoyMember
from countermand.canonical import digest

_RUNTIME_TYPE = "type.googleapis.com/envoy.service.runtime.v3.Runtime"


class _Entry(BaseModel):
    final_value: str
    layer_values: list[str]


class _Runtime(BaseModel):
    entries: dict[str, _Entry] = {}
    layers: list[str]


class _Stat(BaseModel):
    name: str | None = None
    value: int | None = None


class _Stats(BaseModel):
    stats: list[_Stat]


RUNTIME = TypeAdapter(_Runtime)
STATS = TypeAdapter(_Stats)


class Keys(NamedTuple):
    """The runtime keys of one member."""

    candidate: str
    baseline: str
    mark: str

    @classmethod
    def of(cls, name: str, place: EnvoyMember) -> Keys:
        return cls(f"{place.prefix}.{place.candidate}", f"{place.prefix}.{place.baseline}", f"countermand.{name}")


class Weights(NamedTuple):
    """Two weights and what is kept beside them."""

    candidate: int
    baseline: int
    mark: Mark | None

    @property
    def revision(self) -> str:
        mark = None if self.mark is None else self.mark.model_dump()
        return f"content:{digest({'candidate': self.candidate, 'baseline': self.baseline, 'mark': mark})}"


class InForce(NamedTuple):
    """The values that routes use now. overridden: keys whose value comes from a layer above ours, with that layer."""

    weights: Weights
    overridden: dict[str, str]
    sha256: str


def in_force(keys: Keys, layer: str, raw: Raw, body: _Runtime) -> InForce:
    """The effective values after all layers. Raises TargetRejected for keys or a layer that Envoy does not have."""
    if layer not in body.layers:
        raise TargetRejected(f"Envoy has no runtime layer {layer!r}; it has {body.layers}")
    for key in (keys.candidate, keys.baseline):
        if key not in body.entries:
            raise TargetRejected(f"Envoy has no runtime key {key!r}; set it in its static layer or in the file")
    values = {key: body.entries[key].final_value for key in keys if key in body.entries}
    ours = body.layers.index(layer)
    overridden = {
        key: name
        for key in values
        for name, value in list(zip(body.layers, body.entries[key].layer_values, strict=True))[ours + 1 :]
        if value
    }
    return InForce(_weights(keys, values), overridden, raw.sha256)


def in_file(keys: Keys, text: bytes, elsewhere: Weights) -> Weights:
    """What the file says; weights that it does not name come from other layers. Raises TargetRejected."""
    _, layer = _parsed(text)
    defaults = {keys.candidate: elsewhere.candidate, keys.baseline: elsewhere.baseline}
    return _weights(keys, defaults | {key: layer[key] for key in keys if key in layer})


def edited(keys: Keys, text: bytes, new: Weights) -> bytes:
    """The file with other weights and mark; everything else stays. Raises TargetRejected."""
    document, layer = _parsed(text)
    layer[keys.candidate] = new.candidate
    layer[keys.baseline] = new.baseline
    layer[keys.mark] = "" if new.mark is None else new.mark.model_dump_json()
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def stats(body: _Stats, cluster: str, raw: Raw) -> dict[str, int]:
    """Counters and gauges of a cluster by their short names. Raises TargetUnavailable when it counts no requests."""
    prefix = f"cluster.{cluster}."
    found = {
        stat.name.removeprefix(prefix): stat.value
        for stat in body.stats
        if stat.name is not None and stat.value is not None and stat.name.startswith(prefix)
    }
    if "upstream_rq_total" not in found:
        raise TargetUnavailable(f"Envoy's answer, {kept_as(raw.sha256)}, counts no requests of cluster {cluster!r}")
    return found


def _parsed(text: bytes) -> tuple[Any, dict[str, Any]]:
    try:
        document = json.loads(text)
        (resource,) = document["resources"]
        layer = resource["layer"]
        good = resource["@type"] == _RUNTIME_TYPE and isinstance(layer, dict)
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise TargetRejected(f"the runtime file is not JSON with one resource of type {_RUNTIME_TYPE!r} and its layer")
    return document, layer


def _weights(keys: Keys, values: dict[str, Any]) -> Weights:
    try:
        mark = Mark.model_validate_json(values[keys.mark]) if values.get(keys.mark) else None
    except ValidationError:
        raise TargetRejected(f"runtime key {keys.mark!r} is not as we wrote it; remove it from the file") from None
    return Weights(_weight(keys.candidate, values), _weight(keys.baseline, values), mark)


def _weight(key: str, values: dict[str, Any]) -> int:
    text = str(values[key])
    if not text.isdecimal():
        raise TargetRejected(f"runtime key {key!r} is {text!r}; a whole weight is needed")
    return int(text)
