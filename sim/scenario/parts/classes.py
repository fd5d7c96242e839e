"""The classes of callers: each differs from the scenario in what it writes, and shares the rest with the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sim.options.model import DurationNs, Options
from sim.options.part_name import PartName
from sim.options.share import Share
from sim.scenario.parts.retrier import POLICY, PRESET, RetrierChoice, RetrierField
from sim.scenario.tree import Tree
from sim.world.actions import ActionOptions
from sim.world.outcomes import SHARE_TOLERANCE

MOST_CLASSES = 100
MOST_URGENT = -1000
LEAST_URGENT = 1000

SERVICE = "service"
REPLACED_BY_SERVICE = frozenset(
    {"latency", "outcomes", "effect_at", "weather", "script", "permanent_failure", "idempotency"}
)
"""Keys of an action that say what a service says instead, if the action is a call of one."""


class ClassRetrierField(RetrierField):
    """The retrier of a class: as that of a scenario, or without `kind` some options that differ from the scenario's."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written = super().__get_pydantic_json_schema__(schema, handler)
        changes = {"title": "Options that differ", "type": "object", "not": {"required": ["kind"]}}
        return {"anyOf": [*written["anyOf"], changes]}


class ClassOptions(Options):
    """One class of callers, and how it differs from the scenario."""

    share: Share = Field(description="Share of the requests.")
    priority: int = Field(
        default=0,
        ge=MOST_URGENT,
        le=LEAST_URGENT,
        description="Queues with priorities serve the class with the smallest number first.",
    )
    deadline: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="The caller's patience: results count who has had no success by then."
    )
    retrier: Annotated[RetrierChoice, ClassRetrierField()] | None = Field(
        default=None,
        description="Instead of the scenario's retrier; without `kind`, the options that differ from it.",
    )
    action: ActionOptions | None = Field(
        default=None, description="Keys that take the place of those of the scenario's action."
    )


def _sum_to_one(classes: dict[str, ClassOptions] | None) -> dict[str, ClassOptions] | None:
    if classes is not None:
        total = fsum(one.share for one in classes.values())
        if abs(total - 1.0) > SHARE_TOLERANCE:
            raise ValueError(f"the shares of the classes sum to {total:.12g}, but must sum to 1")
    return classes


Classes = Annotated[
    dict[PartName, ClassOptions], Field(min_length=1, max_length=MOST_CLASSES), AfterValidator(_sum_to_one)
]
"""Classes by their names, in the order in which records number them."""


@dataclass(frozen=True, slots=True)
class CallerClass:
    """A class with all that it has from its scenario filled in."""

    name: str
    share: float
    priority: int
    deadline_ns: int | None
    retrier: RetrierChoice | None
    """Its own; None if it is the scenario's."""
    action: ActionOptions


def caller_classes(classes: Mapping[str, ClassOptions] | None, action: ActionOptions) -> tuple[CallerClass, ...]:
    """Return the classes of a scenario, in its order; none if it has none."""
    return tuple(
        CallerClass(name, one.share, one.priority, one.deadline, one.retrier, action_of_class(action, one.action))
        for name, one in (classes or {}).items()
    )


def action_of_class(action: ActionOptions, own: ActionOptions | None) -> ActionOptions:
    """Return the scenario's action with the keys that a class has replaced.

    An action that is a call of a service says nothing that the service says; so if the class names one, such keys of
    the scenario's do not count, and if the class has such a key, the scenario's service does not.
    """
    if own is None or not own.model_fields_set:
        return action
    given = own.model_fields_set
    dropped = REPLACED_BY_SERVICE if SERVICE in given else {SERVICE} if given & REPLACED_BY_SERVICE else frozenset()
    kept = {name: getattr(action, name) for name in sorted(action.model_fields_set - dropped - given)}
    return ActionOptions(**kept, **{name: getattr(own, name) for name in sorted(given)})


def with_class_retriers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a scenario with whole retriers in its classes: those without a kind have the scenario's."""
    classes = values.get("classes")
    if not isinstance(classes, Mapping):
        return dict(values)
    return {**values, "classes": {name: _with_retrier(one, values) for name, one in classes.items()}}


def _with_retrier(one: Any, values: Tree) -> Any:
    own = one.get("retrier") if isinstance(one, Mapping) else None
    return {**one, "retrier": whole_retrier(own, values.get("retrier"))} if isinstance(own, Mapping) else one


def whole_retrier(own: Mapping[str, Any], scenarios: Any) -> Mapping[str, Any]:
    """Return the retrier of a class that writes these options: with a kind or a preset they are all."""
    if "kind" in own:
        return own
    if PRESET in own:
        return {"kind": POLICY, **own}
    if isinstance(scenarios, RetrierChoice):
        scenarios = {"kind": scenarios.kind, **scenarios.options.model_dump(exclude_unset=True)}
    elif isinstance(scenarios, str):
        scenarios = {"kind": scenarios}
    return {**scenarios, **own} if isinstance(scenarios, Mapping) else own
