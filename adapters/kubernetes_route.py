"""One HTTPRoute of the Gateway API: the rule that divides traffic between both arms, and who else writes it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from activities.ports import TargetRejected
from adapters.target_file import Mark
from adapters.target_settings import HttpRouteMember
from countermand.detection.models import Arm

ANNOTATION = "countermand/last-change"
FIELD_MANAGER = "countermand"
_HEAVIEST = 1_000_000
_WEIGHT_UNSAID = 1


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True)


class _ManagedFields(_Body):
    manager: str = ""
    fields: dict[str, Any] = Field(default={}, alias="fieldsV1")

    @property
    def rules(self) -> bool:
        return "f:rules" in self.fields.get("f:spec", {})


class _Metadata(_Body):
    uid: str
    generation: int
    resource_version: str = Field(alias="resourceVersion")
    annotations: dict[str, str] = {}
    managed_fields: tuple[_ManagedFields, ...] = Field(default=(), alias="managedFields")


class _Spec(_Body):
    rules: list[dict[str, Any]] = []


class RouteBody(_Body):
    """What the API server answers, as far as it is read here."""

    metadata: _Metadata
    spec: _Spec


ROUTE: TypeAdapter[RouteBody] = TypeAdapter(RouteBody)


class Route(NamedTuple):
    """A route with one rule for both arms. `at`: index of that rule, and of each arm's backend in it."""

    metadata: _Metadata
    rules: list[dict[str, Any]]
    at: tuple[int, dict[Arm, int]]
    weights: tuple[int, int]
    mark: Mark | None

    @property
    def revision(self) -> str:
        """Of the specification alone: the status, which gateways write all the time, changes `resourceVersion` too."""
        return f"{self.metadata.uid}/{self.metadata.generation}"

    def owners(self) -> set[str]:
        """Field managers other than ours that own the rules. A list of rules has one owner for all of it."""
        return {field.manager for field in self.metadata.managed_fields if field.rules} - {FIELD_MANAGER}

    def patch(self, key: str, fence: int, candidate: int, baseline: int) -> dict[str, object]:
        """A merge patch (RFC 7386) for exactly this state: it replaces all rules, so all are in it as they were."""
        generation = self.mark.generation + 1 if self.mark else 1
        mark = Mark(key=key, fence=fence, generation=generation, candidate=candidate, baseline=baseline)
        rules = deepcopy(self.rules)
        rule, backends = self.at
        for arm, weight in ((Arm.candidate, candidate), (Arm.baseline, baseline)):
            rules[rule]["backendRefs"][backends[arm]]["weight"] = weight
        metadata = {
            "resourceVersion": self.metadata.resource_version,
            "annotations": {ANNOTATION: mark.model_dump_json()},
        }
        return {"metadata": metadata, "spec": {"rules": rules}}


def route_in(body: RouteBody, place: HttpRouteMember) -> Route:
    """The route of a member. Raises TargetRejected unless one rule names both arms and nothing else does."""

    def refused(why: str) -> TargetRejected:
        return TargetRejected(f"HTTPRoute {place.namespace}/{place.route}: {why}")

    names = [[ref.get("name") for ref in rule.get("backendRefs") or []] for rule in body.spec.rules]
    arms = {place.candidate, place.baseline}
    with_arms = [index for index, found in enumerate(names) if arms & set(found)]
    if len(with_arms) != 1 or len(names[with_arms[0]]) != 2 or set(names[with_arms[0]]) != arms:
        raise refused(
            f"exactly one rule with the backends {place.candidate!r} and {place.baseline!r} and no third is needed, "
            f"and no other rule with one of them; the rules have {names}"
        )
    (rule,) = with_arms
    backends = {arm: names[rule].index(place.of(arm)) for arm in (Arm.candidate, Arm.baseline)}
    refs = body.spec.rules[rule]["backendRefs"]
    candidate, baseline = (refs[backends[arm]].get("weight", _WEIGHT_UNSAID) for arm in (Arm.candidate, Arm.baseline))
    for weight in (candidate, baseline):
        if type(weight) is not int or not 0 <= weight <= _HEAVIEST:
            raise refused(f"a weight is {weight!r}; a whole number of 0 to 1,000,000 is accepted")
    kept = body.metadata.annotations.get(ANNOTATION)
    try:
        mark = None if kept is None else Mark.model_validate_json(kept)
    except ValidationError:
        raise refused(f"its annotation {ANNOTATION!r} is not as we wrote it; remove it") from None
    return Route(body.metadata, body.spec.rules, (rule, backends), (candidate, baseline), mark)
