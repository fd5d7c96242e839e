"""What timers hold, as nested tuples of plain values: by its class, which says what describes it."""

from __future__ import annotations

from functools import partial
from types import FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any, Final

from sim.clients.client import Client
from sim.clients.connection import Connection
from sim.clients.hedged import Hedge
from sim.clients.loop_gates import Waiter
from sim.clients.policy.call import Call as PolicyCall
from sim.clients.policy.machine import Run
from sim.clients.policy.passage import Passage
from sim.clients.policy.spent import Spent
from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.deployment import Deployment
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.functions import Function
from sim.convex.jobs import Job
from sim.convex.retention import Retention
from sim.convex.server import Server
from sim.engine.asking import Asking
from sim.engine.resubmissions import Resubmissions
from sim.engine.world import World
from sim.explorer import client_state, deployment_state, policy_state, service_state
from sim.explorer.plain_values import NotCanonical
from sim.explorer.request_state import attempt_values, request_number
from sim.history.request import Request
from sim.kernel.alarm import Alarm
from sim.kernel.clock import Call, Clock, Pending
from sim.options.model import Options
from sim.retriers.base import Retrier
from sim.world.action_model import ActionModel
from sim.world.attempt import Attempt
from sim.world.hosts import ByClass
from sim.world.services.capacity import Capacity
from sim.world.services.service import Receiver
from sim.world.services.visit import Cancellation, Visit
from sim.world.weather import WeatherPath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.explorer.look import Look

STATIC = (
    *(World, Asking, Resubmissions, ByClass),
    *(Deployment, Server, Retention, Commits, Executor, Clock, ActionModel, Function, Options, Retrier),
    Capacity,
)
"""Objects of these classes are the same in all states of a search."""


def describer(kind: type) -> Callable[[Look, Any], Any]:
    """Return the way to describe objects of a class. Raises NotCanonical."""
    known = _KNOWN.get(kind)
    if known is not None:
        return known
    ways = [_BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}"), *map(_BY_CLASS.get, kind.__mro__)]
    way = next((way for way in ways if way is not None), None)
    if way is None:
        raise NotCanonical(f"a {kind.__name__} in a timer cannot be compared between runs")
    _KNOWN[kind] = way
    return way


# Values of Python.


def _same(_look: Look, value: Any) -> Any:
    return value


def _static(_look: Look, value: Any) -> Any:
    return type(value).__name__


def _document(look: Look, value: Any) -> Any:
    return look.plain(value)


def _sequence(look: Look, values: list[Any] | tuple[Any, ...]) -> Any:
    return tuple(map(look.value, values))


def _method(look: Look, method: MethodType) -> Any:
    return (method.__func__.__qualname__, look.value(method.__self__))


def _partial(look: Look, value: partial[Any]) -> Any:
    return ("partial", look.value(value.func), look.value(value.args))


# Values of a world.


def _call(look: Look, call: Call) -> Any:
    return ("call", look.value(call.function))


def _request(_look: Look, request: Request) -> Any:
    return request_number(request)


def _attempt(_look: Look, attempt: Attempt) -> Any:
    return ("attempt", attempt_values(attempt))


def _effect(_look: Look, effect: Any) -> Any:
    return ("effect", attempt_values(effect.attempt))


def _weather(_look: Look, _path: WeatherPath) -> Any:
    return "weather"  # the request has it


def _waiter(_look: Look, waiter: Waiter) -> Any:
    return ("waiter", waiter.name)


def _run(_look: Look, run: Run) -> Any:
    return ("run", request_number(run.request), run.callbacks is not None)


def _service(_look: Look, receiver: Receiver) -> Any:
    return ("service", receiver.name)


_BY_CLASS: Final[Mapping[type, Callable[[Look, Any], Any]]] = MappingProxyType(
    {
        **dict.fromkeys((int, str, float, bytes), _same),
        Job: deployment_state.job_timer,
        Call: _call,
        PolicyCall: policy_state.call,
        Spent: policy_state.spent,
        Attempt: _attempt,
        MethodType: _method,
        FunctionType: deployment_state.function_values,
        partial: _partial,
        Request: _request,
        Execution: deployment_state.execution_values,
        MutationCall: deployment_state.mutation_values,
        Pending: client_state.pending_values,
        Client: client_state.client_number,
        Connection: client_state.connection_values,
        Hedge: client_state.hedge_values,
        Waiter: _waiter,
        Run: _run,
        Passage: policy_state.passage,
        **dict.fromkeys(STATIC, _static),
        WeatherPath: _weather,
        Receiver: _service,
        Visit: service_state.visit_of_timer,
        Cancellation: service_state.cancellation,
        Alarm: service_state.alarm_values,
        list: _sequence,
        tuple: _sequence,
        dict: _document,
    }
)
"""How to describe what a timer holds, by its class or a base of it."""
_BY_NAME: Final[Mapping[str, Callable[[Look, Any], Any]]] = MappingProxyType(
    {
        "sim.world.action_model._Effect": _effect,
        "sim.world.services.work._VisitEffect": service_state.effect,
        "sim.retriers.ports.workpool.worker.Within": deployment_state.within_values,
        "sim.guests.timers.Timer": client_state.timer_values,
        "sim.guests.waits.Waiting": client_state.waiting_values,
    }
)
"""The same for classes that are private to their modules (an effect to come, an attempt within a mutation), and for
those of guests: to import these takes longer than many a search without guests."""
_KNOWN: Final[dict[type, Callable[[Look, Any], Any]]] = {}
"""A cache: the way to describe the objects of each class seen so far."""
