"""Configurations of each format, drawn at random: written from their policies they mean the same again.

What a format can say is what its reader gives, so policies are drawn as configurations, in the format's own words.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.converters.catalogue import FORMATS
from sim.converters.documents import read_document
from sim.converters.formats.envoy_words import CONDITIONS
from sim.converters.formats.grpc import CODES
from sim.converters.same import canonical
from sim.converters.units import GO, PROTO, TIME_SPAN
from sim.converters.writing import CannotWrite

MS = 1_000_000
S = 1000 * MS


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings that have any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def proto(least_ns: int, most_ns: int, step_ns: int = MS) -> st.SearchStrategy[str]:
    return st.integers(least_ns // step_ns, most_ns // step_ns).map(lambda n: PROTO.write(n * step_ns))


def go(least_ns: int, most_ns: int) -> st.SearchStrategy[str]:
    return st.integers(least_ns // MS, most_ns // MS).map(lambda n: GO.write(n * MS))


def span(least_ns: int, most_ns: int) -> st.SearchStrategy[str]:
    return st.integers(least_ns // MS, most_ns // MS).map(lambda n: TIME_SPAN.write(n * MS))


def below(key: str, options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return options.map(lambda value: {key: value})


@st.composite
def ordered(draw: st.DrawFn, make: Any, most_ns: int, step_ns: int = MS) -> tuple[Any, Any]:
    """A least and a most duration."""
    low, high = sorted(draw(st.tuples(*[st.integers(1, most_ns // step_ns)] * 2)))
    return make(low * step_ns), make(high * step_ns)


FACTORS = st.sampled_from([1, 1.5, 2, 2.5, 3, 10])
NAMES = st.sampled_from(["CardDeclined", "Lambda.ServiceException", "IOException", "A", "Http404"])


@st.composite
def grpc(draw: st.DrawFn) -> dict[str, Any]:
    method: dict[str, Any] = {"name": [{"service": "s"}]}
    codes = st.lists(st.sampled_from(CODES[1:]), min_size=1, max_size=5, unique=True)
    kind = draw(st.sampled_from(["retry", "hedge", "none"]))
    if kind == "retry":
        initial, most = draw(ordered(PROTO.write, 100 * S))
        method["retryPolicy"] = {
            "maxAttempts": draw(st.integers(2, 9)),
            "initialBackoff": initial,
            "maxBackoff": most,
            "backoffMultiplier": draw(FACTORS),
            "retryableStatusCodes": draw(codes),
        }
    elif kind == "hedge":
        hedge = some(hedgingDelay=proto(0, S), nonFatalStatusCodes=codes)
        method["hedgingPolicy"] = {"maxAttempts": draw(st.integers(2, 5)), **draw(hedge)}
    if draw(st.booleans()):
        method["timeout"] = draw(proto(2 * S, 100 * S))
    config: dict[str, Any] = {"methodConfig": [method]}
    if kind != "none" and draw(st.booleans()):
        config["retryThrottling"] = {
            "maxTokens": draw(st.integers(1, 1000)),
            "tokenRatio": draw(st.sampled_from([0.1, 1, 0.125])),
        }
    return config


@st.composite
def envoy(draw: st.DrawFn) -> dict[str, Any]:
    words = draw(st.lists(st.sampled_from([*CONDITIONS, "retriable-status-codes"]), max_size=4, unique=True))
    codes = st.lists(st.sampled_from([404, 409, 429, 503]), unique=True)
    policy = draw(some(num_retries=st.integers(0, 9), per_try_timeout=proto(MS, 10 * S), retriable_status_codes=codes))
    policy["retry_on"] = ",".join(words)
    if draw(st.booleans()):
        base, most = draw(ordered(PROTO.write, 10 * S))
        policy["retry_back_off"] = {"base_interval": base, "max_interval": most}
    if draw(st.booleans()):
        policy["rate_limited_retry_back_off"] = {
            "reset_headers": [{"name": "Retry-After"}],
            "max_interval": draw(proto(S, 300 * S)),
        }
    route: dict[str, Any] = {"cluster": "c", "retry_policy": policy, **draw(some(timeout=proto(0, 60 * S)))}
    if draw(st.booleans()):
        route["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    budget = some(budget_percent=below("value", st.integers(1, 100)), min_retry_concurrency=st.integers(0, 9))
    limits = some(max_retries=st.integers(1, 9), retry_budget=budget)
    return {"route": route, "clusters": [{"name": "c", "circuit_breakers": {"thresholds": [draw(limits)]}}]}


@st.composite
def istio(draw: st.DrawFn) -> dict[str, Any]:
    retry_on = st.lists(st.sampled_from([*CONDITIONS, "503", "429"]), min_size=1, max_size=4, unique=True).map(",".join)
    retries = some(attempts=st.integers(-1, 9), perTryTimeout=go(MS, 10 * S), retryOn=retry_on, backoff=go(MS, 10 * S))
    return draw(some(timeout=go(MS, 60 * S))) | {"retries": draw(st.one_of(st.just({}), retries))}


@st.composite
def gateway(draw: st.DrawFn) -> dict[str, Any]:
    codes = st.lists(st.sampled_from([500, 503, 429, 409]), min_size=1, unique=True)
    return draw(
        some(
            retry=some(attempts=st.integers(1, 9), backoff=go(MS, 10 * S), codes=codes),
            timeouts=some(request=go(10 * S, 60 * S), backendRequest=go(MS, 10 * S)),
        )
    )


AWS = some(
    mode=st.sampled_from(["legacy", "standard"]), total_max_attempts=st.integers(1, 20), max_attempts=st.integers(0, 20)
).map(lambda retries: {"retries": retries})

RETRY = some(
    MaxRetryAttempts=st.integers(1, 20),
    Delay=span(0, 60 * S),
    MaxDelay=span(1, 60 * S),
    BackoffType=st.sampled_from(["Constant", "Linear", "Exponential"]),
    UseJitter=st.booleans(),
    ShouldRetryAfterHeader=st.booleans(),
)
BREAKER = some(
    FailureRatio=st.sampled_from([0.05, 0.1, 0.5, 1]),
    MinimumThroughput=st.integers(2, 200),
    SamplingDuration=span(S, 60 * S),
    BreakDuration=span(S, 60 * S),
)
TIMEOUT = some(Timeout=span(10 * MS, 60 * S))
POLLY = st.one_of(
    st.fixed_dictionaries({"Retry": RETRY}, optional={"CircuitBreaker": BREAKER, "Timeout": TIMEOUT}),
    st.fixed_dictionaries(
        {"TotalRequestTimeout": TIMEOUT},
        optional={"Retry": RETRY, "CircuitBreaker": BREAKER, "AttemptTimeout": TIMEOUT},
    ),
    st.fixed_dictionaries(
        {"Hedging": some(MaxHedgedAttempts=st.integers(1, 10), Delay=span(0, 5 * S)), "Endpoint": some(Timeout=TIMEOUT)}
    ),
)

_RETRY_R4J = some(
    **{
        "max-attempts": st.integers(1, 20),
        "wait-duration": go(0, 10 * S),
        "enable-exponential-backoff": st.booleans(),
        "exponential-backoff-multiplier": st.sampled_from([0.5, 1, 1.5, 2, 3.7]),
        "exponential-max-wait-duration": go(MS, 60 * S),
        "enable-randomized-wait": st.booleans(),
        "randomized-wait-factor": st.sampled_from([0, 0.25, 0.5, 0.9]),
        "retry-exceptions": st.lists(NAMES, min_size=1, unique=True),
        "ignore-exceptions": st.lists(NAMES, min_size=1, unique=True),
    }
)
_BREAKER_R4J = some(
    **{
        "failure-rate-threshold": st.integers(1, 100),
        "sliding-window-size": st.integers(1, 200),
        "sliding-window-type": st.sampled_from(["COUNT_BASED", "TIME_BASED"]),
        "minimum-number-of-calls": st.integers(1, 200),
        "wait-duration-in-open-state": go(S, 60 * S),
        "permitted-number-of-calls-in-half-open-state": st.integers(1, 20),
        "slow-call-duration-threshold": go(S, 60 * S),
        "slow-call-rate-threshold": st.integers(1, 100),
    }
)
RESILIENCE4J = st.fixed_dictionaries(
    {"retry": below("instances", below("b", _RETRY_R4J))},
    optional={
        "circuitbreaker": below("instances", below("b", _BREAKER_R4J)),
        "timelimiter": below("instances", below("b", some(**{"timeout-duration": go(MS, 60 * S)}))),
    },
).map(lambda modules: {"resilience4j": modules})


@st.composite
def temporal(draw: st.DrawFn) -> dict[str, Any]:
    initial, most = draw(ordered(PROTO.write, 100 * S))
    names = st.lists(st.one_of(NAMES, st.just("TemporalTimeout:StartToClose")), max_size=3, unique=True)
    policy = some(
        initialInterval=st.just(initial),
        maximumInterval=st.just(PROTO.write(10**13)) if draw(st.booleans()) else st.just("100s"),
        backoffCoefficient=FACTORS,
        maximumAttempts=st.integers(0, 20),
        nonRetryableErrorTypes=names,
    )
    del most
    timeouts = {"startToCloseTimeout": proto(MS, 60 * S), "scheduleToCloseTimeout": proto(MS, 600 * S)}
    return (
        {draw(st.sampled_from(["activity", "workflow"])): draw(some(retryPolicy=policy))}
        if draw(st.booleans())
        else {"activity": draw(some(retryPolicy=policy, **timeouts))}
    )


@st.composite
def step_functions(draw: st.DrawFn) -> dict[str, Any]:
    retrier = some(
        IntervalSeconds=st.integers(1, 100),
        MaxAttempts=st.integers(0, 20),
        BackoffRate=FACTORS,
        MaxDelaySeconds=st.integers(1, 1000),
        JitterStrategy=st.sampled_from(["NONE", "FULL"]),
    )
    names = draw(st.lists(st.one_of(NAMES, st.just("States.Timeout")), max_size=3, unique=True))
    retriers = [{"ErrorEquals": [name], **draw(retrier)} for name in names]
    if draw(st.booleans()):
        retriers.append({"ErrorEquals": [draw(st.sampled_from(["States.ALL", "States.TaskFailed"]))], **draw(retrier)})
    return {"Type": "Task", "Retry": retriers, **draw(some(TimeoutSeconds=st.integers(1, 100)))}


@st.composite
def cloud_tasks(draw: st.DrawFn) -> dict[str, Any]:
    least, most = draw(ordered(PROTO.write, 3600 * S, S))
    retries = some(
        maxAttempts=st.integers(-1, 100), maxRetryDuration=proto(0, 3600 * S, S), maxDoublings=st.integers(0, 16)
    )
    limits = some(
        maxDispatchesPerSecond=st.integers(1, 500),
        maxBurstSize=st.integers(1, 100),
        maxConcurrentDispatches=st.integers(1, 1000),
    )
    bounds = {"minBackoff": least, "maxBackoff": most} if draw(st.booleans()) else {}
    return {"retryConfig": {**draw(retries), **bounds}, **draw(some(rateLimits=limits))}


QUEUES = some(
    retry_parameters=some(
        task_retry_limit=st.integers(0, 20),
        task_age_limit=st.sampled_from(["1d", "2h", "90s", "0.5s"]),
        min_backoff_seconds=st.sampled_from([0.1, 0.25, 2]),
        max_backoff_seconds=st.sampled_from([2.5, 10, 3600]),
        max_doublings=st.integers(0, 16),
    ),
    rate=st.sampled_from(["1/s", "30/m", "7/h", "2/d"]),
    bucket_size=st.integers(1, 100),
).map(lambda queue: {"queue": [{"name": "q", "rate": "5/s", **queue}]})

SQS = st.one_of(
    some(
        VisibilityTimeout=st.integers(0, 43_200).map(str),
        MessageRetentionPeriod=st.integers(60, 1_209_600),
        RedrivePolicy=some(maxReceiveCount=st.integers(1, 1000)),
    ).map(lambda attributes: {"Attributes": attributes}),
    below(
        "RetryPolicy", some(MaximumRetryAttempts=st.integers(0, 185), MaximumEventAgeInSeconds=st.integers(60, 86_400))
    ),
    some(MaximumRetryAttempts=st.integers(-1, 100), MaximumRecordAgeInSeconds=st.sampled_from([-1, 60, 604_800])).map(
        lambda mapping: {"EventSourceArn": "a", **mapping}
    ),
)


@st.composite
def pubsub(draw: st.DrawFn) -> dict[str, Any]:
    least, most = draw(ordered(PROTO.write, 600 * S))
    return {"name": "s"} | draw(
        some(
            retryPolicy=st.just({"minimumBackoff": least, "maximumBackoff": most}),
            ackDeadlineSeconds=st.integers(10, 600),
            deadLetterPolicy=some(maxDeliveryAttempts=st.integers(5, 100)),
            messageRetentionDuration=proto(S, 10**6 * S),
        )
    )


INNGEST = below("inngest", some(retries=st.integers(0, 20)))
CELERY = below(
    "celery",
    some(
        max_retries=st.one_of(st.none(), st.integers(0, 20)),
        default_retry_delay=st.sampled_from([0, 0.5, 30, 180]),
        autoretry_for=st.lists(st.one_of(NAMES, st.sampled_from(["Exception", "TimeoutError"])), max_size=3),
        dont_autoretry_for=st.lists(NAMES, max_size=2),
        retry_backoff=st.one_of(st.booleans(), st.sampled_from([0, 0.5, 1, 2.7, 10])),
        retry_backoff_max=st.integers(1, 1000),
        retry_jitter=st.booleans(),
        acks_late=st.booleans(),
        visibility_timeout=st.integers(1, 10_000),
    ),
)
SIDEKIQ = below(
    "sidekiq",
    some(
        retry=st.one_of(st.booleans(), st.integers(0, 50)),
        retry_for=st.integers(1, 10**6),
        average_scheduled_poll_interval=st.integers(1, 60),
    ),
)
BULLMQ = below(
    "bullmq",
    some(
        attempts=st.integers(0, 20),
        backoff=st.one_of(
            st.integers(0, 10_000),
            some(
                type=st.sampled_from(["fixed", "exponential"]),
                delay=st.integers(1, 10_000),
                jitter=st.sampled_from([0, 0.5, 1]),
            ),
        ),
    ),
)
URLLIB3 = below(
    "urllib3",
    some(
        total=st.one_of(st.just(False), st.integers(0, 20)),  # noqa: FBT003  # what urllib3 takes
        backoff_factor=st.sampled_from([0, 0.1, 1.5]),
        backoff_jitter=st.sampled_from([0, 0.5]),
        backoff_max=st.integers(1, 200),
        status_forcelist=st.lists(st.sampled_from([409, 429, 500, 503]), unique=True),
        respect_retry_after_header=st.booleans(),
        retry_after_max=st.integers(1, 10_000),
    ),
)
_EXPONENTIAL = {
    "multiplier": st.sampled_from([0.5, 1, 2]),
    "max": st.sampled_from([0.5, 10, 60]),
    "exp_base": FACTORS,
    "min": st.sampled_from([0, 0.1, 20]),
}
TENACITY = st.tuples(
    some(stop_after_attempt=st.integers(1, 20), stop_after_delay=st.integers(1, 600)),
    st.one_of(
        st.just({}),
        below("wait_fixed", st.sampled_from([0, 0.5, 3])),
        below("wait_random", some(min=st.sampled_from([0, 0.5]), max=st.sampled_from([1, 2.5]))),
        below("wait_incrementing", some(start=st.integers(0, 9), increment=st.integers(0, 9), max=st.integers(1, 90))),
        below("wait_exponential", some(**_EXPONENTIAL)),
        below("wait_random_exponential", some(**_EXPONENTIAL)),
        below("wait_exponential_jitter", some(**_EXPONENTIAL, jitter=st.sampled_from([0, 1, 2.5]))),
    ),
    some(retry_if_exception_type=st.lists(NAMES, min_size=1, unique=True)),
).map(lambda parts: {"tenacity": {key: value for part in parts for key, value in part.items()}})

CONFIGS: dict[str, list[st.SearchStrategy[Any]]] = {
    "grpc": [grpc()],
    "envoy": [envoy()],
    "istio": [istio()],
    "gateway": [gateway()],
    "aws": [AWS],
    "polly": [POLLY],
    "resilience4j": [RESILIENCE4J],
    "temporal": [temporal()],
    "step-functions": [step_functions()],
    "cloud-tasks": [cloud_tasks(), QUEUES],
    "sqs": [SQS],
    "pubsub": [pubsub()],
    "inngest": [INNGEST],
    "celery": [CELERY],
    "sidekiq": [SIDEKIQ],
    "bullmq": [BULLMQ],
    "urllib3": [URLLIB3],
    "tenacity": [TENACITY],
}


def trees(kind: str, text: str) -> list[dict[str, Any]]:
    return [canonical(policy.tree) for policy in FORMATS[kind].read(read_document(text.encode(), "back")).policies]


def test_every_format_has_its_strategy() -> None:
    assert CONFIGS.keys() == FORMATS.keys()


@pytest.mark.parametrize(
    ("kind", "configs"),
    [(kind, one) for kind, several in CONFIGS.items() for one in several],
    ids=lambda value: value if isinstance(value, str) else "",
)
@settings(max_examples=15)
@given(data=st.data())
def test_what_is_written_of_a_configuration_means_the_same(
    kind: str, configs: st.SearchStrategy[Any], data: st.DataObject, read: Any
) -> None:
    (policy,) = read(kind, data.draw(configs)).policies
    text = FORMATS[kind].write(policy.tree)
    assert trees(kind, text) == [canonical(policy.tree)]
    assert FORMATS[kind].write(trees(kind, text)[0]) == text


DURATIONS = st.sampled_from(["1ms", "100ms", "500ms", "1s", "2s", "1m", "1h"])
POLICIES = some(
    attempts=st.one_of(st.integers(1, 30), st.just("unlimited")),
    delay=st.one_of(
        below("constant", DURATIONS),
        below("linear", st.fixed_dictionaries({"initial": DURATIONS, "step": DURATIONS})),
        below(
            "exponential",
            st.fixed_dictionaries(
                {"initial": DURATIONS},
                optional={
                    "factor": FACTORS,
                    "cap": DURATIONS,
                    "jitter": st.sampled_from(["full", "equal", {"spread": 0.2}, {"plus": "1s"}]),
                    "first": st.just("0s"),
                },
            ),
        ),
        below("table", st.lists(DURATIONS, min_size=1, max_size=3)),
    ),
    timeout=DURATIONS,
    deadline=st.one_of(DURATIONS, st.builds(lambda after: {"after": after, "kind": "soft"}, DURATIONS)),
    retry_on=st.lists(
        st.sampled_from(["failed", "rejected", "conflict", "timed_out", "failed.unavailable", "failed.503"]),
        min_size=1,
        unique=True,
    ),
    retry_after=st.sampled_from([{"obey": True}, {"obey": True, "resets": True}]),
)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=10)
@given(policy=POLICIES)
def test_any_policy_is_written_as_itself_or_refused(kind: str, policy: Mapping[str, Any]) -> None:
    with suppress(CannotWrite):
        text = FORMATS[kind].write(policy)
        assert trees(kind, text) == [canonical(policy)]
