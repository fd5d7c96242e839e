"""The requests of a small world between two steps and their attempts, as nested tuples of plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.history.vocabulary import ALIVE, NEVER
from sim.world.weather import OnOff

if TYPE_CHECKING:
    from sim.engine.asking import Asking
    from sim.explorer.look import Look
    from sim.history.request import Request
    from sim.world.attempt import Attempt
    from sim.world.weather import WeatherPath


def request_number(request: Request) -> Any:
    """Name a request."""
    return ("request", request.number, request.submission)


def request_values(look: Look, request: Request) -> Any:
    """Describe a request."""
    now_ns, distinct = look.now_ns, look.distinct
    waits_ns = now_ns - request.last_attempt_end_ns if request.settled_ns == NEVER else 0
    key, remembers = request.key, distinct.remembers
    applied_ns = now_ns - key.applied_ns if key is not None and remembers else NEVER
    known = None
    if key is not None and remembers:
        failure = key.answer if key.answer is None or isinstance(key.answer, str) else tuple(key.answer)
        busy_ns = max(key.busy_until_ns - now_ns, 0)
        known = (now_ns - key.seen_ns, busy_ns, failure, 0 if failure is None else now_ns - key.answer_ns)
    return (
        int(request.outcome),
        request.settled_ns != NEVER,
        request.permanent,
        request.attempts,
        request.effects,
        request.suppressed,
        None if request.duplicates is None else tuple(request.duplicates),
        None if key is None or key.last_applied is None else attempt_values(key.last_applied),
        applied_ns,
        known,
        waits_ns if distinct.named_waits else 0,
        now_ns - request.submitted_ns if distinct.deadline else 0,
        request.runaway,
        request.canceled,
        None if request.concluded is None else tuple(sorted(request.concluded)),
        request.submissions,
        request.client,
        request.caller_class,
        None if request.jobs is None else tuple(look.job(job.id) for job in request.jobs if job.state in ALIVE),
        None if request.weather is None else weather_values(request.weather),
    )


def attempt_values(attempt: Attempt) -> Any:
    """Describe an attempt."""
    return (
        request_number(attempt.request),
        attempt.number,
        attempt.how,
        int(attempt.blame),
        attempt.ended,
        attempt.given_up,
        attempt.is_to_blame,
        attempt.by_key,
        attempt.effect_done,
        attempt._effect_at_end,
        attempt.effect_dropped,
        attempt.callbacks is None,
        None if attempt.failure is None else tuple(attempt.failure),
    )


def weather_values(path: WeatherPath) -> Any:
    """Describe weather that comes in turns, as far as it is known."""
    if not any(isinstance(source, OnOff) for source in path._sources):
        return None
    turns = path._turns
    return tuple((key, turns[key]._first_down, tuple(turns[key]._ends_ns)) for key in sorted(turns))


def asking_values(asking: Asking) -> Any:
    """Describe what closed arrivals go on by; open ones come whatever happens."""
    return tuple(asking._asked), tuple((client, asking._waiting[client].number) for client in sorted(asking._waiting))
