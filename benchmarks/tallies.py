"""How much time and memory histograms take in place of requests: `python benchmarks/tallies.py [REQUESTS]`.

Prints the time of a tally per request (median of 20 blocks of 65,536), the time to merge two, and the peak of memory
while so many requests (10^7 by default) are made up block by block, tallied, merged and measured. The requests are
synthetic, since the benchmark measures the tallies, not the simulation.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time

import numpy as np

from sim.history.records import Requests
from sim.history.vocabulary import NEVER, Cause, Outcome
from sim.measure.metrics import measure
from sim.measure.summary import cell_summary
from sim.measure.tally import Tally

BLOCK = 65_536
ROUNDS = 20


def block(generator: np.random.Generator, first: int, count: int) -> Requests:
    """Make up requests: most succeed after a few attempts, some are given up, stuck or repeated."""
    attempts = generator.geometric(0.7, count).astype(np.int32)
    effect_ns = generator.lognormal(18, 1, count).astype(np.int64) * attempts
    end_ns = effect_ns + generator.integers(0, 10**6, count)
    settled_ns = end_ns + generator.exponential(1e8, count).astype(np.int64)
    codes = [Outcome.success, Outcome.gave_up, Outcome.canceled, Outcome.stuck]
    outcome = generator.choice(codes, count, p=[0.95, 0.02, 0.02, 0.01]).astype(np.uint8)
    settled_ns[outcome == Outcome.stuck] = NEVER
    effect_ns[generator.random(count) < 0.01] = NEVER
    duplicates = np.zeros((count, len(Cause)), np.int32)
    duplicates[:, Cause.ack_lost] = generator.random(count) < 0.01
    nothing = np.zeros(count, np.int32)
    return Requests(
        replication=nothing,
        number=np.arange(first, first + count),
        submitted_ns=np.zeros(count, np.int64),
        first_effect_ns=effect_ns,
        settled_ns=settled_ns,
        known_attempt_end_ns=np.where(settled_ns == NEVER, NEVER, end_ns),
        last_attempt_end_ns=end_ns,
        attempts=attempts,
        effects=attempts,
        suppressed=nothing,
        polls=2 * attempts,
        conflicts=nothing,
        mutations=3 * attempts,
        actions=attempts,
        action_ns=end_ns,
        outcome=outcome,
        duplicates=duplicates,
    )


def main(count: int) -> None:
    """Measure and print."""
    generator = np.random.default_rng(1)
    one, other = block(generator, 0, BLOCK), block(generator, BLOCK, BLOCK)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        Tally.of(one)
        times.append(time.perf_counter() - start)
    print(f"Tally.of, {BLOCK:,} requests: {statistics.median(times) / BLOCK * 1e9:.0f} ns a request")
    tallies = Tally.of(one), Tally.of(other)
    start = time.perf_counter()
    for _ in range(ROUNDS):
        tallies[0].merge(tallies[1])
    print(f"merge: {(time.perf_counter() - start) / ROUNDS * 1e6:.0f} us")

    start, tallying_s = time.perf_counter(), 0.0
    tally = None
    for first in range(0, count, BLOCK):
        requests = block(generator, first, min(BLOCK, count - first))
        before = time.perf_counter()
        part = Tally.of(requests)
        tally = part if tally is None else tally.merge(part)
        tallying_s += time.perf_counter() - before
    assert tally is not None  # noqa: S101  # one block at least
    summary = cell_summary(measure(tally, shared=False))
    size = sum(array.nbytes for array in tally.to_arrays().values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} requests: {time.perf_counter() - start:.1f} s, of which tallying {tallying_s:.1f} s")
    print(f"tally: {size / 1024:.0f} KiB; peak of memory: {peak:.0f} MiB; outcomes {summary['outcomes']}")


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**7)
