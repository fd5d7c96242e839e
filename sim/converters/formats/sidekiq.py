"""Sidekiq: options of a job, `{sidekiq: {retry: 5}}`, several of them by name; keys may begin with a colon.

Facts: sidekiq 8.1.7 (1bb4aa06) lib/sidekiq/job_retry.rb, scheduled.rb, config.rb.

Counting: `retry` counts retries; true is `max_retries` (25), false and 0 are none. `retry_for`, in seconds since the
first failure, takes the place of the number.
Answers: every failure is retried.
Law: c^4 + 15 + a whole number below 10(c+1), in seconds, c = n - 1. Then the poller of one process looks, every
U[0.5, 1.5) times `average_scheduled_poll_interval` (5 s).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import formula
from sim.converters.fields import Fields, Reading
from sim.converters.library_options import has_options, options_of
from sim.converters.units import SECONDS
from sim.converters.writing import Wanted, confirmed, duration, put, time, yaml_text
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.converters.documents import Document

TITLE: Final = "Sidekiq"
RETRIES: Final = 25
POLL_NS: Final = 5 * NS_PER_S
FORMULA: Final = "1s * ((n - 1) ** 4 + 15 + floor(u * 10 * n))"
OPTIONS: Final = ("retry", "retry_for", "max_retries", "dead", "average_scheduled_poll_interval")
CANNOT: Final = {
    "delay": f"Sidekiq has one law: {FORMULA}",
    "attempts": "with retry_for there is no number of tries, without it there is one",
    "deadline": "retry_for is {after, kind: after_attempt, from: first_failure}, in place of a number of tries",
    "pickup": "the poller is {every: {uniform: {low, high}}, phase: random}, with half and 1.5 times the interval",
    "retry_on": "Sidekiq retries every failure",
    "retry_after": "sidekiq_retry_in is code",
}


def plain(key: str) -> str:
    """Return a key without the colon of a Ruby symbol."""
    return key.removeprefix(":")


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is named after Sidekiq, or has options that only Sidekiq has."""
    keys = {plain(key): value for key, value in values.items()}
    if isinstance(keys.get("retry"), bool | int) and keys.keys() <= {*OPTIONS, "queue", "backtrace", "pool", "tags"}:
        return True
    return has_options(keys, "sidekiq", ("retry_for", "average_scheduled_poll_interval")) or (
        "max_retries" in keys and (":max_retries" in values or bool({"concurrency", "queues"} & keys.keys()))
    )


def read(document: Document) -> Converted:
    """Read sets of options. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = [
        Policy("job" if name == "sidekiq" else name, _job(options))
        for name, options in options_of(reading, "sidekiq", OPTIONS, plain)
    ]
    return reading.converted(policies)


def _job(options: Fields) -> dict[str, Any]:
    most = options.whole("max_retries", RETRIES)
    value = options.peek("retry")
    if value is None or isinstance(value, bool):
        retries = most if options.flag("retry", True) else 0  # noqa: FBT003  # the default
    else:
        retries = options.whole("retry", RETRIES)
    for_ns = options.time("retry_for", SECONDS, None, above=True)
    poll_ns = options.time("average_scheduled_poll_interval", SECONDS, POLL_NS, above=True)
    options.lost("dead", "what becomes of jobs that were given up is not modeled")
    for name in ("backtrace", "queue", "queues", "concurrency", "pool", "tags", "timeout"):
        options.lost(name, "it is not about retries")
    options.lost("retry_queue", "queues of workers are not modeled")
    options.rest("it is not about retries", OPTIONS)
    if not retries:
        if for_ns is not None:
            options.note("retry_for", "without retries it has no effect")
        return {}
    tree: dict[str, Any] = {"attempts": retries + 1, "delay": formula(FORMULA)}
    if for_ns is not None:
        if isinstance(value, int) and not isinstance(value, bool):
            options.note("retry", "retry_for takes the place of the number")
        tree["attempts"] = "unlimited"
        tree["deadline"] = {"after": time(for_ns), "kind": "after_attempt", "from": "first_failure"}
    low_ns, high_ns = poll_ns // 2, poll_ns * 3 // 2
    tree["pickup"] = {"every": {"uniform": {"low": time(low_ns), "high": time(high_ns)}}, "phase": "random"}
    return tree


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as the options of a job. Raises CannotWrite."""
    wanted = Wanted(policy)
    options: dict[str, Any] = {"retry": wanted.attempts - 1 if wanted.attempts is not None else True}
    if (for_ns := wanted.deadline_ns()) is not None:
        options["retry_for"] = put(SECONDS, ("deadline",), for_ns)
    low_ns = duration(wanted.get("pickup", "every", "uniform", "low"))
    if low_ns is not None and low_ns != POLL_NS // 2:
        options["average_scheduled_poll_interval"] = put(SECONDS, ("pickup",), int(Fraction(low_ns) * 2))
    return confirmed(wanted, yaml_text({"sidekiq": options}), read, TITLE, CANNOT)
