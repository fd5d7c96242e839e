"""The side of happysim in `benchmarks/world.py`: its retrying client at an M/M/c server. Needs happysim, not retrysim.

    python happysim_side.py REQUESTS RATE

Prints JSON: the CPU time of the simulation, and how many calls its client made.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import happysimulator as hs
from happysimulator.components.client import Client, ExponentialBackoff
from happysimulator.components.resource import Resource

REST_S = 20.0
"""Simulated seconds for the last requests."""


class Db(hs.Entity):  # type: ignore[misc]  # its base is not installed here
    """Ten servers, first come first served.

    Not happysim's own `Server`: that one answers as soon as a call has entered its queue, so no client ever times out.
    """

    def __init__(self) -> None:
        super().__init__("db")
        self.slots = Resource("slots", capacity=10)

    def handle_event(self, event: Any) -> Any:
        """Wait for a server, and hold it for the time of the work."""
        del event
        slot = yield self.slots.acquire(amount=1)
        yield random.expovariate(10.0)  # no secrets here
        slot.release()


class Requests:
    """Hands its client one request after the other, as many as there are to be."""

    def __init__(self, client: Any, requests: int) -> None:
        self._client = client
        self._left = requests

    def get_events(self, time: Any) -> list[Any]:
        """Return the event of the next request."""
        if not self._left:
            return []
        self._left -= 1
        event = self._client.send_request()
        event.time = time
        return [event]


def main(requests: int, rate: float) -> None:
    """Simulate and print."""
    random.seed(7)
    server = Db()
    backoff = ExponentialBackoff(max_attempts=4, initial_delay=0.05, max_delay=10.0, multiplier=2.0)
    client = Client("client", target=server, timeout=0.4, retry_policy=backoff)
    source = hs.Source.poisson(rate=rate, event_provider=Requests(client, requests))
    # Its source goes on for ever, so the clock ends the run: some seconds after the last request is expected.
    simulation = hs.Simulation(
        sources=[source], entities=[client, server, server.slots], duration=requests / rate + REST_S
    )
    before = time.process_time()
    simulation.run()
    seconds = time.process_time() - before
    print(json.dumps({"seconds": seconds, "calls": client.stats.requests_sent}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
