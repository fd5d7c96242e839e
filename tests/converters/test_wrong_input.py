"""Wrong values: each is refused with its place and the reason; any input gives a result or such a mistake."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.converters.catalogue import FORMATS, guess
from sim.converters.documents import read_document
from sim.converters.writing import CannotWrite
from sim.scenario.mistakes.problems import ScenarioError

GRPC = "{methodConfig: [{name: [{}], retryPolicy: {maxAttempts: %s, initialBackoff: %s, maxBackoff: 1s, \
backoffMultiplier: %s, retryableStatusCodes: %s}}]}"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("grpc", GRPC % ("1", "0.1s", "2", "[UNAVAILABLE]"), "maxAttempts: must be at least 2, got 1"),
        ("grpc", GRPC % ("true", "0.1s", "2", "[UNAVAILABLE]"), "maxAttempts: expected a whole number, got true"),
        ("grpc", GRPC % ("3", "true", "2", "[UNAVAILABLE]"), "initialBackoff: not a duration"),
        ("grpc", GRPC % ("3", "100ms", "2", "[UNAVAILABLE]"), 'initialBackoff: not a duration; write it as "1.5s"'),
        ("grpc", GRPC % ("3", "-1s", "2", "[UNAVAILABLE]"), "initialBackoff: a duration cannot be negative"),
        ("grpc", GRPC % ("3", "0s", "2", "[UNAVAILABLE]"), "initialBackoff: must be more than 0s"),
        ("grpc", GRPC % ("3", "1s", "0", "[UNAVAILABLE]"), "backoffMultiplier: must be more than 0, got 0"),
        ("grpc", GRPC % ("3", "1s", "2", "[]"), "at least one status code must be retried"),
        ("grpc", GRPC % ("3", "1s", "2", "[BROKEN]"), "retryableStatusCodes[0]: not a status code of gRPC"),
        ("grpc", "{methodConfig: [{retryPolicy: {}}]}", "`maxAttempts` is missing"),
        ("grpc", "{methodConfig: [{retryPolicy: {}, hedgingPolicy: {}}]}", "not both"),
        ("grpc", "{retryThrottling: {maxTokens: 1001, tokenRatio: 1}}", "maxTokens: must be at most 1000"),
        ("envoy", "{retry_on: 5xx, num_retries: -1}", "num_retries: must be at least 0"),
        ("envoy", "{retry_on: 5xx, per_try_timeout: 250ms}", "per_try_timeout: not a duration"),
        ("envoy", "{retry_on: 5xx, retry_back_off: {max_interval: 1s}}", "`base_interval` is missing"),
        (
            "envoy",
            "{retry_on: 5xx, retry_back_off: {base_interval: 1s, max_interval: 0.5s}}",
            "max_interval: must not be less than base_interval",
        ),
        ("istio", "{retries: {attempts: 1, perTryTimeout: 100us}}", "perTryTimeout: must be at least 1ms"),
        ("istio", "{retries: {attempts: many}}", "attempts: expected a whole number, got 'many'"),
        ("gateway", "{retry: {codes: [200], attempts: 1}}", "codes[0]: not a status code from 400 to 599"),
        ("gateway", "{retry: {codes: [500], attempts: 0}}", "attempts: must be at least 1"),
        ("gateway", "{retryConstraint: {budget: {interval: 2h}}}", "interval: must be at most 1h"),
        ("aws", "[default]\nretry_mode = standart\n", "did you mean 'standard'?"),
        ("aws", "[default]\nretry_mode = standard\nmax_attempts = 0\n", "file:3:16: default.max_attempts: must be at"),
        ("aws", "[default]\nretry_mode = standard\nmax_attempts = many\n", "expected a whole number, got 'many'"),
        ("polly", "{Retry: {MaxRetryAttempts: 0}}", "MaxRetryAttempts: must be at least 1"),
        ("polly", "{Retry: {Delay: 2s}}", 'Delay: not a duration; write it as "00:00:02"'),
        ("polly", "{Retry: {Delay: '2.00:00:00'}}", "Delay: must be at most 1d"),
        ("polly", "{Retry: {BackoffType: Quadratic}}", "'Quadratic' is not one of Constant, Linear, Exponential"),
        ("polly", "{CircuitBreaker: {FailureRatio: 1.5}}", "FailureRatio: must be at most 1"),
        ("polly", "{CircuitBreaker: {MinimumThroughput: 1}}", "MinimumThroughput: must be at least 2"),
        ("resilience4j", "{resilience4j.retry.instances.a: {max-attempts: 0}}", "max-attempts: must be at least 1"),
        ("resilience4j", "{resilience4j.retry.instances.a.base-config: b}", "there is no configuration 'b'"),
        (
            "resilience4j",
            "{resilience4j.retry: {configs: {a: {base-config: b}, b: {base-config: a}}, instances: {c: {}}}}",
            "is based on itself",
        ),
        ("temporal", "{backoffCoefficient: 0.5}", "backoffCoefficient: must be at least 1"),
        ("temporal", "{initialInterval: 10s, maximumInterval: 1s}", "must not be less than the initial interval"),
        ("step-functions", "{Retry: [{ErrorEquals: [States.ALL, A]}]}", "States.ALL stands alone"),
        ("step-functions", "{Retry: [{ErrorEquals: [States.ALL]}, {ErrorEquals: [A]}]}", "in the last retrier"),
        ("step-functions", "{Retry: [{ErrorEquals: [A], IntervalSeconds: 0}]}", "IntervalSeconds: must be at least 1"),
        ("step-functions", "{Retry: [{ErrorEquals: [A], BackoffRate: 0.9}]}", "BackoffRate: must be at least 1"),
        ("step-functions", "{Retry: [{ErrorEquals: []}]}", "at least one error must be named"),
        ("cloud-tasks", "{maxAttempts: -2, maxDoublings: 1}", "maxAttempts: must be at least -1"),
        ("cloud-tasks", "{minBackoff: 10s, maxBackoff: 1s}", "maxBackoff: must not be less than the least delay"),
        ("sqs", "{VisibilityTimeout: 50000}", "VisibilityTimeout: must be at least 0 and at most 43200"),
        ("sqs", "{RedrivePolicy: 'no json ['}", "RedrivePolicy: not JSON in a text"),
        ("pubsub", "{deadLetterPolicy: {maxDeliveryAttempts: 4}, ackDeadlineSeconds: 10}", "must be at least 5"),
        ("pubsub", "{ackDeadlineSeconds: 5}", "ackDeadlineSeconds: must be at least 10s"),
        ("inngest", "{inngest: {retries: 21}}", "inngest.retries: must be at least 0 and at most 20"),
        ("celery", "{celery: {max_retries: -1}}", "celery.max_retries: must be at least 0"),
        ("sidekiq", "{sidekiq: {retry: often}}", "sidekiq.retry: expected a whole number"),
        ("bullmq", "{bullmq: {attempts: 2, backoff: {type: fixed, delay: 1, jitter: 2}}}", "jitter: must be at most 1"),
        ("urllib3", "{urllib3: {total: true}}", "total: expected a number of retries, null or false"),
        ("urllib3", "{urllib3: {status_forcelist: [5]}}", "not a status code of HTTP"),
        ("tenacity", "{tenacity: {stop: 'stop_after_attempt(3'}}", "not a call such as stop_after_attempt(5)"),
        ("tenacity", "{tenacity: {stop_after_attempt: 0}}", "must be at least 1"),
        ("tenacity", "{tenacity: {wait_random: {min: 5, max: 1}}}", "must not be less than min"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(kind: str, text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        FORMATS[kind].read(read_document(text.encode(), "file"))
    assert said in str(refused.value)
    assert str(refused.value).startswith("file:")


def test_all_mistakes_come_at_once() -> None:
    text = "{maximumAttempts: -1, initialInterval: soon, backoffCoefficient: true}"
    with pytest.raises(ScenarioError) as refused:
        FORMATS["temporal"].read(read_document(text.encode(), "file"))
    assert [problem.path for problem in refused.value.problems] == [
        "maximumAttempts",
        "initialInterval",
        "backoffCoefficient",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{a: 1}", "its keys fit no format"),
        (
            "{maximumAttempts: 3, retries: {mode: standard}}",
            "its keys fit aws and temporal; say which it is with --from",
        ),
        ("[1, 2]", "its keys fit no format"),
        ("word", "its keys fit no format"),
    ],
)
def test_what_fits_none_or_several_formats_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        guess(read_document(text.encode(), "file"))


KEYS = st.sampled_from(
    [
        *(
            "methodConfig",
            "retryPolicy",
            "retry_policy",
            "retry_on",
            "retries",
            "attempts",
            "retry",
            "Retry",
            "backoff",
        ),
        *(
            "resilience4j",
            "instances",
            "configs",
            "activity",
            "States",
            "ErrorEquals",
            "retryConfig",
            "queue",
            "celery",
        ),
        *("RedrivePolicy", "inngest", "functions", "sidekiq", "bullmq", "urllib3", "tenacity", "wait", "stop", "spec"),
        *(
            "http",
            "kind",
            "apiVersion",
            "rules",
            "timeout",
            "maxAttempts",
            "initialInterval",
            "name",
            "route",
            "default",
        ),
        *("MaxRetryAttempts", "Delay", "clusters", "circuit_breakers", "thresholds", "retryThrottling", "RetryPolicy"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1s", "00:00:01", "5xx", "States.ALL", "", "x" * 80, "stop_after_attempt(", "-1"]),
)
TREES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=4)),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=30)
@given(tree=TREES)
def test_any_plain_values_give_policies_or_mistakes(kind: str, tree: Any, read: Any) -> None:
    problems: tuple[Any, ...] = ()
    policies: tuple[Any, ...] = ()
    try:
        policies = read(kind, tree if isinstance(tree, dict | list) else {"a": tree}).policies
    except ScenarioError as error:
        problems = error.problems
    assert bool(policies) != bool(problems)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=10)
@given(tree=st.dictionaries(st.sampled_from(["attempts", "delay", "deadline", "hedge", "budget", "cases"]), TREES))
def test_writing_anything_gives_a_text_or_a_reason(kind: str, tree: Any) -> None:
    text = reason = ""
    try:
        text = FORMATS[kind].write(tree)
    except CannotWrite as refused:
        reason = refused.reason
    assert bool(text) != bool(reason)
