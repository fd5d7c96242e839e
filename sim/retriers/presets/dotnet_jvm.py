"""Libraries of .NET and the JVM: Polly and Microsoft's handler on top of it, resilience4j, Failsafe."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_POLLY: Final[dict[str, Any]] = {
    "library": "Polly",
    "version": "8.7.0",
    "source": "src/Polly.Core/Retry/RetryHelper.cs, RetryStrategyOptions.TResult.cs",
    "counting": "retries",
}
_POLLY_JITTER: Final = {
    "let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"},
    "formula": "(f - last_f) * (1 / 1.4) * b",
    "start": {"f": 0},
    "b": "2s",
}
_POLLY_JITTER_LAW: Final = "t = n - 1 + U, f = 2^t tanh(sqrt(4t)); (f - f before) / 1.4 * 2 s"
_R4J: Final[dict[str, Any]] = {"library": "resilience4j", "version": "af9e7c9", "counting": "tries"}
_R4J_SOURCE: Final = "core/IntervalFunction.java, retry/RetryConfig.java"
_FAILSAFE: Final[dict[str, Any]] = {
    "library": "Failsafe",
    "version": "28afa421",
    "source": "core/src/main/java/dev/failsafe/internal/RetryPolicyExecutor.java, util/RandomDelay.java",
    "counting": "retries",
}
_EXCEPTIONS: Final = ["failed", "rejected", "conflict", "timed_out", "refused"]

PRESETS: Final = (
    Preset(
        name="polly-constant",
        policy={"attempts": 4, "delay": {"constant": "2s"}},
        formula="2 s",
        **_POLLY,
        notes=("The default of RetryStrategyOptions.",),
    ),
    Preset(
        name="polly-constant-jitter",
        policy={"attempts": 4, "delay": {"constant": {"delay": "2s", "jitter": {"spread": 0.25}}}},
        formula="2 s * (0.75 + 0.5 U)",
        **_POLLY,
    ),
    Preset(
        name="polly-linear",
        policy={"attempts": 4, "delay": {"linear": {"initial": "2s", "step": "2s"}}},
        formula="n * 2 s",
        **_POLLY,
    ),
    Preset(
        name="polly-linear-jitter",
        policy={"attempts": 4, "delay": {"linear": {"initial": "2s", "step": "2s", "jitter": {"spread": 0.25}}}},
        formula="n * 2 s * (0.75 + 0.5 U)",
        **_POLLY,
    ),
    Preset(
        name="polly-exponential",
        policy={"attempts": 4, "delay": {"exponential": {"initial": "2s", "factor": 2}}},
        formula="2 s * 2^(n-1)",
        **_POLLY,
    ),
    Preset(
        name="polly-exponential-jitter",
        policy={"attempts": 4, "delay": _POLLY_JITTER},
        formula=_POLLY_JITTER_LAW,
        **_POLLY,
        notes=("f before is kept through one call. `MaxDelay` caps after the jitter; it is not set by default.",),
    ),
    Preset(
        name="microsoft-standard-handler",
        policy={
            "attempts": 4,
            "delay": _POLLY_JITTER,
            "timeout": "10s",
            "deadline": "30s",
            "retry_on": ["failed", "rejected", "timed_out"],
            "retry_after": {"obey": True},
            "breaker": {
                "window": {"time": "30s"},
                "slots": 10,
                "opens_at": "10%",
                "at_least": 100,
                "open": "5s",
                "half_open": {"calls": 1, "uncounted": "keep"},
                "counts": ["failed", "rejected", "timed_out"],
                "slots_from": "answer",
                "judged": "at_failure",
                "late": "counts",
            },
            "bulkhead": {"at_most": 1000, "queue": 0},
            "order": ["bulkhead", "deadline", "retry", "rate_limit", "breaker", "hedge", "timeout"],
        },
        formula=_POLLY_JITTER_LAW,
        counting="retries",
        library="Microsoft.Extensions.Http.Resilience",
        version="5862342c",
        source="dotnet/extensions, AddStandardResilienceHandler and HttpStandardResilienceOptions.cs",
        notes=("Failures stand for exceptions, 5xx, 408 and 429. What its breaker refuses is not retried.",),
    ),
    Preset(
        name="resilience4j",
        policy={"attempts": 3, "delay": {"constant": "500ms"}, "retry_on": _EXCEPTIONS},
        formula="500 ms",
        **_R4J,
        source=_R4J_SOURCE,
        notes=("It retries every exception, that of its own open breaker included.",),
    ),
    Preset(
        name="resilience4j-randomized",
        policy={
            "attempts": 3,
            "delay": {"formula": "floor(max(1ms, x * (1 - f) + u * (2 * f * x + 1ms)))", "x": "500ms", "f": 0.5},
            "retry_on": _EXCEPTIONS,
        },
        formula="whole ms of 500 (1 - 0.5) + U (2 * 0.5 * 500 + 1), at least 1",
        **_R4J,
        source=_R4J_SOURCE,
        notes=("`enable-randomized-wait`; a cap would come after the jitter.",),
    ),
    Preset(
        name="resilience4j-exponential",
        policy={
            "attempts": 3,
            "delay": {
                "let": {"x": "max(initial, floor(last_x * factor))"},
                "formula": "x",
                "start": {"x": 0},
                "initial": "500ms",
                "factor": 1.5,
            },
            "retry_on": _EXCEPTIONS,
        },
        formula="x1 = 500 ms, each next one 1.5 times that, cut to whole ms at every step",
        **_R4J,
        source=_R4J_SOURCE,
        notes=(
            "`enable-exponential-backoff`, which needs `wait-duration` to be stated.",
            "`exponential-max-wait-duration` has no effect unless the multiplier is stated too.",
        ),
    ),
    Preset(
        name="resilience4j-exponential-randomized",
        policy={
            "attempts": 3,
            "delay": {
                "let": {"x": "max(initial, floor(last_x * factor))"},
                "formula": "floor(max(1ms, x * (1 - f) + u * (2 * f * x + 1ms)))",
                "start": {"x": 0},
                "initial": "500ms",
                "factor": 1.5,
                "f": 0.5,
            },
            "retry_on": _EXCEPTIONS,
        },
        formula="x as resilience4j-exponential; whole ms of x (1 - 0.5) + U (2 * 0.5 x + 1), at least 1",
        **_R4J,
        source=_R4J_SOURCE,
    ),
    Preset(
        name="resilience4j-circuit-breaker",
        policy={
            "attempts": 3,
            "delay": {"constant": "500ms"},
            "retry_on": _EXCEPTIONS,
            "breaker": {
                "window": {"calls": 100},
                "opens_at": "50%",
                "at_least": 100,
                "open": "60s",
                "half_open": {"calls": 10, "closes_at": "50%"},
                "slow": {"over": "60s", "opens_at": "100%"},
                "late": "counts",
            },
        },
        formula="500 ms",
        **_R4J,
        source=f"{_R4J_SOURCE}, circuitbreaker/CircuitBreakerConfig.java",
        notes=(
            (
                "Retry around CircuitBreaker, as the Spring aspects nest them: a refused call is an exception and is "
                "retried."
            ),
        ),
    ),
    Preset(
        name="failsafe",
        policy={"attempts": 3},
        formula="none",
        **_FAILSAFE,
        notes=("RetryPolicy.ofDefaults(): 2 retries.",),
    ),
    Preset(
        name="failsafe-backoff",
        policy={
            "attempts": 3,
            "delay": {
                "formula": "min(cap, initial * 2 ** (n - 1)) * (1 + (1 - 2 * u) * f)",
                "initial": "1s",
                "cap": "30s",
                "f": 0.25,
            },
        },
        formula="min(1 s * 2^(n-1), 30 s) * (1 + 0.25 (1 - 2U))",
        **_FAILSAFE,
        notes=(
            "withBackoff(1 s, 30 s), withJitter(0.25) are an example. The jitter comes after the cap and may pass it.",
            "Blocking calls sleep whole ms, asynchronous ones ns.",
        ),
    ),
)
