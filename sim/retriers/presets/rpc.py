"""Calls between services: gRPC, Envoy and what is built on it, and the retry budgets of Finagle and its heirs."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_A6: Final = "grpc/proposal A6-client-retries.md; grpc-go stream.go; grpc-java RetriableStream.java"
_A6_VERSION: Final = "grpc-go 4793ad04"
_THROTTLE: Final = {
    "tokens": {"capacity": 10, "cost": 1, "on_success": 0.1, "allows": "above_half", "charges": "on_failure"}
}
_PUSHBACK: Final = {"obey": True, "resets": True}
_FINAGLE: Final[dict[str, Any]] = {"share": 0.2, "of": "10s", "at_least": "10/s", "round": "down", "slots": 10}
_TOWER: Final = {"window": {**_FINAGLE, "slot_rule": "tower"}}
_ENVOY: Final = "source/common/router/retry_state_impl.cc, source/common/common/backoff_strategy.cc"
_ENVOY_DELAY: Final = {
    "exponential": {"initial": "25ms", "factor": 2, "cap": "250ms", "jitter": "full", "floor": "1ms"}
}
_ENVOY_LAW: Final = "whole ms from 0 to below min(25 ms * 2^(n-1), 250 ms)"
_RETRY_ON: Final = (
    "No route is retried before `retry_on` is set; failures and rejections stand for its codes and resets."
)

PRESETS: Final = (
    Preset(
        name="grpc-retry",
        policy={
            "attempts": 4,
            "delay": {"exponential": {"initial": "100ms", "factor": 2, "cap": "1s", "jitter": {"spread": 0.2}}},
            "retry_on": ["failed", "rejected"],
            "retry_after": _PUSHBACK,
            "budget": _THROTTLE,
        },
        formula="min(100 ms * 2^(n-1), 1 s) * (0.8 + 0.4 U)",
        counting="tries",
        library="gRPC",
        version=_A6_VERSION,
        source=_A6,
        notes=(
            "The numbers are the example of the design; a service config has to state them, and above 5 tries is 5.",
            "The jitter comes after the cap, so a delay may pass it. The design's text of 2017 says U times the cap.",
            (
                "The throttle is kept by server name in a process; here by client. Java retries on a pushback whatever "
                "the code (`retry_after: {decides: true}`), Go asks for a retryable code."
            ),
        ),
    ),
    Preset(
        name="grpc-hedge",
        policy={
            "hedge": {"after": "500ms", "at_most": 3, "cancels": True, "at_failure": "next"},
            "retry_on": ["failed", "rejected"],
            "retry_after": _PUSHBACK,
            "budget": _THROTTLE,
        },
        formula="none: a copy every 500 ms until one answers",
        counting="tries",
        library="gRPC",
        version=_A6_VERSION,
        source=_A6,
        notes=(
            "The numbers are the example of the design; it counts the first call, so 4 there are 3 copies more here.",
            "grpc-go has no hedging at all; grpc-java has.",
        ),
    ),
    Preset(
        name="envoy",
        policy={
            "attempts": 2,
            "delay": _ENVOY_DELAY,
            "deadline": "15s",
            "retry_on": ["failed", "rejected"],
            "budget": {"active": {"share": 0, "at_least": 3, "sleeping": True}},
        },
        formula=_ENVOY_LAW,
        counting="retries",
        library="Envoy",
        version="data-plane-api 84e84367",
        source=_ENVOY,
        notes=(
            _RETRY_ON,
            "Its circuit breaker allows 3 retries at a time (`max_retries`), those that sleep included.",
            "Reset headers of rate-limited answers (`rate_limited_retry_back_off`) are off unless configured.",
        ),
    ),
    Preset(
        name="envoy-retry-budget",
        policy={
            "attempts": 2,
            "delay": _ENVOY_DELAY,
            "deadline": "15s",
            "retry_on": ["failed", "rejected"],
            "budget": {"active": {"share": 0.2, "at_least": 3, "sleeping": True, "round": "down"}},
        },
        formula=_ENVOY_LAW,
        counting="retries",
        library="Envoy",
        version="data-plane-api 84e84367",
        source=f"{_ENVOY}, api/envoy/config/cluster/v3/circuit_breaker.proto",
        notes=(_RETRY_ON, "With `retry_budget: {}`: its defaults take the place of `max_retries`."),
    ),
    Preset(
        name="istio",
        policy={"attempts": 3, "delay": _ENVOY_DELAY, "retry_on": ["failed", "rejected"]},
        formula=_ENVOY_LAW,
        counting="retries",
        library="Istio",
        version="86c9f01",
        source="pilot/pkg/networking/core/route/retry/retry.go, pilot/pkg/networking/core/cluster_builder.go",
        notes=(
            (
                "What a route without a `retries` block gets. It retries calls that were not accepted, UNAVAILABLE, "
                "CANCELLED and 503; give the failures a kind and write `retry_on: [failed.unavailable, rejected]`."
            ),
            "Istio lifts Envoy's limit of 3 retries at a time, so there is no budget, and it has no route timeout.",
            "A retry goes to another host; hosts are not modeled.",
        ),
    ),
    Preset(
        name="gateway-api",
        policy={
            "attempts": 2,
            "budget": {"window": {"share": 0.2, "of": "10s", "at_least": "10/s"}},
        },
        formula="none",
        counting="retries",
        library="Gateway API",
        version="4564255",
        source="apis/v1/httproute_types.go, apisx/v1alpha1/xbackendtrafficpolicy_types.go",
        notes=(
            "`retry.attempts` has no default: 1 retry is the least. The law of the backoff is the implementation's.",
        ),
    ),
    Preset(
        name="finagle",
        policy={
            "attempts": "unlimited",
            "retry_on": ["rejected"],
            "budget": {"window": {**_FINAGLE, "per_request": 0.2}},
        },
        formula="none",
        counting="budget only",
        library="Finagle",
        version="0e26b576",
        source="finagle-core/src/main/scala/com/twitter/finagle/service/RequeueFilter.scala, Retries.scala",
        notes=(
            "It requeues what was certainly not executed; any other retry is a RetryPolicy of the user.",
            "One request gets no more retries than a fifth of the balance at its start (`per_request`).",
        ),
    ),
    Preset(
        name="linkerd",
        policy={"attempts": "unlimited", "retry_on": ["failed", "rejected"], "budget": _TOWER},
        formula="none",
        counting="budget only",
        library="Linkerd",
        version="09046beb",
        source="controller/api/destination/profile_translator.go (defaultRetryBudget)",
        notes=("Of a route marked `isRetryable` in a service profile; it has no timeout unless stated.",),
    ),
    Preset(
        name="tower",
        policy={"attempts": "unlimited", "budget": _TOWER},
        formula="none",
        counting="budget only",
        library="tower",
        version="0918d77f",
        source="tower/src/retry/budget/tps_budget.rs",
        notes=("Which answers are retried, and how often, a Policy of the user says.",),
    ),
    Preset(
        name="tower-exponential",
        policy={
            "attempts": "unlimited",
            "delay": {
                "let": {"b": "base * 2 ** (n - 1)", "s": "floor(b, 1s)"},
                "formula": "b + floor(s * 0.99 * u, 1s) + (b - s) * 0.99 * u",
                "base": "50ms",
            },
            "budget": _TOWER,
        },
        formula="b = 50 ms * 2^(n-1); b + 0.99 U b, the jitter of its whole seconds cut to whole seconds",
        counting="budget only",
        library="tower",
        version="1aee81f0",
        source="tower/src/retry/backoff.rs (ExponentialBackoffMaker::default)",
        notes=(
            (
                "The jitter of the whole seconds and that of the rest are computed apart, and the first loses its "
                "fraction: a delay of 1.6 s gets at most 0.59 s."
            ),
        ),
    ),
)
