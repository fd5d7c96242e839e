"""BullMQ: options of a job, `{bullmq: {attempts: 3, backoff: {type: exponential, delay: 1000}}}`, several by name.

Facts: bullmq 6.7.0 classes/backoffs.js, job.js, worker.js.

Counting: `attempts` counts tries; 0 and 1 are no retry.
Answers: every failure is retried unless it is final (UnrecoverableError).
Laws: fixed d, exponential 2^(n-1) * d rounded to ms, no cap; with jitter j whole ms of U*x*j + x*(1-j).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed, formula
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.units import MILLISECONDS
from sim.converters.writing import Wanted, confirmed, json_text, put, time
from sim.kernel.durations import NS_PER_MS

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "BullMQ"
OPTIONS: Final = ("attempts", "backoff")
DOUBLED: Final = "round(2 ** (n - 1) * d)"
JITTERED: Final = "floor(u * x * j + x * (1 - j))"
_WORKER: Final = ("lockDuration", "stalledInterval", "maxStalledCount", "maxStartedAttempts")
CANNOT: Final = {
    "delay": f'BullMQ has a constant delay, or "{DOUBLED}"; with jitter x is one of them and the delay "{JITTERED}"',
    "attempts": "attempts is a number",
    "retry_on": "BullMQ retries every failure that is not final",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after BullMQ, or has a backoff as BullMQ writes it."""
    backoff = values.get("backoff")
    kinds = {"fixed", "exponential", "custom"}
    own = isinstance(backoff, Mapping) and backoff.get("type") in kinds
    number = isinstance(backoff, int) and not isinstance(backoff, bool) and isinstance(values.get("attempts"), int)
    defaults = values.get("defaultJobOptions")
    return own or number or has_options(values, "bullmq", ()) or (isinstance(defaults, Mapping) and fits(defaults))


def read(document: Document) -> Converted:
    """Read sets of options. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for name, options in options_of(reading, "bullmq", (*OPTIONS, "defaultJobOptions")):
        defaults = options.below("defaultJobOptions")
        if defaults is not None:
            _lose_worker(options)
            options.rest("it is not about retries")
        policies.append(Policy("job" if name == "bullmq" else name, _job(defaults or options)))
    return reading.converted(policies)


def _lose_worker(options: Fields) -> None:
    for name in _WORKER:
        options.lost(name, "jobs of workers that die are run again without counting; that is not modeled")


def _job(options: Fields) -> dict[str, Any]:
    tries = options.whole("attempts", 1)
    delay = _backoff(options)
    _lose_worker(options)
    options.lost("delay", "it delays the first try, not those after it")
    options.rest("it is not about retries", OPTIONS)
    if tries <= 1:
        if "backoff" in options:
            options.note("backoff", "without attempts of 2 or more there is no retry")
        return {}
    return {"attempts": tries, **delayed(delay)}


def _backoff(options: Fields) -> Any:
    if not isinstance(options.peek("backoff"), Mapping):
        return constant(options.time("backoff", MILLISECONDS, 0))
    backoff = options.below("backoff")
    return "none" if backoff is None else _strategy(backoff)


def _strategy(backoff: Fields) -> Any:
    kind = backoff.text("type", "fixed")
    delay_ns = backoff.time("delay", MILLISECONDS, 0)
    jitter = backoff.number("jitter", 0, least=0, most=1)
    backoff.rest("BullMQ knows no such key of a backoff")
    if kind not in {"fixed", "exponential"}:
        backoff.note("type", f"'{kind}' is a strategy in code; no delay is taken")
        return "none"
    if not jitter or not delay_ns:
        return constant(delay_ns) if not delay_ns or kind == "fixed" else formula(DOUBLED, d=time(delay_ns))
    if kind == "fixed":
        return formula(JITTERED, x=time(delay_ns), j=jitter)
    return formula(JITTERED, let={"x": DOUBLED}, d=time(delay_ns), j=jitter)


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the options of a job. Raises CannotWrite."""
    wanted = Wanted(policy)
    law = wanted.law("formula")
    options: dict[str, Any] = {"attempts": wanted.attempts or 1}
    steady_ns = wanted.ns("delay", "constant")
    if law:
        delay_ns = wanted.ns("delay", "d") or wanted.ns("delay", "x") or NS_PER_MS
        backoff = {"type": "exponential" if "d" in law else "fixed", "delay": put(MILLISECONDS, ("delay",), delay_ns)}
        options["backoff"] = {**backoff, **({"jitter": law["j"]} if "j" in law else {})}
    elif steady_ns is not None:
        options["backoff"] = {"type": "fixed", "delay": put(MILLISECONDS, ("delay",), steady_ns)}
    return confirmed(wanted, json_text({"bullmq": options}), read, TITLE, CANNOT)
