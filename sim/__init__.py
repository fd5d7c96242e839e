"""retrysim: a discrete-event simulator and test harness for retry semantics.

If I retry like this, what happens? `Scenario` describes an experiment, `run` simulates it, `replay` tells the story of
one request. Retriers of your own are a `ScheduledRetrier` (handlers against contexts, as in Convex) or a `LoopRetrier`
(one coroutine that calls and sleeps). Names are imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.convex.functions import Function, FunctionError, MutationContext, action, mutation
    from sim.experiment.replay import replay
    from sim.experiment.result import Result
    from sim.experiment.run import run
    from sim.kernel.errors import BrokenInvariant
    from sim.kernel.history import Event, History
    from sim.kernel.records import Cause, Outcome, Requests
    from sim.retriers.base import LoopRetrier, ScheduledRetrier
    from sim.retriers.client import Call, CallFailed, CallTimedOut, ClientContext
    from sim.scenario.problems import ScenarioError
    from sim.scenario.schema import Scenario

__all__ = [
    "BrokenInvariant",
    "Call",
    "CallFailed",
    "CallTimedOut",
    "Cause",
    "ClientContext",
    "Event",
    "Function",
    "FunctionError",
    "History",
    "LoopRetrier",
    "MutationContext",
    "Outcome",
    "Requests",
    "Result",
    "Scenario",
    "ScenarioError",
    "ScheduledRetrier",
    "action",
    "mutation",
    "replay",
    "run",
]

_HOMES = {
    "BrokenInvariant": "sim.kernel.errors",
    "Call": "sim.retriers.client",
    "CallFailed": "sim.retriers.client",
    "CallTimedOut": "sim.retriers.client",
    "Cause": "sim.kernel.records",
    "ClientContext": "sim.retriers.client",
    "Event": "sim.kernel.history",
    "Function": "sim.convex.functions",
    "FunctionError": "sim.convex.functions",
    "History": "sim.kernel.history",
    "LoopRetrier": "sim.retriers.base",
    "MutationContext": "sim.convex.functions",
    "Outcome": "sim.kernel.records",
    "Requests": "sim.kernel.records",
    "Result": "sim.experiment.result",
    "Scenario": "sim.scenario.schema",
    "ScenarioError": "sim.scenario.problems",
    "ScheduledRetrier": "sim.retriers.base",
    "action": "sim.convex.functions",
    "mutation": "sim.convex.functions",
    "replay": "sim.experiment.replay",
    "run": "sim.experiment.run",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
