"""Writes the instance of resilience4j that a policy would be, if it fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sim.converters.answers import EVERYTHING, error_of_answer
from sim.converters.units import SPRING
from sim.converters.writing import duration, put, yaml_text
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from sim.converters.writing import Wanted


def text_of(wanted: Wanted) -> str:
    """Return a configuration with one instance. Raises CannotWrite if a duration does not fit."""
    modules: dict[str, Any] = {}
    if (wanted.attempts or 2) > 1 or wanted.get("delay") or "retry_on" in wanted.tree:
        modules["retry"] = _instance(_written_retry(wanted))
    if (try_ns := wanted.ns("timeout")) is not None:
        modules["timelimiter"] = _instance({"timeout-duration": put(SPRING, ("timeout",), try_ns)})
    breaker = wanted.get("breaker")
    if isinstance(breaker, Mapping):
        modules["circuitbreaker"] = _instance(_written_breaker(breaker))
    return yaml_text({"resilience4j": modules})


def _instance(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"instances": {"backend": dict(properties)}}


def _written_retry(wanted: Wanted) -> dict[str, Any]:
    steady, grown, law = (wanted.law(kind) for kind in ("constant", "exponential", "formula"))
    source = grown or law
    wait_ns = duration(steady.get("delay") or source.get("initial") or source.get("x") or "0s") or 0
    properties: dict[str, Any] = {
        "max-attempts": wanted.attempts or 3,
        "wait-duration": put(SPRING, ("delay",), wait_ns),
    }
    if grown or "factor" in law:
        properties["enable-exponential-backoff"] = True
        properties["exponential-backoff-multiplier"] = source.get("factor", 2)
        cap_ns = duration(source.get("cap"))
        if cap_ns is not None:
            properties["exponential-max-wait-duration"] = put(SPRING, ("delay",), cap_ns)
    if "f" in law:
        properties |= {"enable-randomized-wait": True, "randomized-wait-factor": law["f"]}
    answers = wanted.retry_on
    cases = wanted.get("cases")
    kept = [answer for case in cases or [] if isinstance(case, Mapping) for answer in case.get("on", ())]
    missing = [answer for answer in EVERYTHING if answer not in answers]
    names = {
        "timed_out": "java.util.concurrent.TimeoutException",
        "refused": "io.github.resilience4j.CallNotPermittedException",
    }
    if set(missing) <= names.keys() and "failed" in answers:
        ignored = [*(names[answer] for answer in missing), *(name for name in map(error_of_answer, kept) if name)]
    else:
        properties["retry-exceptions"] = [
            names.get(answer) or error_of_answer(answer) or "Exception" for answer in answers
        ]
        ignored = [name for name in map(error_of_answer, kept) if name]
    if ignored:
        properties["ignore-exceptions"] = ignored
    return properties


def _written_breaker(breaker: Mapping[str, Any]) -> dict[str, Any]:
    window, half_open, slow = (breaker.get(key) or {} for key in ("window", "half_open", "slow"))
    time_ns = duration(window.get("time"))
    properties: dict[str, Any] = {
        "sliding-window-type": "COUNT_BASED" if time_ns is None else "TIME_BASED",
        "sliding-window-size": window.get("calls", 100) if time_ns is None else max(time_ns // NS_PER_S, 1),
        "minimum-number-of-calls": breaker.get("at_least", 100),
        "failure-rate-threshold": _percent(breaker.get("opens_at", 0.5)),
        "permitted-number-of-calls-in-half-open-state": half_open.get("calls", 1),
        "wait-duration-in-open-state": put(
            SPRING, ("breaker", "open"), duration(breaker.get("open", "60s")) or NS_PER_S
        ),
    }
    if slow:
        over_ns = duration(slow.get("over")) or NS_PER_S
        properties["slow-call-duration-threshold"] = put(SPRING, ("breaker", "slow"), over_ns)
        properties["slow-call-rate-threshold"] = _percent(slow.get("opens_at", 1.0))
    return properties


def _percent(share: Any) -> float:
    if isinstance(share, str) and re.fullmatch(r"[0-9.]+%", share):
        return float(share[:-1])
    return round(share * 100, 9) if isinstance(share, int | float) else 50
