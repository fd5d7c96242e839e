"""What a scenario says of pools: classes that share one, and works that are no actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sim.history.vocabulary import CRASH_AFTER_EFFECT, CRASH_BEFORE_EFFECT, FAIL
from sim.retriers.base import ScheduledRetrier
from sim.retriers.ports.workpool.options import WorkpoolOptions
from sim.retriers.registry import is_built_in
from sim.scenario.mistakes.problems import Problem
from sim.scenario.tree import Tree, written
from sim.world.faults import CancelJobs, OfPool

if TYPE_CHECKING:
    from sim.scenario.mistakes.problems import Path
    from sim.scenario.parts.classes import CallerClass
    from sim.scenario.parts.retrier import RetrierChoice
    from sim.world.actions import ActionOptions

WORKPOOL = "workpool"
WHAT_CAN_HAPPEN: Mapping[str, frozenset[str]] = {
    "mutation": frozenset({FAIL}),
    "query": frozenset({FAIL, CRASH_BEFORE_EFFECT, CRASH_AFTER_EFFECT}),
}
"""The outcomes that a function which is no action can have, besides success."""
WHY: Mapping[str, str] = {
    "mutation": "a mutation only fails or succeeds: the platform runs it again until it commits, and it commits with "
    "its report",
    "query": "a query only fails, succeeds, or dies with its job",
}


def problems_of_pools(
    retrier: RetrierChoice, action: ActionOptions, callers: Iterable[CallerClass]
) -> Iterator[Problem]:
    """Find pools of two sizes, and outcomes that the works of a pool cannot have."""
    sizes: dict[str, tuple[str, int]] = {}
    users: list[tuple[Path, RetrierChoice, Path, ActionOptions]] = [(("retrier",), retrier, ("action",), action)]
    users += [
        (
            ("classes", one.name, "retrier") if one.retrier is not None else ("retrier",),
            retrier if one.retrier is None else one.retrier,
            ("classes", one.name, "action"),
            one.action,
        )
        for one in callers
    ]
    for place, choice, of_action, does in users:
        options = choice.options
        if not isinstance(options, WorkpoolOptions):
            continue
        # A client that writes no number leaves that of the others.
        if "max_parallelism" in options.model_fields_set:
            first, size = sizes.setdefault(options.pool, (".".join(map(str, place)), options.max_parallelism))
            if size != options.max_parallelism:
                yield Problem(
                    (*place, "max_parallelism"),
                    f"the pool '{options.pool}' has {size} slots at {first} but {options.max_parallelism} here: "
                    "upstream takes whatever the last enqueue says, so it would change with every work; write one "
                    "number, or two pools",
                )
        if options.function != "action":
            shown = of_action if does is not action else ("action",)
            yield from _problems_of_function(options.function, does, shown)


def problems_of_operators(scenario_faults: Iterable[Any], retriers: Iterable[RetrierChoice]) -> Iterator[Problem]:
    """Find pools and functions that operators name but that no retrier has."""
    choices = [*retriers]
    pools = sorted({one.options.pool for one in choices if isinstance(one.options, WorkpoolOptions)})
    classes = [one.found for one in choices]
    known = {name for found in classes if issubclass(found, ScheduledRetrier) for name in found.functions}
    for at, fault in enumerate(scenario_faults):
        place = ("faults", at)
        if isinstance(fault, OfPool):
            if not pools:
                yield Problem(place, "there is no pool: no retrier is of kind workpool")
            elif fault.pool is None and len(pools) > 1:
                yield Problem(place, f"needs `pool`, since there are several: {', '.join(pools)}")
            elif fault.pool is not None and fault.pool not in pools:
                yield Problem((*place, "pool"), f"there is no pool '{fault.pool}'; known are {', '.join(pools)}")
        elif isinstance(fault, CancelJobs) and all(is_built_in(found) for found in classes):
            unknown = [name for name in fault.functions if name not in known]
            if unknown and known:
                reason = f"no retrier schedules a function '{unknown[0]}'; known are {', '.join(sorted(known))}"
                yield Problem((*place, "functions"), reason)


def _problems_of_function(function: str, action: ActionOptions, place: Path) -> Iterator[Problem]:
    possible = WHAT_CAN_HAPPEN[function]
    if action.service is not None:
        yield Problem((*place, "service"), f"a {function} calls nothing outside: only an action can call a service")
        return
    scripted: list[tuple[Path, str]] = [(("script", at), one.outcome) for at, one in enumerate(action.script)]
    drawn: list[tuple[Path, str]] = [(("outcomes", name), name) for name, one in action.outcomes.listed() if one.share]
    drawn += [
        (("weather", at), name)
        for at, source in enumerate(action.weather)
        for name, one in source.shares.listed()
        if one.share
    ]
    for keys, outcome in [*drawn, *scripted]:
        if outcome != "success" and outcome not in possible:
            yield Problem((*place, *keys), f"{outcome} cannot happen here: {WHY[function]}")


def idle_options_of_pool(tree: Tree) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the written options of a pool that cannot matter beside its others: the place, and the reason."""
    yield from _idle_options(tree.get("retrier"), ("retrier",))
    classes = tree.get("classes")
    for name in classes if isinstance(classes, Mapping) else ():
        yield from _idle_options(written(classes, name, "retrier"), ("classes", str(name), "retrier"))
    if written(tree, "retrier", "kind") == WORKPOOL and not classes:
        function = written(tree, "retrier", "function")
        if function in WHAT_CAN_HAPPEN:
            for key in ("latency", "effect_at"):
                yield ("action", key), f"for a {function}: it takes no time"


def _idle_options(retrier: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if written(retrier, "kind") != WORKPOOL:
        return
    function = written(retrier, "function")
    if function in WHAT_CAN_HAPPEN:
        for key in ("attempts", "initial_backoff", "base"):
            yield (*place, key), f"for a {function}: upstream never retries one"
    elif written(retrier, "attempts") == 1:
        for key in ("initial_backoff", "base"):
            yield (*place, key), "with one attempt: nothing is retried"
    if written(retrier, "on_complete") == "none":
        for key in ("on_complete_excludes", "context_size"):
            yield (*place, key), "without onComplete"
