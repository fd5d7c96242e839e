"""Settings without effect: those that cannot matter beside the others, such as arrivals in an isolated world.

Only written settings are judged, never a default. A setting may have no effect in one cell of a sweep but be needed by
another, so it is a mistake only if no cell has a use for it; a cell that has none leaves it out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sim.options.own_code import Trusted
from sim.retriers.base import ClientRetrier
from sim.scenario.mistakes.problems import Path
from sim.scenario.parts.policies import scopes_of_more
from sim.scenario.parts.pools import idle_options_of_pool
from sim.scenario.parts.retrier import NOTHING_TRUSTED, find_retrier
from sim.scenario.tree import Tree, written


@dataclass(frozen=True, slots=True)
class NoEffect:
    """A setting that cannot matter; leaving out `part` also leaves out whatever means nothing without it."""

    path: Path
    reason: str
    part: Path


def settings_without_effect(tree: Tree, trusted: Trusted = NOTHING_TRUSTED) -> Iterator[NoEffect]:
    """Yield the written settings that cannot matter."""
    if written(tree, "world") in (None, "isolated"):
        yield from _no_effect_if_isolated(tree)
    elif written(tree, "world") == "shared":
        yield from _no_effect_if_shared(tree)
    script = written(tree, "action", "script")
    if isinstance(script, list | tuple) and script:
        yield from _no_effect_if_scripted(tree)
    if written(tree, "action", "service") is not None:
        yield from _no_effect_if_at_service(tree)
    yield from _no_effect_in_weather(tree)
    for path, reason in idle_options_of_pool(tree):
        yield from _no_effect(tree, reason, *path)
    if _runs_outside(tree, trusted):
        yield from _no_effect_if_outside(tree)


def _no_effect(tree: Tree, reason: str, *path: str, neutral: Any = None) -> Iterator[NoEffect]:
    value = written(tree, *path)
    if value is not None and value not in (neutral, (), []):
        yield NoEffect(path, f"cannot matter {reason}", path)


def _no_effect_if_isolated(tree: Tree) -> Iterator[NoEffect]:
    alone = "in an isolated world: each request is alone"
    yield from _no_effect(tree, f"{alone} and submitted at 0; arrivals need `world: shared`", "requests", "arrivals")
    yield from _no_effect(
        tree, f"{alone}, so no two share a client's state; clients need `world: shared`", "clients", neutral={}
    )
    yield from _no_effect(
        tree,
        f"{alone}, so classes do not meet and each is a cell of its own: write variants, or `world: shared`",
        "classes",
    )
    yield from _no_effect(tree, f"{alone} and all count; a window needs `world: shared`", "measure")
    yield from _no_effect(tree, f"{alone} and submitted at 0; a timeline needs `world: shared`", "timeline")
    yield from _no_effect(tree, f"{alone}, so there is no load to recover from: write `world: shared`", "recovery")
    yield from _no_effect(tree, f"{alone} and all are independent; raise requests.count", "replications", neutral=1)
    yield from _no_effect(
        tree, f"{alone}; faults strike a deployment that requests share: write `world: shared`", "faults"
    )
    yield from _no_effect(
        tree, f"{alone}, but requests meet at services: write `world: shared`", "services", neutral={}
    )
    for place in scopes_of_more(tree.get("retrier")):
        yield from _no_effect(tree, f"{alone}, and so is the state of its policy", "retrier", *map(str, place))
    single = "in an isolated world, which adds requests; write `requests_at_most`"
    yield from _no_effect(tree, single, "precision", "replications_at_most")
    yield from _no_effect(
        tree, f"{alone} and never waits for a slot; slots need `world: shared`", "platform", "parallelism"
    )


def _no_effect_if_shared(tree: Tree) -> Iterator[NoEffect]:
    reason = "has no use in a shared world, which keeps all requests: its intervals come from those of the replications"
    if written(tree, "requests", "arrivals", "closed") is not None:
        own = "beside closed arrivals: each client asks for itself"
        yield from _no_effect(tree, own, "clients", "deal", neutral="turn")
    added = "in a shared world, which adds replications; write `replications_at_most`"
    yield from _no_effect(tree, added, "precision", "requests_at_most")
    if written(tree, "keep") == "histogram":
        yield NoEffect(("keep",), f"'histogram' {reason}", ("keep",))


def _no_effect_if_scripted(tree: Tree) -> Iterator[NoEffect]:
    scripted = "beside action.script, which says how each attempt goes"
    for key, neutral in (("latency", None), ("outcomes", {}), ("weather", []), ("permanent_failure", 0)):
        yield from _no_effect(tree, scripted, "action", key, neutral=neutral)


def _no_effect_if_at_service(tree: Tree) -> Iterator[NoEffect]:
    name = written(tree, "action", "service")
    told = f"beside action.service: the service '{name}' says how its calls go; write it under services.{name}"
    for key in ("latency", "outcomes", "effect_at", "weather", "script", "idempotency"):
        yield from _no_effect(tree, told, "action", key)
    at_service = "beside action.service: what a request gets is up to the service, which answers each call anew"
    yield from _no_effect(tree, at_service, "action", "permanent_failure")


def _no_effect_in_weather(tree: Tree) -> Iterator[NoEffect]:
    """Yield what sources of weather say for outcomes of theirs that leave it unsaid, if none does."""
    sources = written(tree, "action", "weather")
    for at, source in enumerate(sources if isinstance(sources, list | tuple) else ()):
        for kind, options in source.items() if isinstance(source, Mapping) else ():
            if not isinstance(options, Mapping):
                continue
            shares = options.get("outcomes")
            outcomes = shares if isinstance(shares, Mapping) else {"fail": options.get("fail", 1.0)}
            fails = list(_entries(outcomes.get("fail")))
            others = [one for name in outcomes if name not in {"fail", "hang"} for one in _entries(outcomes[name])]
            for key, entries, of in (
                ("final", fails, "failure"),
                ("retry_after", fails, "failure"),
                ("latency", [*fails, *others], "outcome"),
            ):
                if options.get(key) is not None and all(written(one, key) is not None for one in entries):
                    path = ("action", "weather", at, str(kind), key)
                    reason = f"cannot matter here: no {of} of this source leaves its {key} open"
                    yield NoEffect(path, reason, path)


def _entries(value: Any) -> Iterator[Any]:
    """Yield the entries of an outcome that can happen: itself, or its kinds."""
    for one in value if isinstance(value, list | tuple) else [value]:
        share = one.get("share") if isinstance(one, Mapping) else one
        if share not in (None, 0):
            yield one


def _no_effect_if_outside(tree: Tree) -> Iterator[NoEffect]:
    outside = "for a retrier that runs outside of the deployment: its calls start the action directly"
    for key in ("platform", "faults"):
        yield from _no_effect(tree, outside, key, neutral={})
    target = written(tree, "cancel", "target")
    if target in ("action", "poll"):
        path = ("cancel", "target")
        yield NoEffect(
            path, "cannot matter for a retrier that runs outside of the deployment: it has no jobs", path[:1]
        )


def _runs_outside(tree: Tree, trusted: Trusted) -> bool:
    """Tell whether every retrier of a scenario runs outside: its own, and those of its classes."""
    classes = tree.get("classes") if written(tree, "world") == "shared" else None
    own = [written(classes, name, "retrier") for name in classes] if isinstance(classes, Mapping) else []
    with_kind = [one for one in own if isinstance(one, str) or written(one, "kind") is not None]
    return all(_is_outside(one, trusted) for one in (tree.get("retrier"), *with_kind))


def _is_outside(retrier: Any, trusted: Trusted) -> bool:
    kind = retrier if isinstance(retrier, str) else written(retrier, "kind")
    if not isinstance(kind, str):
        return False
    try:
        return issubclass(find_retrier(kind, trusted), ClientRetrier)
    except (LookupError, TypeError, ImportError, AttributeError):
        return False
