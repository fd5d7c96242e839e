"""Google Cloud Tasks: a Queue of the API (JSON, YAML), or App Engine's queue.yaml, one policy for each queue.

Facts: googleapis google/cloud/tasks/v2/queue.proto (RetryConfig); appengine-python-standard 3.1.0
taskqueue_service_pb2 and taskqueue_stub.py.

Counting: `maxAttempts` of the API counts tries, -1 is unlimited; `task_retry_limit` of queue.yaml counts retries. A
task stops only when it has passed both its number of tries and its age (`limits: all`); a limit that is not stated is
none.
Answers: every failure is retried.
Law: e = min(n-1, doublings); min(max, least * 2^e * max(1, n-e)): it doubles, then grows linearly, then stays. No
jitter.
The API cuts durations to whole seconds; the default of 0.1 s stands all the same.
Rate limits of the queue delay tries further: a token bucket and a bulkhead, which all share who use the queue.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import formula
from sim.converters.fields import Fields, Reading
from sim.converters.names import snake
from sim.converters.units import AGE, PROTO, SECONDS
from sim.converters.writing import Wanted, confirmed, json_text, put, time, yaml_text
from sim.kernel.durations import NS_PER_MS, NS_PER_S, format_rate, parse_rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.converters.documents import Document

TITLE: Final = "Cloud Tasks"
LEAST_NS: Final = 100 * NS_PER_MS
MOST_NS: Final = 3600 * NS_PER_S
DOUBLINGS: Final = 16
LET: Final = {"e": "min(n - 1, doublings)"}
FORMULA: Final = "min(cap, base * 2 ** e * max(1, n - e))"
_OF_YAML: Final = {"task_retry_limit", "task_age_limit", "min_backoff_seconds", "max_backoff_seconds"}
CANNOT: Final = {
    "delay": "Cloud Tasks has one law: " + FORMULA + ", with e, base, cap and doublings",
    "retry_on": "Cloud Tasks retries every failure",
    "deadline": "the age of a task is {after, kind: after_attempt, from: first_call}, in whole seconds",
    "limits": "with both limits a task stops when it has passed both: `limits: all`",
    "timeout": "the deadline of a dispatch belongs to the task, not to the queue",
    "retry_after": "no answer tells the queue when to come back",
    "cases": "a queue has one policy for all failures",
    "budget": "a queue has no budget of retries",
    "breaker": "a queue has no circuit breaker",
    "hedge": "a queue has no hedging",
    "rate_limit": "rate limits of a queue are {rate, burst, empty: wait, scope: world}",
    "bulkhead": "concurrent dispatches are {at_most, queue: unlimited, scope: world}",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a queue, its retries, or a list of queues."""
    keys = {snake(key) for key in values}
    if "queue" in keys and isinstance(values.get("queue"), list):
        return True
    if "retry_config" in keys or {"max_dispatches_per_second"} & keys:
        return True
    telling = {"max_retry_duration", "min_backoff", "max_backoff", "max_doublings"}
    return bool((telling | _OF_YAML) & keys)


def read(document: Document) -> Converted:
    """Read queues. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots(snake):
        if "queue" in root or "queues" in root:
            for queue in root.entries("queue"):
                if queue.peek("mode") == "pull":
                    reading.lost(
                        queue.path, "workers lease the tasks of a pull queue and say themselves what is retried"
                    )
                else:
                    policies.append(Policy(_name(queue), _queue(queue, of_yaml=True)))
            policies += [Policy(_name(queue), _queue(queue)) for queue in root.entries("queues")]
            root.rest("it is not about retries")
        elif {"retry_config", "rate_limits", "retry_parameters"} & set(root.names()):
            policies.append(Policy(_name(root), _queue(root)))
        else:
            policies.append(Policy("queue", _retries(root, of_yaml=bool(_OF_YAML & set(root.names())))))
    return reading.converted(policies)


def _name(queue: Fields) -> str:
    return queue.text("name", "queue").rpartition("/")[2] or "queue"


def _queue(queue: Fields, *, of_yaml: bool = False) -> dict[str, Any]:
    of_yaml = of_yaml or bool({"retry_parameters", "rate", "bucket_size"} & set(queue.names()))
    retries = queue.below("retry_parameters" if of_yaml else "retry_config")
    empty = Fields(queue.reading, queue.path, {}, snake)
    tree = _retries(retries or empty, of_yaml=of_yaml)
    limits = _yaml_limits(queue) if of_yaml else _limits(queue.below("rate_limits"))
    queue.ignore("state", "purge_time", "mode", "target")
    queue.rest("it is not about retries")
    return {**tree, **limits}


def _retries(retries: Fields, *, of_yaml: bool) -> dict[str, Any]:
    tries: int | None
    if of_yaml:
        limit = retries.whole("task_retry_limit", None)
        tries = None if limit is None else limit + 1
        age_ns = retries.time("task_age_limit", AGE, 0)
        least_ns = retries.time("min_backoff_seconds", SECONDS, LEAST_NS)
        most_ns = retries.time("max_backoff_seconds", SECONDS, MOST_NS)
    else:
        tries = retries.whole("max_attempts", 0, -1)
        if tries == 0:
            retries.note(
                "max_attempts", "without maxAttempts Cloud Tasks picks a number of tries; here they are unlimited"
            )
        tries = tries if tries and tries > 0 else None
        age_ns = _cut(retries, "max_retry_duration", retries.time("max_retry_duration", PROTO, 0))
        least_ns = _cut(retries, "min_backoff", retries.time("min_backoff", PROTO, LEAST_NS))
        most_ns = _cut(retries, "max_backoff", retries.time("max_backoff", PROTO, MOST_NS))
    doublings = retries.whole("max_doublings", DOUBLINGS)
    if most_ns < least_ns:
        retries.wrong("max_backoff_seconds" if of_yaml else "max_backoff", "must not be less than the least delay")
    retries.rest("Cloud Tasks knows no such key of retries")
    delay = formula(FORMULA, let=dict(LET), base=time(least_ns), cap=time(most_ns), doublings=doublings)
    tree: dict[str, Any] = {"attempts": tries or "unlimited", "delay": delay}
    if age_ns:
        tree["deadline"] = {"after": time(age_ns), "kind": "after_attempt", "from": "first_call"}
        tree |= {"limits": "all"} if tries else {}
    return tree


def _cut(retries: Fields, name: str, duration_ns: int) -> int:
    if duration_ns == LEAST_NS:
        return duration_ns
    whole_ns = duration_ns - duration_ns % NS_PER_S
    if whole_ns != duration_ns:
        retries.note(name, f"the API cuts it to whole seconds: {time(whole_ns)}")
    return whole_ns


def _limits(limits: Fields | None) -> dict[str, Any]:
    if limits is None:
        return {}
    rate = limits.number("max_dispatches_per_second", None, above=0)
    burst = limits.whole("max_burst_size", None, 1)
    most = limits.whole("max_concurrent_dispatches", None, 1)
    if rate is not None and burst is None:
        limits.note("max_burst_size", "Cloud Tasks picks the size of the bucket by the rate; here a second fills it")
    limits.rest("Cloud Tasks knows no such limit")
    return _limit(rate, burst, most)


def _yaml_limits(queue: Fields) -> dict[str, Any]:
    text = queue.text("rate", None)
    burst = queue.whole("bucket_size", None, 1)
    most = queue.whole("max_concurrent_requests", None, 1)
    rate = None
    if text == "0":
        queue.lost("rate", "a queue with rate 0 is stopped; here it is not limited")
    elif text is not None:
        try:
            rate = parse_rate(text.replace("/d", "/h")) / (24 if text.endswith("/d") else 1)
        except ValueError:
            queue.wrong("rate", "not a rate, such as 5/s, 30/m or 100/h")
    if rate is not None and burst is None:
        burst = 5
    return _limit(rate, burst, most)


def _limit(rate: float | None, burst: int | None, most: int | None) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    if rate is not None:
        size = math.ceil(rate) if burst is None else burst
        tree["rate_limit"] = {"rate": format_rate(float(rate)), "burst": size, "empty": "wait", "scope": "world"}
    if most is not None:
        tree["bulkhead"] = {"at_most": most, "queue": "unlimited", "scope": "world"}
    return tree


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a queue of the API, with delays that are no whole seconds as queue.yaml. Raises CannotWrite."""
    wanted = Wanted(policy)
    durations_ns = [wanted.ns("delay", "base"), wanted.ns("delay", "cap"), wanted.deadline_ns()]
    if any(one is not None and one % NS_PER_S and one != LEAST_NS for one in durations_ns):
        return confirmed(wanted, yaml_text({"queue": [_written_yaml(wanted)]}), read, "queue.yaml", CANNOT)
    law = wanted.law("formula")
    retries: dict[str, Any] = {"maxAttempts": wanted.attempts or -1}
    if (age_ns := wanted.deadline_ns()) is not None:
        retries["maxRetryDuration"] = put(PROTO, ("deadline",), age_ns)
    for key, name in (("base", "minBackoff"), ("cap", "maxBackoff")):
        if (duration_ns := wanted.ns("delay", key)) is not None:
            retries[name] = put(PROTO, ("delay", key), duration_ns)
    retries["maxDoublings"] = law.get("doublings", DOUBLINGS)
    queue: dict[str, Any] = {"name": "projects/p/locations/l/queues/queue", "retryConfig": retries}
    limits: dict[str, Any] = {}
    if isinstance(wanted.get("rate_limit", "rate"), str):
        try:
            limits["maxDispatchesPerSecond"] = parse_rate(wanted.get("rate_limit", "rate"))
        except ValueError:
            limits["maxDispatchesPerSecond"] = None
        limits["maxBurstSize"] = wanted.get("rate_limit", "burst")
    if wanted.get("bulkhead") is not None:
        limits["maxConcurrentDispatches"] = wanted.get("bulkhead", "at_most")
    if limits:
        queue["rateLimits"] = limits
    return confirmed(wanted, json_text(queue), read, TITLE, CANNOT)


def _written_yaml(wanted: Wanted) -> dict[str, Any]:
    retries: dict[str, Any] = {}
    if wanted.attempts is not None:
        retries["task_retry_limit"] = wanted.attempts - 1
    if (age_ns := wanted.deadline_ns()) is not None:
        retries["task_age_limit"] = put(AGE, ("deadline",), age_ns)
    for key, name in (("base", "min_backoff_seconds"), ("cap", "max_backoff_seconds")):
        if (duration_ns := wanted.ns("delay", key)) is not None:
            retries[name] = put(SECONDS, ("delay", key), duration_ns)
    retries["max_doublings"] = wanted.law("formula").get("doublings", DOUBLINGS)
    queue: dict[str, Any] = {"name": "queue", "retry_parameters": retries}
    if isinstance(wanted.get("rate_limit", "rate"), str):
        queue |= {"rate": wanted.get("rate_limit", "rate"), "bucket_size": wanted.get("rate_limit", "burst")}
    if wanted.get("bulkhead") is not None:
        queue["max_concurrent_requests"] = wanted.get("bulkhead", "at_most")
    return queue
