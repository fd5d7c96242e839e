"""Retry libraries of JavaScript; their clocks count ms."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_P_RETRY: Final[dict[str, Any]] = {
    "library": "p-retry",
    "version": "9.0.0",
    "source": "index.js (calculateDelay)",
    "counting": "retries",
}
_AXIOS: Final[dict[str, Any]] = {
    "library": "axios-retry",
    "version": "4.5.0",
    "source": "dist/esm/index.js (exponentialDelay)",
    "counting": "retries",
}
_AXIOS_HINT: Final = {"obey": True, "as": "lower_bound"}

PRESETS: Final = (
    Preset(
        name="p-retry",
        policy={"attempts": 11, "delay": {"exponential": {"initial": "1s", "factor": 2, "round": "1ms"}}},
        formula="1 s * 2^(n-1), in whole ms",
        **_P_RETRY,
    ),
    Preset(
        name="p-retry-randomized",
        policy={"attempts": 11, "delay": {"formula": "round((1 + u) * base * 2 ** (n - 1))", "base": "1s"}},
        formula="(1 + U) 1 s * 2^(n-1), in whole ms",
        **_P_RETRY,
        notes=("`randomize: true`. A `maxTimeout` caps after the jitter.",),
    ),
    Preset(
        name="axios-retry",
        policy={"attempts": 4, "retry_after": _AXIOS_HINT},
        formula="none",
        **_AXIOS,
    ),
    Preset(
        name="axios-retry-exponential",
        policy={
            "attempts": 4,
            "delay": {"formula": "base * 2 ** n + base * 2 ** n * 0.2 * u", "base": "100ms"},
            "retry_after": _AXIOS_HINT,
        },
        formula="100 ms * 2^n * (1 + 0.2 U)",
        **_AXIOS,
        notes=("axiosRetry.exponentialDelay. It adds the jitter to the Retry-After too; here only to its own delay.",),
    ),
    Preset(
        name="got",
        policy={
            "attempts": 3,
            "delay": {"formula": "max(1ms, base * 2 ** (n - 1) + u * noise)", "base": "1s", "noise": "100ms"},
            "retry_after": {"obey": True},
        },
        formula="1 s * 2^(n-1) + U 100 ms",
        counting="retries",
        library="got",
        version="16.1.0",
        source="dist/source/core/calculate-retry-delay.js",
        notes=("A `backoffLimit` caps before the noise. An answer 413 is retried only with Retry-After.",),
    ),
    Preset(
        name="ky",
        policy={
            "attempts": 3,
            "delay": {"exponential": {"initial": "300ms", "factor": 2}},
            "timeout": "10s",
            "retry_on": ["failed", "rejected"],
            "retry_after": {"obey": True},
        },
        formula="300 ms * 2^(n-1)",
        counting="retries",
        library="ky",
        version="2.1.0",
        source="distribution/utils/normalize.js, distribution/core/Ky.js",
        notes=(
            "`jitter: true` makes it full. A try that timed out is not retried unless `retryOnTimeout` is set.",
            "`totalTimeout`, off by default, is a hard `deadline`: it ends calls and sleeps.",
        ),
    ),
    Preset(
        name="cockatiel",
        policy={
            "attempts": 4,
            "delay": {
                "let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"},
                "formula": "min(cap, max(0, f - last_f) * (1 / 1.4) * b)",
                "start": {"f": 0},
                "b": "128ms",
                "cap": "30s",
            },
        },
        formula="t = n - 1 + U, f = 2^t tanh(sqrt(4t)); min((f - f before) / 1.4 * 128 ms, 30 s)",
        counting="retries",
        library="cockatiel",
        version="4.0.0",
        source="dist/backoff/ExponentialBackoffGenerators.js, dist/RetryPolicy.js",
        notes=("`new ExponentialBackoff()`; the 3 retries are an example, `maxAttempts` has no limit by default.",),
    ),
    Preset(
        name="undici",
        policy={
            "attempts": 6,
            "delay": {"exponential": {"initial": "500ms", "factor": 2, "cap": "30s"}},
            "retry_after": {"obey": True, "at_most": "30s", "above": "cap"},
        },
        formula="min(500 ms * 2^(n-1), 30 s)",
        counting="retries",
        library="undici",
        version="8.13.1",
        source="lib/handler/retry-handler.js",
    ),
)
