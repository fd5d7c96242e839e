"""Amazon SQS and what AWS puts beside it: queue attributes, Lambda's event sources and asynchronous calls, EventBridge.

Facts: botocore 1.44.8 data/sqs (service model) and its data of Lambda and EventBridge; the defaults of EventBridge and
of asynchronous calls (185 retries in 24 hours, 2 retries in 6 hours) are those of AWS's documentation.

Attributes are as `get-queue-attributes` and CloudFormation have them: numbers also as texts, `RedrivePolicy` as a
mapping or as JSON in a text. Counting: `maxReceiveCount` counts deliveries; `MaximumRetryAttempts` counts retries.
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
_QUEUE: Final = {"VisibilityTimeout", "RedrivePolicy", "ReceiveMessageWaitTimeSeconds", "MessageRetentionPeriod"}
_RETRIES: Final = {"MaximumRetryAttempts", "MaximumEventAgeInSeconds", "MaximumRecordAgeInSeconds"}
NO_LAW: Final = "the delays between tries are not stated by AWS; none is taken"
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
            policies += _resource(root, "queue")
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
        rules = []
        for target in root.entries("Targets"):
            own = target.text("Id", name)
            rules.append(Policy(own, _rule(target)))
        root.rest("it is not about retries")
        return rules
    if "RetryPolicy" in root:
        return [Policy(name, _rule(root))]
    if "EventSourceArn" in root or "MaximumRecordAgeInSeconds" in root or "BisectBatchOnFunctionError" in root:
        return [Policy(name, _mapping(root))]
    if "MaximumRetryAttempts" in root or "MaximumEventAgeInSeconds" in root:
        return [Policy(name, _invoke(root))]
    return [Policy(_queue_name(root, name), _queue(root))]


def _queue_name(root: Fields, name: str) -> str:
    own = root.peek("QueueName") or root.peek("QueueArn")
    return own.rpartition(":")[2] if isinstance(own, str) else name


def _queue(queue: Fields) -> dict[str, Any]:
    visible_s = queue.whole("VisibilityTimeout", VISIBILITY_S, 0, 43_200, texts=True)
    retention_s = queue.whole("MessageRetentionPeriod", RETENTION_S, 60, 1_209_600, texts=True)
    queue.whole("DelaySeconds", 0, 0, 900, texts=True)
    queue.lost("DelaySeconds", "it delays the first delivery, not the tries after it")
    queue.whole("ReceiveMessageWaitTimeSeconds", 0, 0, 20, texts=True)
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


def _mapping(mapping: Fields) -> dict[str, Any]:
    retries = mapping.whole("MaximumRetryAttempts", -1, -1, 10_000, texts=True)
    age_s = mapping.whole("MaximumRecordAgeInSeconds", -1, -1, 604_800, texts=True)
    mapping.lost("BisectBatchOnFunctionError", "a batch is one call here, which is not split")
    mapping.note("MaximumRetryAttempts", NO_LAW)
    mapping.rest("it is not about retries")
    return _of_retries(None if retries < 0 else retries, None if age_s < 0 else age_s)


def _invoke(config: Fields) -> dict[str, Any]:
    retries = config.peek("MaximumRetryAttempts")
    is_rule = "FunctionName" not in config and isinstance(retries, int) and retries > 2
    if is_rule:
        return _limits_of_rule(config)
    most = config.whole("MaximumRetryAttempts", 2, 0, 2, texts=True)
    age_s = config.whole(
        "MaximumEventAgeInSeconds", 21_600, 60, 21_600 if "FunctionName" in config else 86_400, texts=True
    )
    config.note("MaximumRetryAttempts", NO_LAW)
    config.ignore("FunctionName", "Qualifier")
    config.rest("it is not about retries")
    return _of_retries(most, age_s)


def _rule(target: Fields) -> dict[str, Any]:
    policy = target.below("RetryPolicy")
    target.ignore("Id", "Arn", "Name")
    target.rest("it is not about retries")
    return _limits_of_rule(policy or Fields(target.reading, target.path, {}))


def _limits_of_rule(policy: Fields) -> dict[str, Any]:
    retries = policy.whole("MaximumRetryAttempts", 185, 0, 185, texts=True)
    age_s = policy.whole("MaximumEventAgeInSeconds", 86_400, 60, 86_400, texts=True)
    policy.note("MaximumRetryAttempts", NO_LAW)
    policy.rest("EventBridge knows no such key of a RetryPolicy")
    return _of_retries(retries, age_s)


def _of_retries(retries: int | None, age_s: int | None) -> dict[str, Any]:
    tree: dict[str, Any] = {"attempts": "unlimited" if retries is None else retries + 1}
    return tree if age_s is None else {**tree, "deadline": {"after": time(age_s * NS_PER_S), "kind": "soft"}}


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as attributes of a queue, or as the retries of an EventBridge rule or of an event source.

    Raises CannotWrite, for a policy without delays with what a rule cannot say.
    """
    wanted = Wanted(policy)
    if {"delay", "redeliver"} & wanted.tree.keys():
        return confirmed(wanted, _queue_text(wanted), read, TITLE, CANNOT)
    try:
        return confirmed(wanted, _rule_text(wanted), read, "EventBridge", CANNOT)
    except CannotWrite as refused:
        for text, title in ((_mapping_text(wanted), "Lambda event source"), (_queue_text(wanted), TITLE)):
            with suppress(CannotWrite):
                return confirmed(wanted, text, read, title, CANNOT)
        raise refused from None


def _rule_text(wanted: Wanted) -> str:
    age_ns = wanted.deadline_ns()
    retries = {} if wanted.attempts is None else {"MaximumRetryAttempts": wanted.attempts - 1}
    if age_ns is not None:
        retries["MaximumEventAgeInSeconds"] = put(WHOLE_SECONDS, ("deadline",), age_ns)
    return json_text({"RetryPolicy": retries})


def _mapping_text(wanted: Wanted) -> str:
    age_ns = wanted.deadline_ns()
    mapping = {
        "EventSourceArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/stream",
        "MaximumRetryAttempts": -1 if wanted.attempts is None else wanted.attempts - 1,
        "MaximumRecordAgeInSeconds": -1 if age_ns is None else put(WHOLE_SECONDS, ("deadline",), age_ns),
    }
    return json_text(mapping)


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
