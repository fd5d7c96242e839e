"""Inngest: the options of a function, `{retries: 4}` (below `inngest` or alone), several of them by name or as a list.

Facts: inngest/inngest 253303c pkg/backoff/backoff.go, pkg/consts/consts.go, pkg/execution/queue/process.go.

Counting: `retries` counts retries, 4 by default and at most 20; each step of a function has its own.
Answers: every failure is retried unless it is final (NonRetriableError); Retry-After stands for RetryAfterError.
Law: a table from 15 s to 2 h, whose last entry repeats, and whole ms from 0 to 29 999 on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.writing import Wanted, confirmed, json_text

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "Inngest"
RETRIES: Final = 4
MOST: Final = 20
TABLE: Final = ("15s", "30s", "1m", "2m", "5m", "10m", "20m", "40m", "1h", "2h")
_OTHERS: Final = {
    "concurrency": "limits of concurrency are not carried over",
    "throttle": "limits of rates are not carried over",
    "rateLimit": "limits of rates are not carried over",
    "debounce": "it is about which events start a run",
    "batchEvents": "it is about which events start a run",
    "cancelOn": "it is about which events end a run",
    "timeouts": "times of whole runs are not carried over",
    "priority": "it is about the order of runs",
}
CANNOT: Final = {
    "attempts": "Inngest makes 0 to 20 retries",
    "delay": "Inngest has one table of delays, from 15 s to 2 h, and up to 30 s in whole ms on top",
    "retry_after": "RetryAfterError is always obeyed: {obey: true}",
    "retry_on": "Inngest retries every failure that is not final",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after Inngest, or has functions with retries."""
    functions = values.get("functions")
    if isinstance(functions, list) and any(isinstance(one, Mapping) and "retries" in one for one in functions):
        return True
    if isinstance(values.get("retries"), int) and "id" in values:
        return True
    return has_options(values, "inngest", ()) or (values.keys() == {"retries"} and isinstance(values["retries"], int))


def read(document: Document) -> Converted:
    """Read functions. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for name, options in options_of(reading, "inngest", ("retries", "functions", "id")):
        if "functions" in options:
            policies += [Policy(_name(one, "function"), _function(one)) for one in options.entries("functions")]
            options.rest("it is not about retries")
        else:
            policies.append(Policy(_name(options, "function" if name == "inngest" else name), _function(options)))
    return reading.converted(policies)


def _name(options: Fields, otherwise: str) -> str:
    own = options.peek("id") or options.peek("name")
    return own if isinstance(own, str) and own else otherwise


def _function(options: Fields) -> dict[str, Any]:
    retries = options.whole("retries", RETRIES, 0, MOST)
    for name, why in _OTHERS.items():
        options.lost(name, why)
    options.ignore("id", "name", "triggers")
    options.rest("it is not about retries")
    if not retries:
        return {}
    return {
        "attempts": retries + 1,
        "delay": {"table": {"delays": list(TABLE), "jitter": {"plus": "30s"}, "floor": "1ms"}},
        "retry_after": {"obey": True},
    }


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the options of a function. Raises CannotWrite."""
    wanted = Wanted(policy)
    retries = MOST if wanted.attempts is None else wanted.attempts - 1
    text = json_text({"inngest": {"id": "function", "retries": min(retries, MOST)}})
    return confirmed(wanted, text, read, TITLE, CANNOT)
