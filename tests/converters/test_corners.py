"""Corners of the formats, one claim each: defaults that are not written, what is ignored, what is counted how."""

from typing import Any

import pytest

from sim.converters.catalogue import FORMATS
from sim.converters.writing import CannotWrite

GRPC_RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def grpc(retry: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"methodConfig": [{"name": [{}], "retryPolicy": {**GRPC_RETRY, **retry}}], **more}


def only(converted: Any) -> dict[str, Any]:
    (policy,) = converted.policies
    return policy.tree


def told(converted: Any) -> list[str]:
    return [f"{loss.field}: {loss.why}" for loss in converted.losses]


def r4j(**properties: Any) -> dict[str, Any]:
    return {
        "resilience4j": {"retry": {"instances": {"backend": {k.replace("_", "-"): v for k, v in properties.items()}}}}
    }


# What the keys of a policy are, by format.

CASES: dict[str, tuple[str, Any, str, Any]] = {
    "grpc: above five tries is five": ("grpc", grpc({"maxAttempts": 9}), "attempts", 5),
    "grpc: codes as numbers and in any case": (
        "grpc",
        grpc({"retryableStatusCodes": [14, "aborted", "Resource_Exhausted", 4]}),
        "retry_on",
        ["failed.unavailable", "conflict", "rejected", "timed_out"],
    ),
    "grpc: a multiplier below one is legal": (
        "grpc",
        grpc({"backoffMultiplier": 0.5}),
        "delay",
        {"exponential": {"initial": "100ms", "factor": 0.5, "cap": "1s", "jitter": {"spread": 0.2}}},
    ),
    "grpc: digits of the ratio after the third are ignored": (
        "grpc",
        grpc({}, retryThrottling={"maxTokens": 10, "tokenRatio": 0.1239}),
        "budget",
        {"tokens": {"capacity": 10, "cost": 1, "on_success": 0.123, "allows": "above_half", "charges": "on_failure"}},
    ),
    "grpc: without a delay all copies go at once": (
        "grpc",
        {"methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 4}}]},
        "hedge",
        {"after": "0s", "at_most": 3, "cancels": True, "at_failure": "next"},
    ),
    "envoy: one retry unless stated": ("envoy", {"retry_on": "5xx"}, "attempts", 2),
    "envoy: the route timeout is 15 s unless stated": ("envoy", {"retry_on": "5xx"}, "deadline", "15s"),
    "envoy: 250 ms are ten times the base": (
        "envoy",
        {"retry_on": "5xx", "retry_back_off": {"base_interval": "0.1s"}},
        "delay",
        {"formula": "floor(u * min(cap, base * 2 ** (n - 1)))", "base": "100ms", "cap": "1s"},
    ),
    "envoy: below 1 ms is 1 ms": (
        "envoy",
        {"retry_on": "5xx", "retry_back_off": {"base_interval": "0.0001s", "max_interval": "0.01s"}},
        "delay",
        {"formula": "floor(u * min(cap, base * 2 ** (n - 1)))", "base": "1ms", "cap": "10ms"},
    ),
    "envoy: three parallel retries unless stated": (
        "envoy",
        {"retryOn": "5xx"},
        "budget",
        {"active": {"share": 0, "at_least": 3, "sleeping": True}},
    ),
    "envoy: a budget without numbers is 20 % and 3": (
        "envoy",
        {
            "route": {"cluster": "c", "retry_policy": {"retry_on": "5xx"}},
            "clusters": [{"name": "c", "circuit_breakers": {"thresholds": [{"retry_budget": {}}]}}],
        },
        "budget",
        {"active": {"share": 0.2, "at_least": 3, "sleeping": True, "round": "down"}},
    ),
    "istio: no block of retries": ("istio", {"timeout": "5s", "retries": None, "name": "r"}, "attempts", 3),
    "istio: 0 attempts": ("istio", {"retries": {"attempts": 0, "retryOn": "5xx"}}, "attempts", None),
    "istio: less than 0 attempts": ("istio", {"retries": {"attempts": -1, "retryOn": "5xx"}}, "attempts", None),
    "istio: the cap is ten times the backoff": (
        "istio",
        {"retries": {"attempts": 1, "backoff": "100ms"}},
        "delay",
        {"formula": "floor(u * min(cap, base * 2 ** (n - 1)))", "base": "100ms", "cap": "1s"},
    ),
    "istio: numbers of retryOn are statuses": (
        "istio",
        {"retries": {"attempts": 1, "retryOn": "connect-failure,503,429"}},
        "retry_on",
        ["failed.connect-failure", "failed.503", "rejected"],
    ),
    "istio: no budget unless a rule states one": ("istio", {"retries": {"attempts": 2}}, "budget", None),
    "gateway: numbers of the budget": (
        "gateway",
        {"kind": "XBackendTrafficPolicy", "spec": {"retryConstraint": {}}},
        "budget",
        {"window": {"share": 0.2, "of": "10s", "at_least": "10/s"}},
    ),
    "aws: the mode is standard unless stated": ("aws", "[default]\nmax_attempts = 7\n", "attempts", 7),
    "aws: three tries in standard mode": ("aws", {"AWS_RETRY_MODE": "standard"}, "attempts", 3),
    "aws: five tries in legacy mode": ("aws", "AWS_RETRY_MODE=legacy\n", "attempts", 5),
    "aws: legacy has no quota": ("aws", "export AWS_RETRY_MODE=legacy\n", "budget", None),
    "aws: a client counts retries": ("aws", {"retries": {"max_attempts": 4}}, "attempts", 5),
    "aws: total_max_attempts counts tries": (
        "aws",
        {"retries": {"mode": "standard", "max_attempts": 9, "total_max_attempts": 4}},
        "attempts",
        4,
    ),
    "polly: constant 2 s and three retries": ("polly", {"Retry": {}}, "delay", {"constant": "2s"}),
    "polly: retries are counted": ("polly", {"Retry": {"MaxRetryAttempts": 5}}, "attempts", 6),
    "polly: the handler has ten seconds a try": ("polly", {"TotalRequestTimeout": {}}, "timeout", "10s"),
    "polly: the handler has thirty seconds in all": ("polly", {"AttemptTimeout": {}}, "deadline", "30s"),
    "polly: constant delays have 25 % of jitter": (
        "polly",
        {"Retry": {"UseJitter": True, "MaxDelay": "00:00:01"}},
        "delay",
        {"constant": {"delay": "2s", "cap": "1s", "jitter": {"spread": 0.25}, "cap_applies": "after"}},
    ),
    "polly: a delay of 0 stays 0": ("polly", {"Retry": {"Delay": "00:00:00", "UseJitter": True}}, "delay", None),
    "polly: a negative delay of a hedge waits for a failure": (
        "polly",
        {"Hedging": {"Delay": "-00:00:01"}},
        "hedge",
        {"after": "never", "at_most": 1, "cancels": True, "at_failure": "next"},
    ),
    "polly: a day and hours": ("polly", {"Timeout": {"Timeout": "1.00:00:00"}}, "timeout", "1d"),
    "resilience4j: three tries, 500 ms": ("resilience4j", r4j(), "delay", {"constant": "500ms"}),
    "resilience4j: without a wait the rest is ignored": (
        "resilience4j",
        r4j(enable_exponential_backoff=True, exponential_backoff_multiplier=3),
        "delay",
        {"constant": "500ms"},
    ),
    "resilience4j: the multiplier is 1.5": (
        "resilience4j",
        r4j(wait_duration="500ms", enable_exponential_backoff=True),
        "delay",
        {
            "let": {"x": "max(initial, floor(last_x * factor))"},
            "formula": "x",
            "start": {"x": 0},
            "initial": "500ms",
            "factor": 1.5,
        },
    ),
    "resilience4j: the cap needs the multiplier": (
        "resilience4j",
        r4j(wait_duration="1s", enable_exponential_backoff=True, exponential_max_wait_duration="2s"),
        "delay",
        {
            "let": {"x": "max(initial, floor(last_x * factor))"},
            "formula": "x",
            "start": {"x": 0},
            "initial": "1s",
            "factor": 1.5,
        },
    ),
    "resilience4j: a number is milliseconds": ("resilience4j", r4j(wait_duration=250), "delay", {"constant": "250ms"}),
    "resilience4j: ISO durations": ("resilience4j", r4j(wait_duration="PT1M0.5S"), "delay", {"constant": "1m0.5s"}),
    "resilience4j: an open breaker is retried": (
        "resilience4j",
        r4j(),
        "retry_on",
        ["failed", "rejected", "conflict", "timed_out", "refused"],
    ),
    "resilience4j: a window bounds its minimum": (
        "resilience4j",
        {"resilience4j.circuitbreaker.instances.b.slidingWindowSize": 10},
        "breaker",
        {
            "window": {"calls": 10},
            "opens_at": 0.5,
            "at_least": 10,
            "open": "1m",
            "half_open": {"calls": 10, "closes_at": 0.5},
            "slow": {"over": "1m", "opens_at": 1.0},
        },
    ),
    "temporal: an activity without a policy has the default": (
        "temporal",
        {"activity": {"startToCloseTimeout": "10s"}},
        "attempts",
        "unlimited",
    ),
    "temporal: a workflow without a policy has none": ("temporal", {"workflows": {"w": None}}, "attempts", None),
    "temporal: a workflow's policy is filled": (
        "temporal",
        {"workflow": {"retryPolicy": {"initialInterval": "2s"}}},
        "delay",
        {"exponential": {"initial": "2s", "factor": 2, "cap": "3m20s"}},
    ),
    "temporal: 0 attempts are unlimited": ("temporal", {"maximumAttempts": 0}, "attempts", "unlimited"),
    "temporal: 1 attempt is none more": ("temporal", {"maximum_attempts": 1}, "attempts", 1),
    "temporal: the next delay is capped": (
        "temporal",
        {"initial_interval": "1s", "maximum_interval": "30s"},
        "retry_after",
        {"obey": True, "at_most": "30s", "above": "cap"},
    ),
    "temporal: a type that is not retried has one try": (
        "temporal",
        {"maximumAttempts": 5, "nonRetryableErrorTypes": ["CardDeclined"]},
        "cases",
        [{"on": ["failed.card-declined"], "attempts": 1}],
    ),
    "temporal: timeouts of a try may end it": (
        "temporal",
        {"maximumAttempts": 5, "nonRetryableErrorTypes": ["TemporalTimeout:StartToClose"]},
        "retry_on",
        ["failed", "rejected", "conflict"],
    ),
    "asl: three retries, 1 s, doubled": (
        "step-functions",
        {"Retry": [{"ErrorEquals": ["States.ALL"]}]},
        "delay",
        {"exponential": {"initial": "1s", "factor": 2}},
    ),
    "asl: retries are counted": ("step-functions", [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}], "attempts", 1),
    "asl: each retrier counts for itself": (
        "step-functions",
        [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["States.Timeout"], "JitterStrategy": "FULL"}],
        "cases",
        [
            {
                "on": ["failed.a"],
                "delay": {"exponential": {"initial": "1s", "factor": 2}},
                "attempts": 2,
                "counter": "own",
            },
            {
                "on": ["timed_out"],
                "delay": {"exponential": {"initial": "1s", "factor": 2, "jitter": "full"}},
                "attempts": 4,
                "counter": "own",
            },
        ],
    ),
    "cloud tasks: the API counts tries": ("cloud-tasks", {"maxAttempts": 5, "minBackoff": "1s"}, "attempts", 5),
    "cloud tasks: the yaml counts retries": ("cloud-tasks", {"task_retry_limit": 5}, "attempts", 6),
    "cloud tasks: -1 is unlimited": ("cloud-tasks", {"maxAttempts": -1, "maxDoublings": 3}, "attempts", "unlimited"),
    "cloud tasks: both limits must be passed": (
        "cloud-tasks",
        {"maxAttempts": 5, "maxRetryDuration": "60s"},
        "limits",
        "all",
    ),
    "cloud tasks: one limit alone stops it": ("cloud-tasks", {"maxAttempts": 5, "maxDoublings": 3}, "limits", None),
    "cloud tasks: the API cuts to whole seconds": (
        "cloud-tasks",
        {"maxAttempts": 5, "minBackoff": "1.9s"},
        "delay",
        {
            "let": {"e": "min(n - 1, doublings)"},
            "formula": "min(cap, base * 2 ** e * max(1, n - e))",
            "base": "1s",
            "cap": "1h",
            "doublings": 16,
        },
    ),
    "sqs: without a redrive policy messages come until they expire": (
        "sqs",
        {"VisibilityTimeout": 30},
        "attempts",
        "unlimited",
    ),
    "sqs: they expire after four days": ("sqs", {"VisibilityTimeout": 30}, "deadline", {"after": "4d", "kind": "soft"}),
    "sqs: the timeout counts from the delivery": ("sqs", {"VisibilityTimeout": "30"}, "delay_from", "start"),
    "sqs: ten receives unless stated": ("sqs", {"RedrivePolicy": {"deadLetterTargetArn": "a"}}, "attempts", 10),
    "sqs: JSON in a text": ("sqs", {"RedrivePolicy": '{"maxReceiveCount":"3"}'}, "attempts", 3),
    "sqs: a visibility of 0 tries again at once": ("sqs", {"VisibilityTimeout": 0}, "redeliver", None),
    "eventbridge: whichever is first": (
        "sqs",
        {"RetryPolicy": {"MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 3600}},
        "attempts",
        5,
    ),
    "lambda: streams are retried without end": (
        "sqs",
        {"EventSourceArn": "a", "MaximumRetryAttempts": -1},
        "attempts",
        "unlimited",
    ),
    "lambda: asynchronous calls have two retries": (
        "sqs",
        {"FunctionName": "f", "MaximumEventAgeInSeconds": 60},
        "attempts",
        3,
    ),
    "pubsub: without a policy at once": ("pubsub", {"ackDeadlineSeconds": 10}, "delay", None),
    "pubsub: bounds unless stated": (
        "pubsub",
        {"retryPolicy": {"minimumBackoff": "1s"}},
        "delay",
        {"exponential": {"initial": "1s", "factor": 2, "cap": "10m"}},
    ),
    "pubsub: five deliveries unless stated": ("pubsub", {"deadLetterPolicy": {"deadLetterTopic": "t"}}, "attempts", 5),
    "inngest: four retries": ("inngest", {"inngest": {"id": "f"}}, "attempts", 5),
    "inngest: none": ("inngest", {"inngest": {"retries": 0}}, "attempts", None),
    "celery: half a factor is 1": (
        "celery",
        {"celery": {"autoretry_for": ["Exception"], "retry_backoff": 0.5, "retry_jitter": False}},
        "delay",
        {"exponential": {"initial": "1s", "factor": 2, "cap": "10m"}},
    ),
    "celery: true is 1, with jitter": (
        "celery",
        {"celery": {"autoretry_for": ["Exception"], "retry_backoff": True}},
        "delay",
        {
            "formula": "floor(u * (min(cap, initial * 2 ** (n - 1)) + 1s), 1s)",
            "initial": "1s",
            "cap": "10m",
        },
    ),
    "celery: none is for ever": ("celery", {"celery": {"max_retries": None}}, "attempts", "unlimited"),
    "celery: 180 s": ("celery", {"celery": {"max_retries": 1}}, "delay", {"constant": "3m"}),
    "sidekiq: 25 retries": ("sidekiq", {"sidekiq": {"retry": True}}, "attempts", 26),
    "sidekiq: max_retries": ("sidekiq", {":max_retries": 3, ":concurrency": 5}, "attempts", 4),
    "sidekiq: false is none": ("sidekiq", {"sidekiq": {"retry": False}}, "attempts", None),
    "sidekiq: 0 is none": ("sidekiq", {"sidekiq": {"retry": 0}}, "attempts", None),
    "sidekiq: a time replaces the count": (
        "sidekiq",
        {"sidekiq": {"retry_for": 3600}},
        "deadline",
        {"after": "1h", "kind": "after_attempt", "from": "first_failure"},
    ),
    "bullmq: no retry unless stated": ("bullmq", {"bullmq": {"backoff": 100}}, "attempts", None),
    "bullmq: a number is fixed ms": (
        "bullmq",
        {"bullmq": {"attempts": 2, "backoff": 100}},
        "delay",
        {"constant": "100ms"},
    ),
    "urllib3: ten retries": ("urllib3", {"urllib3": {"backoff_factor": 0}}, "attempts", 11),
    "urllib3: false is none": ("urllib3", {"urllib3": {"total": False}}, "attempts", None),
    "urllib3: the first delay is 0": (
        "urllib3",
        {"urllib3": {"total": 3, "backoff_factor": 0.5}},
        "delay",
        {"exponential": {"initial": "500ms", "factor": 2, "cap": "2m", "first": "0s"}},
    ),
    "urllib3: the header can be ignored": (
        "urllib3",
        {"urllib3": {"respect_retry_after_header": False}},
        "retry_after",
        None,
    ),
    "tenacity: for ever, no wait": ("tenacity", {"tenacity": {}}, "attempts", "unlimited"),
    "tenacity: the least delay rules": (
        "tenacity",
        {"tenacity": {"wait": "wait_exponential(min=5, max=3)"}},
        "delay",
        {"exponential": {"initial": "1s", "factor": 2, "cap": "3s", "at_least": "5s"}},
    ),
    "tenacity: stop_after_delay is tested after a try": (
        "tenacity",
        {"tenacity": {"stop": {"stop_after_delay": 30}}},
        "deadline",
        {"after": "30s", "kind": "after_attempt", "from": "first_call"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_corner(name: str, read: Any) -> None:
    kind, config, key, value = CASES[name]
    tree = only(read(kind, config))
    assert tree.get(key) == value


def test_envoy_without_conditions_makes_no_retry_and_says_so(read: Any) -> None:
    converted = read("envoy", {"route": {"cluster": "c", "retry_policy": {"num_retries": 5}}})
    assert only(converted) == {"deadline": "15s"}
    assert told(converted) == ["route.retry_policy: without conditions Envoy makes no retry, whatever else is stated"]


def test_envoy_hedges_instead_of_timing_out(read: Any) -> None:
    policy = {"retry_on": "5xx", "num_retries": 2, "per_try_timeout": "1s"}
    route = {"cluster": "c", "hedge_policy": {"hedge_on_per_try_timeout": True}, "retry_policy": policy}
    tree = only(read("envoy", {"route": route}))
    assert tree["hedge"] == {"after": "1s", "at_most": 2, "cancels": True, "at_failure": "delay"}
    assert "timeout" not in tree


def test_envoy_sends_no_copy_behind_the_timeout_of_the_route(read: Any) -> None:
    policy = {"retry_on": "5xx", "per_try_timeout": "5s"}
    route = {"timeout": "2s", "hedge_policy": {"hedge_on_per_try_timeout": True}, "retry_policy": policy}
    assert "hedge" not in only(read("envoy", {"route": route}))


def test_istio_without_attempts_turns_retries_off_and_says_so(read: Any) -> None:
    converted = read("istio", {"retries": {"perTryTimeout": "2s"}})
    assert only(converted) == {"timeout": "2s"}
    assert told(converted) == ["retries: a block without `attempts` turns retries off"]


def test_all_methods_of_grpc_share_the_throttle_which_is_told(read: Any) -> None:
    config = grpc({}, retryThrottling={"maxTokens": 10, "tokenRatio": 0.5})
    config["methodConfig"].append({"name": [{"service": "s"}], "retryPolicy": GRPC_RETRY})
    converted = read("grpc", config)
    assert [policy.name for policy in converted.policies] == ["default", "s"]
    assert told(converted) == ["retryThrottling: its tokens are shared by all methods; here each method has its own"]


def test_resilience4j_says_what_it_ignores(read: Any) -> None:
    converted = read("resilience4j", r4j(enable_exponential_backoff=True, randomized_wait_factor=0.2))
    prefix = "resilience4j.retry.instances.backend"
    assert told(converted) == [
        f"{prefix}.enable-exponential-backoff: resilience4j ignores it, since there is no wait-duration beside it",
        f"{prefix}.randomized-wait-factor: resilience4j ignores it, since there is no wait-duration beside it",
    ]


def test_resilience4j_inherits_flags_but_no_wait_beside_its_own(read: Any) -> None:
    config = {
        "resilience4j.retry": {
            "configs": {"default": {"waitDuration": "1s", "enable_exponential_backoff": True, "max-attempts": 7}},
            "instances": {"own": {"wait-duration": "2s", "exponentialBackoffMultiplier": 2}, "none": {}},
        }
    }
    own, inherited = (policy.tree for policy in read("resilience4j", config).policies)
    assert own["delay"] == {"exponential": {"initial": "2s", "factor": 2}}
    assert inherited["delay"]["initial"] == "1s"
    assert [own["attempts"], inherited["attempts"]] == [7, 7]


def test_two_spellings_of_one_property_are_a_mistake(read: Any) -> None:
    with pytest.raises(Exception, match="the same field as 'max-attempts'"):
        read("resilience4j", r4j(max_attempts=3, maxAttempts=4))


def test_celery_without_autoretry_ignores_its_backoff_and_says_so(read: Any) -> None:
    converted = read("celery", {"celery": {"retry_backoff": True}})
    assert only(converted)["delay"] == {"constant": "3m"}
    assert "celery.retry_backoff: Celery ignores it without autoretry_for" in told(converted)


def test_tenacity_reads_calls_as_they_stand_in_code(read: Any) -> None:
    code = {
        "stop": "tenacity.stop_after_attempt(5) | tenacity.stop_after_delay(60)",
        "wait": "wait_random_exponential(multiplier=0.5, max=10)",
        "retry": "retry_if_exception_type((ValueError, TimeoutError))",
    }
    assert only(read("tenacity", {"tenacity": code})) == {
        "attempts": 5,
        "delay": {"exponential": {"initial": "500ms", "factor": 2, "cap": "10s", "jitter": "full"}},
        "deadline": {"after": "1m", "kind": "after_attempt", "from": "first_call"},
        "retry_on": ["failed.value-error", "timed_out"],
    }


def test_a_retrier_of_asl_may_match_what_one_before_it_does_not(read: Any) -> None:
    retriers = [{"ErrorEquals": ["Lambda.ServiceException"]}, {"ErrorEquals": ["States.ALL"]}]
    tree = only(read("step-functions", retriers))
    assert [case["on"][0] for case in tree["cases"]] == ["failed.lambda.service-exception", "failed"]
    assert set(tree["retry_on"]) == {"failed.lambda.service-exception", "failed", "rejected", "conflict", "timed_out"}


# Policies that cannot be written.

EXPONENTIAL = {"exponential": {"initial": "100ms", "factor": 2, "cap": "1s"}}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "grpc: nine tries": ("grpc", {"attempts": 9, "delay": EXPONENTIAL}, "attempts: a gRPC client makes 2 to 5 tries"),
    "grpc: full jitter": (
        "grpc",
        {
            "attempts": 3,
            "delay": {"exponential": {**EXPONENTIAL["exponential"], "jitter": "full"}},
            "retry_on": ["rejected"],
        },
        "delay.exponential.jitter: the jitter of gRPC is 20 %",
    ),
    "temporal: jitter": (
        "temporal",
        {"attempts": 3, "delay": {"exponential": {"initial": "1s", "cap": "9s", "jitter": "equal"}}},
        "delay.exponential.jitter: Temporal has one law",
    ),
    "temporal: a breaker": (
        "temporal",
        {"attempts": 3, "delay": EXPONENTIAL, "breaker": {"window": {"calls": 10}}},
        "Temporal has no circuit breaker",
    ),
    "asl: less than a second": (
        "step-functions",
        {"attempts": 3, "delay": EXPONENTIAL},
        "delay: only whole seconds can be written",
    ),
    "envoy: no budget": (
        "envoy",
        {"attempts": 3, "delay": {"constant": "1s"}},
        "delay",
    ),
    "inngest: a delay": ("inngest", {"attempts": 3, "delay": {"constant": "1s"}}, "delay"),
    "sidekiq: a hedge": ("sidekiq", {"attempts": 3, "hedge": {"after": "1s"}}, "hedge: Sidekiq cannot say"),
    "aws: a timeout": ("aws", {"attempts": 3, "timeout": "1s"}, "timeout: an AWS config has `retry_mode`"),
    "polly: a table": ("polly", {"attempts": 3, "delay": {"table": ["1s", "2s"]}}, "delay: Polly has constant"),
    "urllib3: all failures": ("urllib3", {"attempts": 3}, "retry_on: urllib3 always retries failed.connection"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused_with_its_first_key_and_the_reason(name: str) -> None:
    kind, policy, said = REFUSED[name]
    with pytest.raises(CannotWrite) as refused:
        FORMATS[kind].write(policy)
    assert said in str(refused.value)
