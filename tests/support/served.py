"""Worlds with services in tests: simulate a text, and look at its calls."""

from dataclasses import dataclass
from typing import Any

from sim.engine.event import simulate_replication
from sim.history.recorder import History, Recorder
from sim.history.records import Requests
from sim.history.traffic import CallEnd, Traffic
from sim.retriers.base import LoopRetrier
from sim.scenario.load import parse

MS = 1_000_000


@dataclass(frozen=True)
class Served:
    """One replication of a world with services."""

    requests: Requests
    traffic: Traffic
    history: History

    def ms(self, column: str) -> list[float]:
        """Return a column of the calls in ms, -1 for what did not happen."""
        values = getattr(self.traffic.calls, column).tolist()
        return [value if value < 0 else value / MS for value in values]

    @property
    def ends(self) -> list[str]:
        """How each call went."""
        return [CallEnd(code).name for code in self.traffic.calls.end]


def serve(text: str, retrier: LoopRetrier | None = None, replication: int = 0) -> Served:
    """Simulate one replication of a shared world; a scenario without a retrier of its own never retries."""
    head = "world: shared\n" + ("" if "retrier:" in text else "retrier: none\n")
    recorder = Recorder()
    made: Any = None if retrier is None else (lambda: retrier)
    requests, traffic = simulate_replication(parse(head + text), replication, retrier=made, recorder=recorder)
    return Served(requests, traffic, recorder.history())


class Patient(LoopRetrier):
    """Calls with timeouts, one after the other, after fixed sleeps."""

    kind = "patient"

    def __init__(self, *timeouts_ms: float | None, sleep_ms: float = 0) -> None:
        super().__init__()
        self._timeouts_ms = timeouts_ms
        self._sleep_ms = sleep_ms

    async def retry(self, call: Any, ctx: Any) -> Any:
        """Call until one succeeds; let the last failure through."""
        from sim.clients.client import CallFailed

        for timeout_ms in self._timeouts_ms[:-1]:
            try:
                return await call(timeout_ms)
            except CallFailed:
                await ctx.sleep(self._sleep_ms)
        return await call(self._timeouts_ms[-1])
