"""Rules between settings: which of those written cannot matter, given the others, and why.

Only what is written is judged, never a default. A cell of a sweep may make a setting idle that others need, so an idle
one is a mistake only when no cell has a use for it; in the cells where it has none it is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.options.model import Options
from sim.retriers.base import LoopRetrier, Retrier
from sim.retriers.registry import load, retrier_class
from sim.scenario.mistakes.problems import Path

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Idle:
    """A setting that cannot matter; leaving out `part` leaves out what would mean nothing without it."""

    path: Path
    reason: str
    part: Path


def find_retrier(kind: str, trusted: Sequence[str] = ()) -> type[Retrier]:
    """Find a retrier by its kind, or by `module:Class` where that is trusted, which no file can make it.

    Raises LookupError, TypeError or ImportError.
    """
    return load(kind) if kind in trusted else retrier_class(kind)


def written(tree: Any, *keys: str) -> Any:
    """Return what is written below these keys, None where nothing is."""
    for key in keys:
        if isinstance(tree, Options):
            tree = getattr(tree, key, None) if key in tree.model_fields_set else None
        else:
            tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def settings_without_effect(tree: Tree, trusted: Sequence[str] = ()) -> Iterator[Idle]:
    """Yield what is written and cannot matter."""
    if written(tree, "world") in (None, "isolated"):
        yield from _idle_when_isolated(tree)
    elif written(tree, "world") == "shared":
        yield from _idle_when_shared(tree)
    script = written(tree, "action", "script")
    if isinstance(script, list | tuple) and script:
        yield from _idle_when_scripted(tree)
    if _runs_outside(tree, trusted):
        yield from _idle_when_outside(tree)


def _idle(tree: Tree, reason: str, *path: str, neutral: Any = None) -> Iterator[Idle]:
    value = written(tree, *path)
    if value is not None and value not in (neutral, (), []):
        yield Idle(path, f"cannot matter {reason}", path)


def _idle_when_isolated(tree: Tree) -> Iterator[Idle]:
    alone = "in an isolated world, where each request is alone"
    yield from _idle(tree, f"{alone} and submitted at 0; arrivals need `world: shared`", "requests", "arrivals")
    yield from _idle(tree, f"{alone} and all count; a window needs `world: shared`", "measure")
    yield from _idle(tree, f"{alone} and all are independent; raise requests.count", "replications", neutral=1)
    yield from _idle(tree, f"{alone}; faults befall a deployment that requests share: `world: shared`", "faults")
    single = "in an isolated world, where requests are added: `requests_at_most`"
    yield from _idle(tree, single, "precision", "replications_at_most")
    yield from _idle(tree, f"{alone} and waits for no slot; slots need `world: shared`", "platform", "parallelism")


def _idle_when_shared(tree: Tree) -> Iterator[Idle]:
    reason = "has no use in a shared world, whose intervals come from the requests of its replications: all are kept"
    added = "in a shared world, where replications are added: `replications_at_most`"
    yield from _idle(tree, added, "precision", "requests_at_most")
    if written(tree, "keep") == "histogram":
        yield Idle(("keep",), f"'histogram' {reason}", ("keep",))


def _idle_when_scripted(tree: Tree) -> Iterator[Idle]:
    scripted = "next to action.script, which says how each attempt goes"
    for key, neutral in (("latency", None), ("outcomes", {}), ("weather", []), ("permanent_failure", 0)):
        yield from _idle(tree, scripted, "action", key, neutral=neutral)


def _idle_when_outside(tree: Tree) -> Iterator[Idle]:
    outside = "for a retrier that runs outside of the deployment: its calls start the action directly"
    for key in ("platform", "faults"):
        yield from _idle(tree, outside, key, neutral={})
    target = written(tree, "cancel", "target")
    if target in ("action", "poll"):
        path = ("cancel", "target")
        yield Idle(path, "cannot matter for a retrier that runs outside of the deployment: it has no jobs", path[:1])


def _runs_outside(tree: Tree, trusted: Sequence[str]) -> bool:
    retrier = tree.get("retrier")
    kind = retrier if isinstance(retrier, str) else written(retrier, "kind")
    if not isinstance(kind, str):
        return False
    try:
        return issubclass(find_retrier(kind, trusted), LoopRetrier)
    except (LookupError, TypeError, ImportError, AttributeError):
        return False


def without(tree: Tree, path: Path) -> dict[str, Any]:
    """Return a tree without what stands at a path; the original stays as it is."""
    key, *rest = path
    if rest:
        below = tree[str(key)]
        return {**tree, str(key): without(below, tuple(rest))} if isinstance(below, Mapping) else dict(tree)
    return {name: value for name, value in tree.items() if name != key}
