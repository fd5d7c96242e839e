"""Amazon SQS: attributes of queues; `deliveries` has what else of AWS delivers again.

Facts: botocore 1.44.8 data/sqs (service model).

Attributes are as `get-queue-attributes` and CloudFormation have them: numbers also as texts, `RedrivePolicy` as a
mapping or as JSON in a text. Counting: `maxReceiveCount` counts deliveries.
Answers: every failure is tried again.
SQS has no law of delays: a message comes again when its visibility timeout is over, counted from its delivery, also
beside a try that takes longer. Retention counts from the first sending, and a delivery may start until it is over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sim.converters.converted import Converted, Policy
from sim.converters.delays import constant, delayed
from sim.converters.documents import read_document
from sim.converters.fields import Fields, Reading
from sim.converters.formats import deliveries
from sim.converters.units import WHOLE_SECONDS
from sim.converters.writing import CannotWrite, Wanted, confirmed, json_text, put, time
from sim.kernel.durations import NS_PER_S
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "SQS"
VISIBILITY_S: Final = 30
RETENTION_S: Final = 345_600
RECEIVES: Final = 10
NAMELESS: Final = "queue"
_QUEUE: Final = {"VisibilityTimeout", "RedrivePolicy", "ReceiveMessageWaitTimeSeconds", "MessageRetentionPeriod"}
_RETRIES: Final = set(deliveries.KEYS)
CANNOT: Final = {
    "delay": "SQS has no law of delays: {constant: DELAY} stands for the visibility timeout",
    "delay_from": "the visibility timeout counts from the delivery: `delay_from: start`",
    "redeliver": (
        "a message is delivered again after its visibility timeout: {after, from: start}, the same as the delay"
    ),
    "deadline": "the age of a message is {after, kind: soft}, always",
    "attempts": "a queue delivers at most maxReceiveCount times, or for as long as it keeps a message",
    "timeout": "SQS has no timeout of a try but the visibility timeout",
    "retry_on": "SQS delivers again whatever failed",
    "retry_after": "no answer tells the queue when to deliver again",
    "cases": "a queue has one policy for all failures",
    "budget": "a queue has no budget of retries",
    "breaker": "a queue has no circuit breaker",
    "hedge": "a queue has no hedging",
    "bulkhead": "a queue limits no concurrency",
    "rate_limit": "a queue limits no rate",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it has attributes of a queue, or the retries of a mapping, a call or a rule."""
    if _QUEUE & values.keys() or _RETRIES & values.keys():
        return True
    for key in ("Attributes", "Properties", "RetryPolicy", "Resources", "sqs"):
        below = values.get(key)
        if isinstance(below, Mapping):
            inner = [below, *(one for one in below.values() if isinstance(one, Mapping))]
            if any((_QUEUE | _RETRIES) & one.keys() or one.get("Type") == "AWS::SQS::Queue" for one in inner):
                return True
    targets = values.get("Targets")
    return isinstance(targets, list) and any(isinstance(one, Mapping) and "RetryPolicy" in one for one in targets)


def read(document: Document) -> Converted:
    """Read queues, mappings, asynchronous calls and rules. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots():
        resources = root.below("Resources")
        if resources is None:
            policies += _resource(root, NAMELESS)
            continue
        for name in resources.names():
            resource = resources.below(name)
            if resource is not None and str(resource.peek("Type")) in _TYPES:
                policies += _resource(resource, name)
            elif resource is not None:
                resource.ignore(*resource.names())
        root.ignore("AWSTemplateFormatVersion", "Description")
        root.rest("it is not about retries")
    return reading.converted(policies)


_TYPES: Final = (
    *("AWS::SQS::Queue", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig", "AWS::Events::Rule"),
)


def _resource(root: Fields, name: str) -> list[Policy]:
    for key in ("Attributes", "Properties", "sqs"):
        below = root.below(key)
        if below is not None:
            root.ignore("Type", "DependsOn")
            root.rest("it is not about retries")
            return _resource(below, name)
    if "Targets" in root:
        of_rule = "" if name == NAMELESS else f"{name} "
        targets = root.entries("Targets")
        rules = [Policy(f"{of_rule}{one.text('Id', 'target')}", deliveries.rule(one)) for one in targets]
        root.rest("it is not about retries")
        return rules
    other = deliveries.policy_of(root)
    if other is not None:
        return [Policy(name, other)]
    return [Policy(_queue_name(root, name), _queue(root))]


def _queue_name(root: Fields, name: str) -> str:
    own = root.peek("QueueName") or root.peek("QueueArn")
    return own.rpartition(":")[2] if isinstance(own, str) else name


def _queue(queue: Fields) -> dict[str, Any]:
    visible_s = queue.whole("VisibilityTimeout", VISIBILITY_S, 0, 43_200, texts=True)
    retention_s = queue.whole("MessageRetentionPeriod", RETENTION_S, 60, 1_209_600, texts=True)
    if queue.whole("DelaySeconds", 0, 0, 900, texts=True):
        queue.lost("DelaySeconds", "it delays the first delivery, not the tries after it")
    if queue.whole("ReceiveMessageWaitTimeSeconds", 0, 0, 20, texts=True):
        queue.lost("ReceiveMessageWaitTimeSeconds", "how consumers look for messages is not modeled")
    queue.ignore("QueueName", "QueueArn", "CreatedTimestamp", "LastModifiedTimestamp")
    receives = _redrive(queue)
    queue.rest("it is not about retries")
    tree = {
        "attempts": receives or "unlimited",
        **delayed(constant(visible_s * NS_PER_S)),
        "deadline": {"after": time(retention_s * NS_PER_S), "kind": "soft"},
    }
    if not visible_s:
        return tree
    redeliver = {"after": time(visible_s * NS_PER_S), "from": "start"}
    return {**tree, "delay_from": "start", "redeliver": redeliver}


def _redrive(queue: Fields) -> int | None:
    value = queue.peek("RedrivePolicy")
    if isinstance(value, str):
        queue.take("RedrivePolicy")
        try:
            ((_, values),) = read_document(value.encode("utf-8", "surrogatepass"), queue.reading.document.source).roots
        except (ScenarioError, ValueError):
            values = None
        if not isinstance(values, Mapping):
            queue.wrong("RedrivePolicy", 'not JSON in a text, such as "{\\"maxReceiveCount\\": 5}"')
            return None
        paths = {key: queue.at("RedrivePolicy") for key in values}
        policy: Fields | None = Fields(queue.reading, queue.at("RedrivePolicy"), values, str, paths)
    else:
        policy = queue.below("RedrivePolicy")
    if policy is None:
        return None
    receives = policy.whole("maxReceiveCount", RECEIVES, 1, 1000, texts=True)
    policy.ignore("deadLetterTargetArn")
    policy.rest("SQS knows no such key of a RedrivePolicy")
    return receives


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as attributes of a queue, or as one of the other deliveries that can say it.

    Raises CannotWrite with what a queue cannot say.
    """
    wanted = Wanted(policy)
    for text, title in (
        (_queue_text, TITLE),
        (deliveries.rule_text, "EventBridge"),
        (deliveries.call_text, "Lambda's asynchronous call"),
        (deliveries.event_source_text, "Lambda event source"),
    ):
        with suppress(CannotWrite):
            return confirmed(wanted, text(wanted), read, title, CANNOT)
    return confirmed(wanted, _queue_text(wanted), read, TITLE, CANNOT)


def _queue_text(wanted: Wanted) -> str:
    visible_ns = wanted.ns("delay", "constant") or 0
    attributes: dict[str, Any] = {"VisibilityTimeout": str(put(WHOLE_SECONDS, ("delay",), visible_ns))}
    if (age_ns := wanted.deadline_ns()) is not None:
        attributes["MessageRetentionPeriod"] = str(put(WHOLE_SECONDS, ("deadline",), age_ns))
    if wanted.attempts is not None:
        target = "arn:aws:sqs:eu-central-1:123456789012:dead-letters"
        redrive = {"deadLetterTargetArn": target, "maxReceiveCount": str(wanted.attempts)}
        attributes["RedrivePolicy"] = json.dumps(redrive)
    return json_text({"Attributes": attributes})
