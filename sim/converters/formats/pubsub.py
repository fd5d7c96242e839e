"""Google Pub/Sub: a subscription (JSON or YAML, in camel or snake case).

Facts: google-cloud-pubsub 2.44.0 types/pubsub.py (RetryPolicy, DeadLetterPolicy, Subscription).

Counting: `maxDeliveryAttempts` counts deliveries, 5 by default; without a dead letter policy they are unlimited.
Answers: every failure is delivered again.
Law: exponential from 10 s to 600 s, "best effort"; its factor is not stated, and 2 is taken and told as a loss. Without
a retry policy a message comes again at once. One that is not acknowledged by its deadline is delivered beside the
first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import delayed, exponential
from sim.converters.fields import Fields, Reading
from sim.converters.names import snake
from sim.converters.units import PROTO, WHOLE_SECONDS
from sim.converters.writing import Wanted, confirmed, json_text, put, time
from sim.kernel.durations import NS_PER_S

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "Pub/Sub"
MOST_NS: Final = 600 * NS_PER_S
_OWN: Final = {"ack_deadline_seconds", "dead_letter_policy", "message_retention_duration", "minimum_backoff"}
CANNOT: Final = {
    "attempts": "a subscription delivers without a limit, or with a dead letter policy 5 to 100 times",
    "delay": "a retry policy has two bounds, from 0 s to 600 s: {exponential: {initial, factor: 2, cap}}",
    "redeliver": "the deadline of an acknowledgment always holds: {after: 10s to 600s, from: start}",
    "deadline": "the retention of messages is {after, kind: soft}",
    "retry_on": "Pub/Sub delivers again whatever failed",
    "timeout": "a subscription has no timeout of a try but the deadline of the acknowledgment",
    "retry_after": "no answer tells the subscription when to deliver again",
    "cases": "a subscription has one policy for all failures",
    "budget": "a subscription has no budget of retries",
    "breaker": "a subscription has no circuit breaker",
    "hedge": "a subscription has no hedging",
    "bulkhead": "a subscription limits no concurrency",
    "rate_limit": "a subscription limits no rate",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a subscription or its retry policy."""
    keys = {snake(key) for key in values}
    if _OWN & keys or "maximum_backoff" in keys:
        return True
    policy = next((value for key, value in values.items() if snake(key) == "retry_policy"), None)
    return isinstance(policy, Mapping) and bool({"minimum_backoff", "maximum_backoff"} & {snake(key) for key in policy})


def read(document: Document) -> Converted:
    """Read subscriptions. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots(snake):
        name = root.text("name", "subscription").rpartition("/")[2]
        policies.append(Policy(name or "subscription", _subscription(root)))
    return reading.converted(policies)


def _subscription(root: Fields) -> dict[str, Any]:
    bare = {"minimum_backoff", "maximum_backoff"} & set(root.names())
    policy = root if bare else root.below("retry_policy")
    delay: Any = "none"
    if policy is not None:
        least_ns = policy.time("minimum_backoff", PROTO, 10 * NS_PER_S, most_ns=MOST_NS)
        most_ns = policy.time("maximum_backoff", PROTO, MOST_NS, most_ns=MOST_NS)
        if most_ns < least_ns:
            policy.wrong("maximum_backoff", "must not be less than the least delay")
        policy.note("minimum_backoff", "how fast the delays grow is not stated; here they double")
        delay = exponential(least_ns, 2, most_ns)
    letters = root.below("dead_letter_policy")
    tries = None
    if letters is not None:
        tries = letters.whole("max_delivery_attempts", 5, 5, 100)
        letters.ignore("dead_letter_topic")
        letters.rest("Pub/Sub knows no such key of a dead letter policy")
    ack_ns = root.time("ack_deadline_seconds", WHOLE_SECONDS, 10 * NS_PER_S, least_ns=10 * NS_PER_S, most_ns=MOST_NS)
    root.note("ack_deadline_seconds", "client libraries extend it on their own while they work; here nothing does")
    age_ns = root.time("message_retention_duration", PROTO, None, above=True)
    root.ignore("name", "topic", "state", "labels")
    root.rest("it is not about retries")
    return {
        "attempts": tries or "unlimited",
        **delayed(delay),
        **({} if age_ns is None else {"deadline": {"after": time(age_ns), "kind": "soft"}}),
        "redeliver": {"after": time(ack_ns), "from": "start"},
    }


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as a subscription. Raises CannotWrite."""
    wanted = Wanted(policy)
    subscription: dict[str, Any] = {"name": "projects/p/subscriptions/subscription", "topic": "projects/p/topics/topic"}
    ack_ns = wanted.ns("redeliver", "after")
    if ack_ns is not None:
        subscription["ackDeadlineSeconds"] = put(WHOLE_SECONDS, ("redeliver",), ack_ns)
    cap_ns = wanted.ns("delay", "exponential", "cap")
    if wanted.law("exponential"):
        subscription["retryPolicy"] = {
            "minimumBackoff": put(PROTO, ("delay",), wanted.ns("delay", "exponential", "initial") or 0),
            "maximumBackoff": put(PROTO, ("delay",), MOST_NS if cap_ns is None else cap_ns),
        }
    if wanted.attempts is not None:
        topic = "projects/p/topics/dead-letters"
        subscription["deadLetterPolicy"] = {"deadLetterTopic": topic, "maxDeliveryAttempts": wanted.attempts}
    if (age_ns := wanted.deadline_ns()) is not None:
        subscription["messageRetentionDuration"] = put(PROTO, ("deadline",), age_ns)
    return confirmed(wanted, json_text(subscription), read, TITLE, CANNOT)
