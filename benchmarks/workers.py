"""What a second worker brings, as a ratio of elapsed times measured in one interleaved run; needs two idle cores.

    python benchmarks/workers.py [--rounds N] [--requests N]

A sweep of eight cells is simulated with the event engine, whose work is the simulation, and with the vector engine,
whose results one process measures and writes about as fast as they come; each with one and with two workers, results
kept. The start of the workers is part of it.
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
"""Engines, and how many times the requests they take."""


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
