"""What AWS puts beside its queues: EventBridge rules, Lambda's event sources, and its asynchronous calls.

Facts: botocore 1.44.8 data of Lambda and EventBridge; the defaults (185 retries in 24 hours, 2 retries in 6 hours) and
what is said of delays are those of AWS's guides. Counting: `MaximumRetryAttempts` counts retries.

Laws: an asynchronous call waits 1 minute, then 2; throttled, 1 s and more up to 5 minutes, for as long as the event may
live. EventBridge says "exponential backoff and jitter" alone, so its numbers are those of the preset `eventbridge`. Of
event sources nothing is said, and no delay is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.converters.delays import delayed, exponential
from sim.converters.fields import Fields
from sim.converters.units import WHOLE_SECONDS
from sim.converters.writing import json_text, put, time
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from sim.converters.writing import Wanted

KEYS: Final = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "MaximumRecordAgeInSeconds")
RULE_DELAY: Final = exponential(NS_PER_S, 2, 600 * NS_PER_S, jitter="full")
CALL_DELAY: Final = {"table": ["1m", "2m"]}
THROTTLED: Final = {
    "on": ["rejected"],
    "attempts": "unlimited",
    "delay": exponential(NS_PER_S, 2, 300 * NS_PER_S),
    "counter": "own",
}
"""Throttled asynchronous calls and errors of the system; the guide gives no factor."""


def policy_of(root: Fields) -> dict[str, Any] | None:
    """Return the policy of a rule, an event source or an asynchronous call; None if it is none of them."""
    if "RetryPolicy" in root:
        return rule(root)
    if {"EventSourceArn", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError"} & set(root.names()):
        return _event_source(root)
    return _call(root) if {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} & set(root.names()) else None


def rule(target: Fields) -> dict[str, Any]:
    """Return the policy of a target of an EventBridge rule."""
    policy = target.below("RetryPolicy")
    target.ignore("Id", "Arn", "Name")
    target.rest("it is not about retries")
    return _limits_of_rule(policy or Fields(target.reading, target.path, {}))


def _limits_of_rule(policy: Fields) -> dict[str, Any]:
    retries = policy.whole("MaximumRetryAttempts", 185, 0, 185, texts=True)
    age_s = policy.whole("MaximumEventAgeInSeconds", 86_400, 60, 86_400, texts=True)
    policy.note(
        "MaximumRetryAttempts",
        "EventBridge says of its delays only that they grow exponentially and have jitter; the numbers are ours",
    )
    policy.rest("EventBridge knows no such key of a RetryPolicy")
    return _policy(retries, age_s, RULE_DELAY)


def _event_source(mapping: Fields) -> dict[str, Any]:
    retries = mapping.whole("MaximumRetryAttempts", -1, -1, 10_000, texts=True)
    age_s = mapping.whole("MaximumRecordAgeInSeconds", -1, -1, 604_800, texts=True)
    if mapping.flag("BisectBatchOnFunctionError", False):  # noqa: FBT003  # the default
        mapping.lost("BisectBatchOnFunctionError", "a batch is one call here, which is not split")
    mapping.note("MaximumRetryAttempts", "the delays between tries are not stated by AWS; none is taken")
    mapping.rest("it is not about retries")
    return _policy(None if retries < 0 else retries, None if age_s < 0 else age_s, "none")


def _call(config: Fields) -> dict[str, Any]:
    retries = config.peek("MaximumRetryAttempts")
    if "FunctionName" not in config and isinstance(retries, int) and retries > 2:
        return _limits_of_rule(config)
    most = config.whole("MaximumRetryAttempts", 2, 0, 2, texts=True)
    longest_s = 21_600 if "FunctionName" in config else 86_400
    age_s = config.whole("MaximumEventAgeInSeconds", 21_600, 60, longest_s, texts=True)
    config.note("MaximumRetryAttempts", "the guide says that delays after throttling grow, but not how: twice is ours")
    config.ignore("FunctionName", "Qualifier")
    config.lost("DestinationConfig", "what becomes of an event that failed for good is not modeled")
    config.rest("it is not about retries")
    return {**_policy(most, age_s, CALL_DELAY), "cases": [THROTTLED]}


def _policy(retries: int | None, age_s: int | None, delay: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {"attempts": "unlimited" if retries is None else retries + 1, **delayed(delay)}
    return tree if age_s is None else {**tree, "deadline": {"after": time(age_s * NS_PER_S), "kind": "soft"}}


def rule_text(wanted: Wanted) -> str:
    """Return the retries of an EventBridge rule."""
    return json_text({"RetryPolicy": _limits(wanted)})


def call_text(wanted: Wanted) -> str:
    """Return the configuration of asynchronous calls of a function."""
    return json_text({"FunctionName": "function", **_limits(wanted)})


def event_source_text(wanted: Wanted) -> str:
    """Return the mapping of an event source."""
    age_ns = wanted.deadline_ns()
    mapping = {
        "EventSourceArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/stream",
        "MaximumRetryAttempts": -1 if wanted.attempts is None else wanted.attempts - 1,
        "MaximumRecordAgeInSeconds": -1 if age_ns is None else put(WHOLE_SECONDS, ("deadline",), age_ns),
    }
    return json_text(mapping)


def _limits(wanted: Wanted) -> dict[str, Any]:
    age_ns = wanted.deadline_ns()
    limits = {} if wanted.attempts is None else {"MaximumRetryAttempts": wanted.attempts - 1}
    if age_ns is not None:
        limits["MaximumEventAgeInSeconds"] = put(WHOLE_SECONDS, ("deadline",), age_ns)
    return limits
