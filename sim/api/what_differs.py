"""What differs between the runs of two cells: settings, engine, versions; each with both values as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.experiment.cell_result import CellResult
    from sim.results.result import Result
    from sim.scenario.schema import Scenario

LONGEST_VALUE = 40
"""Of a value that is quoted in a sentence."""
MOST_NAMED = 12
"""Settings that differ, named in a sentence; of more only the number is given."""


@dataclass(frozen=True, slots=True)
class Origin:
    """By what a cell's results were made."""

    engine: str = ""
    versions: Mapping[str, str] | None = None

    @classmethod
    def of(cls, result: Result) -> Origin:
        """Return the origin of the cells of a result."""
        return cls(result.choice.engine, result.plan.versions)


@dataclass(frozen=True, slots=True)
class Differing:
    """Something that differs: its key, and both values in the words of a file; None for what one of them lacks."""

    key: str
    a: Any
    b: Any

    @property
    def text(self) -> str:
        """The key and both values: `retrier.max_failures (4 | 16)`."""
        return f"{self.key} ({text_of(self.a)} | {text_of(self.b)})"


def what_differs(
    changed: Mapping[str, tuple[Any, Any]], cells: tuple[CellResult, CellResult], origins: tuple[Origin, Origin]
) -> tuple[Differing, ...]:
    """Return all that differs; `changed` are the settings on which numbers depend, whole retriers among them."""
    found = [one for key, (a, b) in changed.items() for one in _below(key, a, b)]
    first, second = cells
    found += _of_costs(first.cell.scenario, second.cell.scenario)
    if not any(one.key in {"requests.count", "replications", "precision"} for one in found):
        # Of shared worlds and of `precision` the number is not that which is written.
        found += [Differing("requests", *sizes)] if len(set(sizes := [len(one.metrics) for one in cells])) > 1 else []
    one, other = origins
    if one.engine != other.engine:
        found.append(Differing("engine", one.engine, other.engine))
    versions = (one.versions or {}, other.versions or {})
    found += [
        Differing(f"version of {name}", *pair)
        for name in dict.fromkeys([*versions[0], *versions[1]])
        if (pair := (versions[0].get(name), versions[1].get(name)))[0] != pair[1]
    ]
    return tuple(found)


def differing_sentence(found: Sequence[Differing]) -> str:
    """Say what differs in one sentence."""
    if not found:
        return "Nothing differs: same settings, same seed, same engine and versions."
    if [one.key for one in found] == ["seed"]:
        return f"Nothing but the seed differs ({found[0].a} | {found[0].b})."
    named = [one.text for one in found[:MOST_NAMED]]
    more = [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return f"What differs (A | B): {', '.join([*named, *more])}."


def text_of(value: Any) -> str:
    """Write the value of a setting, cut if it is long."""
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value).replace('"', "")
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _below(key: str, a: Any, b: Any) -> Iterator[Differing]:
    """Yield the options in which two retriers of a kind differ; anything else as it is."""
    if key != "retrier" or not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        yield Differing(key, a, b)
    elif a.get("kind") != b.get("kind"):
        # Their options have nothing in common.
        yield Differing(key, a.get("kind"), b.get("kind"))
    else:
        yield from _leaves(key, a, b)


def _leaves(key: str, a: Any, b: Any) -> Iterator[Differing]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            yield from _leaves(f"{key}.{name}", a.get(name), b.get(name))
    elif a != b:
        yield Differing(key, a, b)


def _of_costs(one: Scenario, other: Scenario) -> Iterator[Differing]:
    """Yield the prices that differ: they change what is said of a run, so no setting that changes numbers has them."""
    a, b = ({} if cost is None else cost.model_dump(mode="json", exclude_none=True) for cost in (one.cost, other.cost))
    yield from _leaves("cost", a, b)
