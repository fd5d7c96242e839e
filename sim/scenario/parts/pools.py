"""What a scenario says of pools: classes that share one, and works that are no actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sim.history.vocabulary import CRASH_AFTER_EFFECT, CRASH_BEFORE_EFFECT, FAIL
from sim.options.near_words import did_you_mean
from sim.retriers.base import ScheduledRetrier
from sim.retriers.ports.workpool.options import WorkpoolOptions
from sim.retriers.registry import is_built_in
from sim.scenario.mistakes.problems import Problem
from sim.scenario.parts.classes import whole_retrier
from sim.scenario.tree import Tree, written
from sim.world.faults import CancelJobs, OfPool, name_of

if TYPE_CHECKING:
    from sim.scenario.mistakes.problems import Path
    from sim.scenario.parts.classes import CallerClass
    from sim.scenario.parts.retrier import RetrierChoice
    from sim.world.actions import ActionOptions

WORKPOOL = "workpool"
OF_TIME = ("latency", "effect_at")
OF_RETRIES = ("initial_backoff", "base")
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
        place = ("faults", at, name_of(fault))
        if isinstance(fault, OfPool):
            if not pools:
                yield Problem(place, "there is no pool: no retrier is of kind workpool")
            elif fault.pool is None and len(pools) > 1:
                yield Problem(place, f"needs `pool`, since there are several: {', '.join(pools)}")
            elif fault.pool is not None and fault.pool not in pools:
                hint = did_you_mean(fault.pool, pools) or f"; known are {', '.join(pools)}"
                yield Problem((*place, "pool"), f"there is no pool '{fault.pool}'{hint}")
        elif isinstance(fault, CancelJobs) and all(is_built_in(found) for found in classes):
            unknown = [name for name in fault.functions if name not in known]
            for name in unknown if known else ():
                hint = did_you_mean(name, sorted(known)) or f"; known are {', '.join(sorted(known))}"
                reason = f"no retrier schedules a function '{name}'{hint}"
                yield Problem((*place, "functions", fault.functions.index(name)), reason)


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
    scenarios = tree.get("retrier")
    yield from _idle_options(scenarios, scenarios, ("retrier",))
    functions = []
    classes = tree.get("classes")
    for name in classes if isinstance(classes, Mapping) else ():
        own = written(classes, name, "retrier")
        whole = whole_retrier(own, scenarios) if isinstance(own, Mapping) else own or scenarios
        function = _function_of(whole)
        functions.append(function)
        if isinstance(own, Mapping):
            yield from _idle_options(own, whole, ("classes", str(name), "retrier"))
        if function in WHAT_CAN_HAPPEN:
            yield from ((("classes", str(name), "action", key), _no_time(function)) for key in OF_TIME)
    functions = functions or [_function_of(scenarios)]
    if all(function in WHAT_CAN_HAPPEN for function in functions):
        yield from ((("action", key), _no_time(functions[0])) for key in OF_TIME)


def _function_of(retrier: Any) -> str:
    """Return what the works of a pool are; empty if a retrier is no pool."""
    if retrier != WORKPOOL and written(retrier, "kind") != WORKPOOL:
        return ""
    return str(written(retrier, "function") or "action")


def _no_time(function: str) -> str:
    return f"for a {function}: it takes no time"


def _idle_options(own: Any, whole: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is idle of the options that stand at a place; `whole` has those that it takes over, too."""
    function = _function_of(whole)
    if not function or not isinstance(own, Mapping):
        return
    idle = []
    if function in WHAT_CAN_HAPPEN:
        idle += [(key, f"for a {function}: upstream never retries one") for key in ("attempts", *OF_RETRIES)]
    elif written(whole, "attempts") == 1:
        idle += [(key, "with one attempt: nothing is retried") for key in OF_RETRIES]
    if written(whole, "on_complete") == "none":
        idle += [(key, "without onComplete") for key in ("on_complete_excludes", "context_size")]
    yield from (((*place, key), reason) for key, reason in idle)
