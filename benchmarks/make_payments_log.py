"""Makes `scenarios/data/payments.csv`, a log of calls to a payment API: `python benchmarks/make_payments_log.py`.

The log is made, not measured, so what it should tell is known. For 2 hours payments come as a Poisson process of 0.25 a
second. A call takes lognormal 140 ms (p99 900 ms). In good weather 0.8 % of the calls are answered 503, after lognormal
25 ms (p99 90 ms), 0.3 % 429, after 8 ms (p99 20 ms), and 0.3 % hear nothing until the client's limit of 2 s. 0.4 % of
the payments are declined (402), which is final. Good weather lasts 400 s on average and an outage 40 s, both
exponential; in an outage 85 % of the calls are answered 503 and 5 % hear nothing. The client tries up to four times,
and waits up to 1 s, 2 s and 4 s between, with full jitter. A row is a call, with its start.

All numbers are drawn by address with seed 12, so the same file comes out on every machine.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.kernel.draws import Draws
from sim.laws.distributions import Exponential, LogNormal

if TYPE_CHECKING:
    from sim.laws.law import Distribution

OUT: Final = Path(__file__).parents[1] / "scenarios" / "data" / "payments.csv"
SEED: Final = 12
START: Final = np.datetime64("2026-03-02T09:00:00.000", "ms")
MS: Final = 1_000_000
SPAN_S: Final = 7200.0
RATE: Final = 0.25
UP_S, DOWN_S = 400.0, 40.0
GOOD: Final = {"503": 0.008, "429": 0.003, "timeout": 0.003}
BAD: Final = {"503": 0.85, "429": 0.0, "timeout": 0.05}
DECLINED: Final = 0.004
LIMIT_MS: Final = 2000.0
DELAYS_S: Final = (1.0, 2.0, 4.0)
LATENCIES: Final = {
    "200": LogNormal(median_ns=140 * MS, p99_ns=900 * MS),
    "402": LogNormal(median_ns=140 * MS, p99_ns=900 * MS),
    "503": LogNormal(median_ns=25 * MS, p99_ns=90 * MS),
    "429": LogNormal(median_ns=8 * MS, p99_ns=20 * MS),
}


def exponential(uniform: float, mean_s: float) -> float:
    """Return a draw of the exponential law, in seconds."""
    return drawn_ns(Exponential(mean_ns=round(mean_s * 1000) * MS), uniform) / 1e9


def drawn_ns(law: Distribution, uniform: float) -> int:
    """Return the duration that a uniform number gives."""
    return int(law.sample_ns(np.array([uniform]))[0])


def outages(draws: Draws) -> list[tuple[float, float]]:
    """Return when outages begin and end, in seconds."""
    found: list[tuple[float, float]] = []
    at_s = 0.0
    for number in range(1000):
        begins = at_s + exponential(draws.uniform("up", number), UP_S)
        at_s = begins + exponential(draws.uniform("down", number), DOWN_S)
        if begins > SPAN_S:
            break
        found.append((begins, at_s))
    return found


def calls(draws: Draws) -> list[tuple[float, str, int, str, float]]:
    """Return start in seconds, payment, attempt, status and latency in ms of every call, in order of starts."""
    bad = outages(draws)
    rows = []
    arrives_s = 0.0
    for number in range(100_000):
        arrives_s += exponential(draws.uniform("arrival", number), 1 / RATE)
        if arrives_s > SPAN_S:
            break
        at_s = arrives_s
        for attempt in range(1, len(DELAYS_S) + 2):
            in_outage = any(begins <= at_s < ends for begins, ends in bad)
            status = status_of(draws, number, attempt, BAD if in_outage else GOOD)
            took_ms = LIMIT_MS
            if status in LATENCIES:
                took_ms = drawn_ns(LATENCIES[status], draws.uniform("latency", number, attempt)) / MS
            rows.append((at_s, f"pay_{number + 1:05d}", attempt, status, took_ms))
            if status in {"200", "402"} or attempt > len(DELAYS_S):
                break
            at_s += took_ms / 1000 + draws.uniform("jitter", number, attempt) * DELAYS_S[attempt - 1]
    return sorted(rows)


def status_of(draws: Draws, number: int, attempt: int, shares: dict[str, float]) -> str:
    """Return how a call ends."""
    if draws.uniform("declined", number) < DECLINED:
        shares = {**shares, "402": 1.0 - sum(shares.values())}
    drawn = draws.uniform("status", number, attempt)
    for status, share in shares.items():
        if drawn < share:
            return status
        drawn -= share
    return "200"


def main() -> None:
    """Write the file."""
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["started_at", "payment_id", "attempt", "status", "latency_ms"])
        rows = calls(Draws(SEED))
        for at_s, payment, attempt, status, took_ms in rows:
            at = START + np.timedelta64(round(at_s * 1000), "ms")
            writer.writerow([f"{at}Z", payment, attempt, status, f"{took_ms:.3f}"])
    print(f"{len(rows):,} calls in {OUT.name}")


if __name__ == "__main__":
    main()
