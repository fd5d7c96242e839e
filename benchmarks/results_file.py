"""How long it takes to pack and encode a chunk of requests, to make its digest, to store it, and to read it back.

    python benchmarks/results_file.py [--requests 65536]

Prints, for each retrier of the quickstart, the time a request (the median of several rounds) and the bytes a request
takes in the file.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from statistics import median

from sim.experiment import payload
from sim.experiment.chunks import Chunk, PackedPart, chunk_digest, simulate_chunk
from sim.experiment.plan import plan
from sim.history.records import COLUMNS, Requests
from sim.results.checkpoint import Checkpoint
from sim.results.description import describe
from sim.scenario.load import load

QUICKSTART = Path(__file__).parents[1] / "scenarios" / "quickstart.yaml"
ROUNDS = 9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=65_536, help="Requests of a chunk.")
    count = parser.parse_args().requests
    planned = plan(load(QUICKSTART, requests=count))
    identity = planned.identity
    print(f"{count:,} requests a chunk; microseconds a request (median of {ROUNDS})")
    print(f"{'retrier':<20}{'encode':>8}{'digest':>8}{'store':>8}{'all':>8}{'read':>8}{'bytes':>8}")
    with tempfile.TemporaryDirectory() as folder, Checkpoint(Path(folder) / "checkpoint") as checkpoint:
        checkpoint.begin(describe(planned))
        for position, cell in enumerate(planned.cells):
            part = simulate_chunk(cell.scenario, Chunk(position, 0, 0, count), planned.engine).part
            plain = Requests(*(getattr(part, name) for name in COLUMNS))
            rounds = []
            for number in range(ROUNDS):
                times = [time.perf_counter()]
                data = payload.encode(plain)
                times.append(time.perf_counter())
                digest = chunk_digest(identity, position, number, data)
                times.append(time.perf_counter())
                checkpoint.store(identity, Chunk(position, number, 0, count), PackedPart(digest, data), verify=False)
                times.append(time.perf_counter())
                back = payload.decode(data)
                for name in COLUMNS:
                    getattr(back, name)
                times.append(time.perf_counter())
                steps = [after - before for before, after in itertools.pairwise(times)]
                rounds.append([*steps[:3], sum(steps[:3]), steps[3]])
            micros = [median(column) / count * 1e6 for column in zip(*rounds, strict=True)]
            numbers = "".join(f"{value:8.3f}" for value in micros)
            print(f"{cell.name:<20}{numbers}{len(data) / count:8.1f}")


if __name__ == "__main__":
    main()
