"""Replays recorded cases of the real libraries through the simulated deployment and the ports.

`replay` takes a case, a plain dict in the vocabulary of the recordings (`tests/conformance/README.md`). The result is
one too, so the two can be compared event by event. The conditions are the same as in the recordings: no latencies,
unlimited parallelism, no time limit, no collection.
"""

from sim.testing.conformance.mulberry import mulberry32
from sim.testing.conformance.replay import replay

__all__ = ["mulberry32", "replay"]
