"""How much faster a second worker makes a run: a ratio of elapsed times in one interleaved run. Needs two idle cores.

    python benchmarks/workers.py [--rounds N] [--requests N]

A sweep of eight cells is simulated with two engines, each with one and with two workers and a results file. The work of
the event engine is the simulation; the results of the vector engine come about as fast as one process can measure and
write them. The times include the start of the workers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sim.api.run import run
from sim.scenario.load import from_dict

if TYPE_CHECKING:
    from sim.experiment.engines import Asked

SIDES: tuple[tuple[Asked, int], ...] = (("event", 1), ("vector", 20))
"""Engines, each with the factor of the requests that it simulates."""


def elapsed_s(engine: Asked, requests: int, workers: int) -> float:
    """Time one run."""
    scenario = from_dict(
        {
            "retrier": "helpers",
            "requests": {"count": requests},
            "action": {"latency": {"lognormal": {"median": "120ms", "p99": "900ms"}}, "outcomes": {"fail": 0.3}},
            "sweep": {"seed": list(range(8))},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        before = time.perf_counter()
        run(scenario, engine=engine, workers=workers, out=Path(folder) / "out")
        return time.perf_counter() - before


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds")
    parser.add_argument("--requests", type=int, default=40_960, help="requests a cell, of the event engine")
    given = parser.parse_args()
    for engine, times in SIDES:
        ratios = []
        for _ in range(given.rounds):
            one, two = (elapsed_s(engine, times * given.requests, workers) for workers in (1, 2))
            ratios.append(one / two)
        print(f"{engine}: two workers are {statistics.median(ratios):.2f} times as fast as one")


if __name__ == "__main__":
    main()
