"""Retry libraries of Python."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_TENACITY: Final[dict[str, Any]] = {
    "library": "tenacity",
    "version": "9.2.1",
    "source": "tenacity/wait.py, tenacity/stop.py",
    "counting": "tries",
}
_FOR_EVER: Final = "Without a `stop` it tries for ever."
_URLLIB3: Final[dict[str, Any]] = {
    "library": "urllib3",
    "version": "2.8.0",
    "source": "urllib3/util/retry.py",
    "counting": "retries",
}
_URLLIB3_HINT: Final = {"obey": True, "at_most": "21600s", "above": "cap"}
_HTTPX: Final[dict[str, Any]] = {
    "library": "httpx-retries",
    "version": "0.6.0",
    "source": "httpx_retries/retry.py",
    "counting": "retries",
}
_HTTPX_HINT: Final = {"obey": True, "at_most": "120s", "above": "cap"}
_AIOHTTP: Final[dict[str, Any]] = {
    "library": "aiohttp-retry",
    "version": "2.9.1",
    "source": "aiohttp_retry/retry_options.py",
    "counting": "tries",
}
_RETRYING: Final[dict[str, Any]] = {
    "library": "retrying",
    "version": "1.4.2",
    "source": "retrying.py",
    "counting": "tries",
}

PRESETS: Final = (
    Preset(
        name="tenacity",
        policy={"attempts": "unlimited"},
        formula="none",
        **_TENACITY,
        notes=("A bare @retry: for ever, without a wait.",),
    ),
    Preset(
        name="tenacity-exponential",
        policy={"attempts": "unlimited", "delay": {"exponential": {"initial": "1s", "factor": 2}}},
        formula="2^(n-1) s",
        **_TENACITY,
        notes=(f"wait_exponential(). {_FOR_EVER}", "If `min` is above `max`, `min` rules."),
    ),
    Preset(
        name="tenacity-random-exponential",
        policy={"attempts": "unlimited", "delay": {"exponential": {"initial": "1s", "factor": 2, "jitter": "full"}}},
        formula="U * 2^(n-1) s",
        **_TENACITY,
        notes=(f"wait_random_exponential(). {_FOR_EVER}",),
    ),
    Preset(
        name="tenacity-exponential-jitter",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "1s", "factor": 2, "jitter": {"plus": "1s"}}},
        },
        formula="(2^(n-1) + U) s",
        **_TENACITY,
        notes=(f"wait_exponential_jitter(). {_FOR_EVER}", "A `max` caps after the jitter."),
    ),
    Preset(
        name="stamina",
        policy={
            "attempts": 10,
            "delay": {
                "exponential": {
                    "initial": "100ms",
                    "factor": 2,
                    "cap": "5s",
                    "jitter": {"plus": "1s"},
                    "cap_applies": "after",
                }
            },
            "deadline": {"after": "45s", "kind": "after_attempt", "from": "first_call"},
        },
        formula="min(0.1 s * 2^(n-1) + U s, 5 s)",
        counting="tries",
        library="stamina",
        version="26.1.0",
        source="stamina/_core.py",
        notes=("The time is tested after a try, by tenacity: the sleep before the last one may pass it.",),
    ),
    Preset(
        name="backoff-expo",
        policy={"attempts": "unlimited", "delay": {"exponential": {"initial": "1s", "factor": 2, "jitter": "full"}}},
        formula="U * 2^(n-1) s",
        counting="tries",
        library="backoff",
        version="2.2.1",
        source="backoff/_wait_gen.py, backoff/_jitter.py",
        notes=("With a `max_time` the last sleep is cut to what is left, then it tries once more: kind `cut_sleep`.",),
    ),
    Preset(
        name="google-api-core",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "1s", "factor": 2, "cap": "60s", "jitter": "full"}},
            "deadline": {"after": "120s", "kind": "before_sleep"},
        },
        formula="U * min(2^(n-1), 60) s",
        counting="time only",
        library="google-api-core",
        version="2.44.0",
        source="google/api_core/retry/retry_base.py",
        notes=("It gives up at once rather than sleep past the deadline.",),
    ),
    Preset(
        name="urllib3",
        policy={"attempts": 4, "retry_after": _URLLIB3_HINT},
        formula="none",
        **_URLLIB3,
        notes=("What a pool does unless told otherwise, Retry(3); a bare Retry() has 10 retries.",),
    ),
    Preset(
        name="urllib3-backoff",
        policy={
            "attempts": 11,
            "delay": {"exponential": {"initial": "100ms", "factor": 2, "cap": "120s", "first": "0s"}},
            "retry_after": _URLLIB3_HINT,
        },
        formula="0 for n = 1, then min(0.1 s * 2^(n-1), 120 s)",
        **_URLLIB3,
        notes=("Retry(backoff_factor=0.1): the factor is an example, it is 0 by default.",),
    ),
    Preset(
        name="urllib3-backoff-jitter",
        policy={
            "attempts": 11,
            "delay": {
                "exponential": {
                    "initial": "100ms",
                    "factor": 2,
                    "cap": "120s",
                    "jitter": {"plus": "1s"},
                    "cap_applies": "after",
                    "first": "0s",
                }
            },
            "retry_after": _URLLIB3_HINT,
        },
        formula="0 for n = 1, then min(0.1 s * 2^(n-1) + U s, 120 s)",
        **_URLLIB3,
        notes=("Retry(backoff_factor=0.1, backoff_jitter=1): both are an example.",),
    ),
    Preset(
        name="httpx-retries",
        policy={"attempts": 11, "retry_after": _HTTPX_HINT},
        formula="none",
        **_HTTPX,
        notes=("The default Retry(). Its `total_timeout` cuts sleeps: `deadline: {kind: cut_sleep, counts: sleeps}`.",),
    ),
    Preset(
        name="httpx-retries-backoff",
        policy={
            "attempts": 11,
            "delay": {"formula": "min(cap, f * 2 ** n * u)", "f": "500ms", "cap": "120s"},
            "retry_after": _HTTPX_HINT,
        },
        formula="min(U * 0.5 s * 2^n, 120 s)",
        **_HTTPX,
        notes=("Retry(backoff_factor=0.5): the factor is an example. The first delay is already doubled.",),
    ),
    Preset(
        name="aiohttp-retry",
        policy={"attempts": 3, "delay": {"exponential": {"initial": "200ms", "factor": 2, "cap": "30s"}}},
        formula="min(0.1 s * 2^n, 30 s)",
        **_AIOHTTP,
        notes=("ExponentialRetry(). The exponent counts from 1.",),
    ),
    Preset(
        name="aiohttp-retry-jitter",
        policy={
            "attempts": 3,
            "delay": {"formula": "min(cap, base * 2 ** n) + 1s * (2 * u) ** 2", "base": "100ms", "cap": "30s"},
        },
        formula="min(0.1 s * 2^n, 30 s) + (2U)^2 s",
        **_AIOHTTP,
        notes=("JitterRetry(). The jitter is raised to the power of the factor, and passes the cap.",),
    ),
    Preset(
        name="opnieuw",
        policy={
            "attempts": 3,
            "delay": {"formula": "u * window / (2 ** (tries - 1) - 1) * 2 ** (n - 1)", "window": "60s", "tries": 3},
            "deadline": {"after": "60s", "kind": "before_sleep"},
        },
        formula="U m 2^(n-1), m = 60 s / (2^(tries-1) - 1)",
        counting="tries",
        library="opnieuw",
        version="4.0.0",
        source="opnieuw/retries.py",
        notes=("The window is spread over the tries: who changes `attempts` has to change `tries` in the delay too.",),
    ),
    Preset(
        name="pyresilience",
        policy={
            "attempts": 3,
            "delay": {"let": {"d": "min(cap, 1s * 2 ** (n - 1))"}, "formula": "max(d * 0.1, u * d)", "cap": "60s"},
        },
        formula="d = min(2^(n-1), 60) s; max(0.1 d, U d)",
        counting="tries",
        library="pyresilience",
        version="0.4.1",
        source="pyresilience/_executor.py",
    ),
    Preset(
        name="hyx",
        policy={"attempts": 4, "delay": {"constant": "500ms"}},
        formula="0.5 s",
        counting="retries",
        library="hyx",
        version="0.0.2",
        source="hyx/retry/api.py, hyx/retry/manager.py",
        notes=("`attempts=3` makes 4 calls.",),
    ),
    Preset(
        name="retrying",
        policy={"attempts": "unlimited"},
        formula="none",
        **_RETRYING,
        notes=("A bare @retry: for ever, without a wait.",),
    ),
    Preset(
        name="retrying-exponential-jitter",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "2s", "factor": 2, "jitter": {"plus": "1s"}}},
        },
        formula="(2^n + U) s",
        **_RETRYING,
        notes=(
            (
                "wait_exponential_multiplier=1000 and wait_jitter_max=1000 are an example. The exponent counts from 1; "
                "the jitter comes after the cap."
            ),
        ),
    ),
)
