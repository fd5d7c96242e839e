"""Replays cases of the retriers that serve each request alone: the article's, the helpers' and the component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.functions import ACTION, Function, mutation
from sim.history.deployment_events import DocumentWritten, JobCreated, JobStepped
from sim.history.events import AttemptEnded, AttemptStarted, CallbackRan, CancelAnswered, Event, NumberDrawn
from sim.history.request import Request
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.testing.conformance.ground import ground, ns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.convex.deployment import Deployment
    from sim.kernel.choices import Script

STEPS_PER_TIMER = 3
"""An upper bound: steps of the simulation, which include effects, for each timer of the recordings."""
UNENDING_STEPS = 100_000


def replay(case: Mapping[str, Any]) -> dict[str, Any]:
    """Run a recorded case and return `{"events": [...], "final": {...}}` in the vocabulary of the recordings.

    Times are in ms since the kickoff. Raises KeyError for a retrier or an outcome that the recordings do not know.
    """
    base = ground(case)
    clock, recorder, script, deployment = base
    request = Request(0)
    request.jobs = []
    attempts = case["attempts"]
    model = base.model(attempts)
    retrier = _retrier(case)
    retrier.bind(Function("execute" if isinstance(retrier, Component) else "action", ACTION, external=model))
    for table, indexes in retrier.tables.items():
        deployment.store.define(table, indexes)

    def keep(handle: Any, _error: Exception | None) -> None:
        request.handle = handle

    def cancel_request() -> None:
        function = mutation("cancel", lambda ctx, _: retrier.cancel(ctx, request.handle))
        deployment.call(
            function, None, request, lambda value, _: deployment.server.record("cancel_answer", 0, -1, "request", value)
        )

    if "cancel_at_ms" in case:
        clock.call_after(ns(case["cancel_at_ms"]), cancel_request, urgent=True)
    if "cancel_job" in case:
        names = [case["cancel_job"]["fn"]]
        clock.call_after(
            ns(case["cancel_job"]["at_ms"]),
            lambda: deployment.cancel_from_dashboard(request, names),
            urgent=True,
        )
    deployment.call(mutation("submit", lambda ctx, _: retrier.submit(ctx)), None, request, keep)
    limit = case.get("max_timers")
    clock.drain(None, UNENDING_STEPS if limit is None else limit * STEPS_PER_TIMER)

    outcomes = [one["outcome"] for one in attempts]
    events = [told for event in recorder.history() for told in _told(event, outcomes)]
    return {"events": events, "final": _final(deployment, request, script, retrier)}


def _retrier(case: Mapping[str, Any]) -> Article | Helpers | Component:
    options = dict(case["options"])
    match case["retrier"]:
        case "article":
            return Article(**options)
        case "helpers":
            return Helpers(**options)
        case "component":
            options.pop("logLevel", None)
            if "runAt" in options:
                options["runAt"] = ns(options["runAt"])
            return Component(**options, onComplete=case.get("on_complete", "ok"))
        case other:
            raise KeyError(f"no port of '{other}'")


def _told(event: Event, outcomes: list[str]) -> list[dict[str, Any]]:
    """Put one event into the vocabulary of the recordings; return nothing for events that it has no word for."""
    told: dict[str, Any] = {"t": event.t_ns / 1e6}
    match event:
        case JobCreated(job=job, function=function, due_ns=due_ns):
            told |= {"ev": "insert", "job": job, "fn": function, "at": due_ns / 1e6}
        case JobStepped(job=job, function=function, before=before, after=after):
            told |= {"ev": "state", "job": job, "fn": function, "from": before, "to": after}
        case AttemptStarted(attempt=attempt):
            told |= {"ev": "action_start", "attempt": attempt - 1}
        case AttemptEnded(attempt=attempt):
            outcome = outcomes[min(attempt, len(outcomes)) - 1]
            told |= {"ev": "action_end", "attempt": attempt - 1, "outcome": outcome}
        case NumberDrawn(value=value):
            told |= {"ev": "random", "value": value}
        case DocumentWritten(document=run) if run is not None:
            told |= {"ev": "run", "numFailures": run["numFailures"], "state": _in_ms(run["state"])}
        case CallbackRan(result=result):
            told |= {"ev": "on_complete", "result": {"type": result}}
        case CancelAnswered(answer=answer):
            told |= {"ev": "cancel_return", "value": answer}
        case _:
            return []
    return [told]


def _in_ms(state: Mapping[str, Any]) -> dict[str, Any]:
    times = ("startTime", "completedAt")
    names = {"schedulerId": "job"}
    return {names.get(key, key): value / 1e6 if key in times else value for key, value in state.items()}


def _final(deployment: Deployment, request: Request, script: Script, retrier: Any) -> dict[str, Any]:
    final: dict[str, Any] = {
        "attempts": request.attempts,
        "draws": len(script.used),
        "jobs": [[job.function.name, job.state] for job in deployment.store.jobs.values()],
    }
    if isinstance(retrier, Component) and request.handle is not None:
        run = deployment.store.document_at(request.handle, deployment.store.last_ts)
        final["run"] = None if run is None else {"numFailures": run["numFailures"], "state": _in_ms(run["state"])}
        if run is not None:
            final["status"] = {key: run["state"][key] for key in ("type", "result") if key in run["state"]}
    return final
