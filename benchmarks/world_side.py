"""One side of `benchmarks/world.py`: simulates its world with whatever version of retrysim is on PYTHONPATH.

    PYTHONPATH=WORKTREE python benchmarks/world_side.py REQUESTS REPLICATIONS [record]

Prints JSON: where the package is, the CPU time of the simulations, and a digest of each column. Old versions run it
too, so it uses only what all of them have.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import fields
from typing import Any

import numpy as np

import sim
from sim.engine.event import simulate

try:
    from sim.scenario.load import parse
except ImportError:  # an old version
    from sim.scenario.schema import Scenario

    parse = Scenario.parse  # type: ignore[attr-defined]  # as above

WORLD = """
world: shared
requests: {{count: {requests}, arrivals: {{poisson: {{rate: 64/s}}}}}}
platform: {{profile: convex}}
retrier: component
"""


def main(requests: int, replications: int, *, records: bool) -> None:
    """Simulate and print."""
    simulate(parse(WORLD.format(requests=100)))  # what is imported or computed once is not counted
    cell = parse(WORLD.format(requests=requests))
    seconds = 0.0
    digests: dict[str, Any] = {}
    for replication in range(replications):
        given: dict[str, Any] = {}
        if records:
            from sim.history.recorder import Recorder  # old versions have it elsewhere

            given["recorder"] = Recorder()
        before = time.process_time()
        found = simulate(cell, replication, **given)
        seconds += time.process_time() - before
        for field in fields(found):
            column = np.asarray(getattr(found, field.name))
            parts = (
                {field.name: column} if column.ndim == 1 else {f"{field.name}.{i}": c for i, c in enumerate(column.T)}
            )
            for name, part in parts.items():
                digests.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(part).tobytes())
    columns = {name: digest.hexdigest() for name, digest in digests.items()}
    print(json.dumps({"package": sim.__file__, "seconds": seconds, "columns": columns}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), records="record" in sys.argv[3:])
