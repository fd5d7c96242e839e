"""Finds the numbers of one cell: every leaf of its resolved form that is a number, with what its model says of it.

The resolved form and the models are walked side by side: the form has the keys as `--set` takes them, and the models
have bounds and descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo

from sim.kernel.durations import parse_duration, parse_rate
from sim.options.model import Options
from sim.report.live.stops import Bounds, Kind
from sim.scenario.identity import resolved
from sim.scenario.parts.retrier import RetrierChoice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.scenario.schema import Scenario

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a cell."""

    path: Path
    """The keys that lead to it in the resolved form."""
    words: Path
    """As many words as keys, for people: of an entry of a list the name or the place that it has, nothing if it is the
    only one."""
    kind: Kind
    value: float
    """In ns if it is a duration, per second if it is a rate."""
    bounds: Bounds
    about: str
    """What its model says of it; empty if that says nothing."""


def numbers_of(cell: Scenario) -> Iterator[Number]:
    """Yield the numbers of a scenario without sweep and variants, defaults included, in the order of its form."""
    yield from _walk(_Place((), ()), resolved(cell), cell, None)


class _Place(NamedTuple):
    """Where a value stands: keys for `--set`, and words for people."""

    path: Path
    words: Path

    def below(self, key: str, word: str | None = None) -> _Place:
        return _Place((*self.path, key), (*self.words, key if word is None else word))


def _walk(place: _Place, node: Any, thing: Any, field: FieldInfo | None) -> Iterator[Number]:
    """Yield the numbers below a node of the form; `thing` is the model that it was written from, if there is one."""
    thing = thing.options if isinstance(thing, RetrierChoice) else thing
    if isinstance(node, Mapping):
        yield from _walk_mapping(place, node, thing)
    elif isinstance(node, list):
        things = thing if isinstance(thing, list | tuple) and len(thing) == len(node) else [None] * len(node)
        for position, (below, one) in enumerate(zip(node, things, strict=True)):
            yield from _walk(place.below(str(position), _word_of_entry(node, position)), below, one, field)
    else:
        found = _leaf(place, node, _field_of_short_form(thing, field))
        if found is not None:
            yield found


def _word_of_entry(entries: list[Any], position: int) -> str:
    """Name an entry of a list: by its kind if it has one, by its place if there are others."""
    entry = entries[position]
    if isinstance(entry, Mapping) and isinstance(entry.get("kind"), str):
        return str(entry["kind"])
    return f"#{position + 1}" if len(entries) > 1 else ""


def _walk_mapping(place: _Place, node: Mapping[str, Any], thing: Any) -> Iterator[Number]:
    if not isinstance(thing, Options):
        things = thing if isinstance(thing, Mapping) else {}
        for key, below in node.items():
            yield from _walk(place.below(key), below, things.get(key), None)
        return
    fields = {info.serialization_alias or info.alias or name: (name, info) for name, info in _fields(thing).items()}
    if len(node) == 1 and not node.keys() & fields.keys():
        # The name of a law or of another kind stands above the model's own keys.
        ((kind, below),) = node.items()
        yield from _walk(place.below(kind), below, thing, None)
        return
    for key, below in node.items():
        name, info = fields.get(key, ("", None))
        yield from _walk(place.below(key), below, getattr(thing, name, None), info)
    for key, (name, info) in fields.items():
        if key not in node and isinstance(getattr(thing, name), int | float):  # a default that need not be written
            found = _leaf(place.below(key), getattr(thing, name), info)
            if found is not None:
                yield found


def _fields(thing: Options) -> dict[str, FieldInfo]:
    return type(thing).model_fields


def _field_of_short_form(thing: Any, field: FieldInfo | None) -> FieldInfo | None:
    """Return the field that a bare value fills if it stands for a whole model, such as the share of an outcome."""
    if not isinstance(thing, Options):
        return field
    filled = [info for name, info in _fields(thing).items() if isinstance(getattr(thing, name), int | float)]
    if not filled or field is None or not field.description:
        return filled[0] if filled else field
    found = copy(filled[0])
    found.description = field.description  # what a hang is, and not that its number is a share
    return found


def _leaf(place: _Place, node: Any, field: FieldInfo | None) -> Number | None:
    bounds = _bounds(field)
    about = (field.description or "") if field is not None else ""
    match node:
        case bool():
            return None
        case int():
            kind: Kind = "whole" if field is None or field.annotation is not float else "number"
            return Number(*place, kind, node, bounds, about)
        case float():
            kind = "share" if (bounds.low, bounds.high) == (0, 1) else "number"
            return Number(*place, kind, node, bounds, about)
        case str():
            for form, parse in (("duration", parse_duration), ("rate", parse_rate)):
                try:
                    return Number(*place, form, parse(node), bounds, about)  # type: ignore[arg-type]  # both are kinds
                except ValueError:
                    continue
    return None


def _bounds(field: FieldInfo | None) -> Bounds:
    """Return what the constraints of a field allow."""
    low, high, low_open, high_open = 0.0, float("inf"), False, False
    for one in () if field is None else (*field.metadata, *_metadata(field.annotation)):
        match one:
            case Ge(ge=bound):
                low = float(bound)  # type: ignore[arg-type]  # bounds of numbers are numbers
            case Gt(gt=bound):
                low, low_open = float(bound), True  # type: ignore[arg-type]  # as above
            case Le(le=bound):
                high = float(bound)  # type: ignore[arg-type]  # as above
            case Lt(lt=bound):
                high, high_open = float(bound), True  # type: ignore[arg-type]  # as above
            case WithJsonSchema(json_schema={"anyOf": [{"type": "number", "minimum": least, "maximum": most}, *_]}):
                low, high = float(least), float(most)
    return Bounds(low, high, low_open, high_open)


def _metadata(annotation: Any) -> Iterator[Any]:
    """Yield the annotations inside a type, such as those of the duration in `Annotated[...] | None`."""
    for one in getattr(annotation, "__metadata__", ()):
        yield from one.metadata if isinstance(one, FieldInfo) else (one,)
    for below in get_args(annotation):
        yield from _metadata(below)
