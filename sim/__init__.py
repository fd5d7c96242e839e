"""retrysim: a discrete-event simulator and test harness for retry semantics.

If I retry like this, what happens? `Scenario` describes an experiment, `run` simulates it, `replay` tells the story of
one request, `compare` sets one cell against another, `tune` searches for parameters. `check` holds every history
against what retriers and the platform owe, `explore` searches a small world for courses that break it, and `play` plays
such a course again. Retriers of your own are a `ScheduledRetrier` (handlers against contexts, as in Convex) or a
`LoopRetrier` (one coroutine that calls and sleeps). Names are imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.analysis.contracts import Invariant, Violation, breach, invariant
    from sim.analysis.history_view import View
    from sim.convex.functions import Function, FunctionError, MutationContext, action, mutation
    from sim.experiment.check import check
    from sim.experiment.compare import Comparison, compare
    from sim.experiment.counterexample import CourseMisfit, Played, play
    from sim.experiment.opened import open_results
    from sim.experiment.replay import replay
    from sim.experiment.result import Result
    from sim.experiment.run import run
    from sim.experiment.tune import Tuned, tune
    from sim.kernel.errors import BrokenInvariant
    from sim.kernel.history import Event, History
    from sim.kernel.promises import Promises
    from sim.kernel.records import Cause, Outcome, Requests
    from sim.retriers.base import Fields, LoopRetrier, ScheduledRetrier
    from sim.retriers.client import Call, CallFailed, CallTimedOut, ClientContext
    from sim.scenario.course import Bounds
    from sim.scenario.problems import ScenarioError
    from sim.scenario.schema import Scenario
    from sim.testing.explore import Explored, explore

__all__ = [
    "Bounds",
    "BrokenInvariant",
    "Call",
    "CallFailed",
    "CallTimedOut",
    "Cause",
    "ClientContext",
    "Comparison",
    "CourseMisfit",
    "Event",
    "Explored",
    "Fields",
    "Function",
    "FunctionError",
    "History",
    "Invariant",
    "LoopRetrier",
    "MutationContext",
    "Outcome",
    "Played",
    "Promises",
    "Requests",
    "Result",
    "Scenario",
    "ScenarioError",
    "ScheduledRetrier",
    "Tuned",
    "View",
    "Violation",
    "action",
    "breach",
    "check",
    "compare",
    "explore",
    "invariant",
    "mutation",
    "open_results",
    "play",
    "replay",
    "run",
    "tune",
]

_HOMES = {
    "Bounds": "sim.scenario.course",
    "BrokenInvariant": "sim.kernel.errors",
    "Call": "sim.retriers.client",
    "CallFailed": "sim.retriers.client",
    "CallTimedOut": "sim.retriers.client",
    "Cause": "sim.kernel.records",
    "ClientContext": "sim.retriers.client",
    "Comparison": "sim.experiment.compare",
    "CourseMisfit": "sim.experiment.counterexample",
    "Event": "sim.kernel.history",
    "Explored": "sim.testing.explore",
    "Fields": "sim.retriers.base",
    "Function": "sim.convex.functions",
    "FunctionError": "sim.convex.functions",
    "History": "sim.kernel.history",
    "Invariant": "sim.analysis.contracts",
    "LoopRetrier": "sim.retriers.base",
    "MutationContext": "sim.convex.functions",
    "Outcome": "sim.kernel.records",
    "Played": "sim.experiment.counterexample",
    "Promises": "sim.kernel.promises",
    "Requests": "sim.kernel.records",
    "Result": "sim.experiment.result",
    "Scenario": "sim.scenario.schema",
    "ScenarioError": "sim.scenario.problems",
    "ScheduledRetrier": "sim.retriers.base",
    "Tuned": "sim.experiment.tune",
    "View": "sim.analysis.history_view",
    "Violation": "sim.analysis.contracts",
    "action": "sim.convex.functions",
    "breach": "sim.analysis.contracts",
    "check": "sim.experiment.check",
    "compare": "sim.experiment.compare",
    "explore": "sim.testing.explore",
    "invariant": "sim.analysis.contracts",
    "mutation": "sim.convex.functions",
    "open_results": "sim.experiment.opened",
    "play": "sim.experiment.counterexample",
    "replay": "sim.experiment.replay",
    "run": "sim.experiment.run",
    "tune": "sim.experiment.tune",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
