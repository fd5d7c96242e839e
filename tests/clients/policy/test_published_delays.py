"""Delays of real libraries, written as data: the numbers that their sources give at the ends and the middle of a draw.

Each row names the library, how its law is written here, and the law as the library's source has it, in ms.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from sim.clients.policy.delays import DelayField, delay_law

MS = 1_000_000
LAST = 1.0 - 2.0**-53
RETRIES = range(1, 6)
Reference = Callable[[int, float], float]


def _polly(t: float) -> float:
    return 2**t * math.tanh(math.sqrt(4 * t))


def _truncated(n: int) -> int:
    wait = 500
    for _ in range(n - 1):
        wait = int(wait * 1.5)
    return wait


def _decorrelated(n: int, u: float) -> float:
    sleep = 5.0
    for _ in range(n):
        sleep = min(2000, 5 + u * (3 * sleep - 5))
    return sleep


ROWS: list[tuple[str, Any, Reference]] = [
    (
        "tenacity 9.2.1 wait_exponential(1, max=10, min=3)",
        {"exponential": {"initial": "1s", "cap": "10s", "at_least": "3s"}},
        lambda n, _u: 1e3 * max(3, min(2 ** (n - 1), 10)),
    ),
    (
        "tenacity 9.2.1 wait_random_exponential(1, max=10, min=0.5)",
        {
            "formula": "low + u * (max(low, min(high, m * 2 ** (n - 1))) - low)",
            "low": "500ms",
            "high": "10s",
            "m": "1s",
        },
        lambda n, u: 1e3 * (0.5 + u * (max(0.5, min(2 ** (n - 1), 10)) - 0.5)),
    ),
    (
        "tenacity 9.2.1 wait_exponential_jitter(1, max=10, jitter=1)",
        {"exponential": {"initial": "1s", "jitter": {"plus": "1s"}, "cap": "10s", "cap_applies": "after"}},
        lambda n, u: 1e3 * max(0, min(2 ** (n - 1) + u, 10)),
    ),
    (
        "stamina 26.1.0",
        {"exponential": {"initial": "100ms", "jitter": {"plus": "1s"}, "cap": "5s", "cap_applies": "after"}},
        lambda n, u: 1e3 * min(5, 0.1 * 2 ** (n - 1) + u),
    ),
    ("backoff 2.2.1 expo", {"exponential": {"initial": "1s", "jitter": "full"}}, lambda n, u: 1e3 * u * 2 ** (n - 1)),
    (
        "urllib3 2.8.0 Retry(backoff_factor=0.5, backoff_jitter=1, backoff_max=6)",
        {
            "exponential": {
                "initial": "500ms",
                "jitter": {"plus": "1s"},
                "cap": "6s",
                "cap_applies": "after",
                "first": "0s",
            }
        },
        lambda n, u: 0.0 if n == 1 else 1e3 * min(6, 0.5 * 2 ** (n - 1) + u),
    ),
    (
        "botocore 1.43 standard",
        {"exponential": {"initial": "1s", "cap": "20s", "jitter": "full"}},
        lambda n, u: 1e3 * u * min(2 ** (n - 1), 20),
    ),
    (
        "botocore 1.44.8 standard, DynamoDB",
        {"exponential": {"initial": "25ms", "cap": "20s", "jitter": "full"}},
        lambda n, u: 1e3 * u * min(0.025 * 2 ** (n - 1), 20),
    ),
    (
        "gRPC A6",
        {"exponential": {"initial": "100ms", "factor": 1.6, "cap": "250ms", "jitter": {"spread": 0.2}}},
        lambda n, u: min(100 * 1.6 ** (n - 1), 250) * (0.8 + 0.4 * u),
    ),
    (
        "Envoy: whole ms below the bound, which is never drawn",
        {"exponential": {"initial": "25ms", "cap": "250ms", "jitter": "full", "floor": "1ms"}},
        lambda n, u: float({0.0: 0, 0.5: b // 2, LAST: b - 1}[u]) if (b := (25, 50, 100, 200, 250)[n - 1]) else 0.0,
    ),
    ("Polly 8 constant", {"constant": {"delay": "2s", "jitter": {"spread": 0.25}}}, lambda _n, u: 1500 + 1000 * u),
    (
        "Polly 8 linear",
        {"linear": {"initial": "2s", "step": "2s", "jitter": {"spread": 0.25}}},
        lambda n, u: 2000 * n * (0.75 + 0.5 * u),
    ),
    (
        "Polly 8 exponential with jitter",
        {
            "let": {"t": "n - 1 + u", "f": "2 ** t * tanh(sqrt(4 * t))"},
            "formula": "(f - last_f) / 1.4 * b",
            "b": "2s",
        },
        lambda n, u: 2000 / 1.4 * (_polly(n - 1 + u) - (_polly(n - 2 + u) if n > 1 else 0.0)),
    ),
    (
        "resilience4j 2.4.0: truncated at every step",
        {"formula": "f", "let": {"f": "floor(last_f * mult ** min(n - 1, 1))"}, "start": {"f": "500ms"}, "mult": 1.5},
        lambda n, _u: float((500, 750, 1125, 1687, 2530)[n - 1]),
    ),
    (
        "resilience4j 2.4.0 with random waits",
        {
            "let": {"f": "floor(last_f * mult ** min(n - 1, 1))"},
            "formula": "floor(max(1, f * (1 - s) + u * (2 * s * f + 1)))",
            "start": {"f": "500ms"},
            "mult": 1.5,
            "s": 0.5,
            "cap": "2s",
            "cap_applies": "after",
        },
        lambda n, u: float(min(2000, int(max(1, x / 2 + u * (x + 1))))) if (x := _truncated(n)) else 0.0,
    ),
    (
        "failsafe: the jitter may pass the cap",
        {"exponential": {"initial": "1s", "cap": "5s", "jitter": {"spread": 0.1}}},
        lambda n, u: 1e3 * min(2 ** (n - 1), 5) * (0.9 + 0.2 * u),
    ),
    (
        "Temporal",
        {"exponential": {"initial": "1s", "cap": "100s"}},
        lambda n, _u: 1e3 * min(2 ** (n - 1), 100),
    ),
    (
        "Step Functions with full jitter",
        {"exponential": {"initial": "3s", "factor": 1.5, "cap": "10s", "jitter": "full"}},
        lambda n, u: 1e3 * u * min(3 * 1.5 ** (n - 1), 10),
    ),
    (
        "Celery 5.7.0: whole seconds, the bound included",
        {"formula": "floor(u * (min(cap, initial * 2 ** (n - 1)) + 1s), 1s)", "cap": "600s", "initial": "1s"},
        lambda n, u: 1e3 * int(u * (min(600, 2 ** (n - 1)) + 1)),
    ),
    (
        "BullMQ 6.7.0 exponential",
        {"exponential": {"initial": "1.3ms", "round": "1ms"}},
        lambda n, _u: math.floor(2 ** (n - 1) * 1.3 + 0.5),
    ),
    (
        "BullMQ 6.7.0 exponential with jitter",
        {"let": {"x": "round(2 ** (n - 1) * d)"}, "formula": "floor(u * x * j + x * (1 - j))", "d": "10.3ms", "j": 0.4},
        lambda n, u: float(int(u * x * 0.4 + x * (1 - 0.4))) if (x := math.floor(2 ** (n - 1) * 10.3 + 0.5)) else 0.0,
    ),
    (
        "Sidekiq 8.1.7",
        {"formula": "((n - 1) ** 4 + 15 + floor(u * 10 * n)) * 1s"},
        lambda n, u: 1e3 * ((n - 1) ** 4 + 15 + int(u * 10 * n)),
    ),
    (
        "Inngest",
        {"formula": "entry + floor(u * 30s)", "table": ["15s", "30s", "1m", "2m"]},
        lambda n, u: 1e3 * (15, 30, 60, 120, 120)[n - 1] + int(u * 30_000),
    ),
    (
        "AWS full jitter",
        {"exponential": {"initial": "10ms", "cap": "2s", "jitter": "full"}},
        lambda n, u: u * min(2000, 5 * 2**n),
    ),
    (
        "AWS equal jitter",
        {"exponential": {"initial": "10ms", "cap": "2s", "jitter": "equal"}},
        lambda n, u: min(2000, 5 * 2**n) * (0.5 + 0.5 * u),
    ),
    (
        "AWS decorrelated jitter",
        {"decorrelated": {"base": "5ms", "cap": "2s"}},
        _decorrelated,
    ),
    (
        "Convex backend",
        {"exponential": {"initial": "100ms", "cap": "2s", "jitter": "full"}},
        lambda n, u: u * min(100 * 2 ** (n - 1), 2000),
    ),
    (
        "Cloud Tasks: doubles three times, then grows by steps, then not",
        {"let": {"e": "min(n - 1, 3)"}, "formula": "min(cap, b * 2 ** e * max(1, n - e))", "cap": "180s", "b": "10s"},
        lambda n, _u: 1e3 * (10, 20, 40, 80, 160)[n - 1],
    ),
    (
        "p-retry 9.0.0 randomized",
        {"formula": "min(round((1 + u) * b * 2 ** (n - 1)), cap)", "b": "1s", "cap": "20s"},
        lambda n, u: min(math.floor((1 + u) * 1000 * 2 ** (n - 1) + 0.5), 20_000),
    ),
    (
        "axios-retry 4.5.0 exponential",
        {"formula": "2 ** n * 100ms * (1 + 0.2 * u)"},
        lambda n, u: 2**n * 100 * (1 + 0.2 * u),
    ),
    (
        "aiohttp-retry 2.9.1 jitter",
        {"formula": "min(100ms * 2 ** n, 30s) + (2 * u) ** 3 * 1s"},
        lambda n, u: 1e3 * (min(0.1 * 2**n, 30) + (2 * u) ** 3),
    ),
    (
        "pyresilience 0.4.1",
        {"let": {"d": "min(1s * 2 ** (n - 1), 60s)"}, "formula": "max(0.1 * d, u * d)"},
        lambda n, u: 1e3 * max(0.1 * 2 ** (n - 1), u * 2 ** (n - 1)),
    ),
    (
        "got 16.1.0",
        {"formula": "max(1, min(1000 * 2 ** (n - 1), limit) + u * 100)", "limit": "5s"},
        lambda n, u: max(1, min(1000 * 2 ** (n - 1), 5000) + u * 100),
    ),
]


@pytest.mark.parametrize("u", [0.0, 0.5, LAST])
@pytest.mark.parametrize(("written", "reference"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_first_five_delays_are_those_of_the_library(written: Any, reference: Reference, u: float) -> None:
    law = delay_law(TypeAdapter(DelayField).validate_python(written))
    state = law.start()
    found = [law.delay_ns(n, 0, state, [u] * len(law.streams)) / MS for n in RETRIES]
    assert found == pytest.approx([reference(n, u) for n in RETRIES], abs=2e-6)


def test_cloud_tasks_example_of_its_documentation() -> None:
    (written,) = (row[1] for row in ROWS if row[0].startswith("Cloud Tasks"))
    law = delay_law(TypeAdapter(DelayField).validate_python({**written, "cap": "300s"}))
    assert [law.delay_ns(n, 0, [], []) // (1000 * MS) for n in range(1, 9)] == [10, 20, 40, 80, 160, 240, 300, 300]
