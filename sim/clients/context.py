"""What a loop can do besides calling: sleep, draw numbers, read the clock, and share state with other requests.

State that is shared is in cells (`sim.clients.cells`), which a scope tells apart:

| scope | who shares it |
| --- | --- |
| `request` | no other request |
| `client` | the requests of one client |
| `service` | all that call one service |
| `world` | all requests of a replication |

In an isolated world each request stands alone, so that every scope means `request`. Without a name a state belongs to
this retrier of this class of callers; all retriers that give the same name share it.

What a loop has through its context is let go when the loop ends, however that comes: breakers hear that no answer
comes, places in bulkheads are free, budgets do not count the request any more. A loop that is stopped (its request is
canceled, its caller waits no longer, or the simulation is over) finds `ctx.canceled` true in `finally`; there it can
still change what it shares, but await nothing.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from sim.clients.cells import CLIENT
from sim.clients.loop_breaker import LoopBreaker, breaker_of
from sim.clients.loop_budget import LoopBudget, budget_of
from sim.clients.loop_gates import LoopBulkhead, LoopRateLimit, bulkhead_of, rate_limit_of
from sim.clients.shared_values import SharedValues
from sim.kernel.clock import Pending, Sleep
from sim.kernel.durations import RUNAWAY_NS, ms_of_ns, ns_of_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.clients.cells import Scope
    from sim.clients.owner import Owner
    from sim.clients.policy.breaker_options import BreakerOptions
    from sim.clients.policy.budgets import BudgetOptions
    from sim.clients.policy.gates import BulkheadOptions, CallerRateLimitOptions


class ClientContext:
    """What a `LoopRetrier` can do besides calling: sleep, draw numbers, read the clock, share state.

    Once the request is canceled, or the simulation over, nothing that the loop still asks for takes place.
    """

    __slots__ = ("_client",)

    def __init__(self, client: Owner) -> None:
        self._client = client

    @property
    def now_ms(self) -> float:
        """Simulated time in ms."""
        now_ms = ms_of_ns(self._client.clock.now_ns)
        self._client.hear("now", now_ms)
        return now_ms

    @property
    def canceled(self) -> bool:
        """Whether the loop was stopped: its request is canceled, its caller waits no longer, or the world is over."""
        return self._client.stopped

    async def sleep(self, delay_ms: float) -> None:
        """Wait. Raises ValueError if the delay is negative or not finite."""
        if not 0 <= delay_ms < inf:
            raise ValueError(f"a delay must be finite and not negative, not {delay_ms} ms")
        client = self._client
        if client.stopped:
            await client.end_await()
        delay_ns, clock = ns_of_ms(delay_ms), client.clock
        client.record("sleep", "", delay_ns)
        client.sleeps += 1
        if client.sleeps > client.calls_at_most:
            client.run_away("sleeps")
            await Pending()
        if clock.now_ns + delay_ns > RUNAWAY_NS:
            client.run_away("time")
            await Pending()
        client.asleep = True
        client.slept_ns += delay_ns
        if delay_ns:
            client.fall_asleep()
        awake = Sleep()
        clock.set_timer(awake, delay_ns)
        try:
            await awake
        except GeneratorExit:
            client.stopped = True
            raise
        client.asleep = False
        client.hear("awake", None)

    def uniform(self, stream: str, index: int = 0) -> float:
        """Draw the number on [0, 1) of this address for this request: stream is a name, index counts draws."""
        client = self._client
        if client.stopped:
            raise GeneratorExit
        request = client.request
        value = client.choices.uniform(stream, request.number, index, request.first_rerun)
        client.record("draw", stream, value)
        client.hear("draw", value)
        return value

    def budget(
        self, options: BudgetOptions | Mapping[str, Any], *, name: str = "", scope: Scope | None = None
    ) -> LoopBudget:
        """Return a budget of retries, such as `{"tokens": {"capacity": 10, "cost": 5}}`.

        The options are those of `budget` in a policy. It counts the request from now until the loop ends. The scope is
        `client` unless stated. Raises ValueError if the options are wrong or differ from those that it was made with.
        """
        return budget_of(self._client, options, name, scope)

    def breaker(
        self, options: BreakerOptions | Mapping[str, Any], *, name: str = "", scope: Scope | None = None
    ) -> LoopBreaker:
        """Return a breaker, such as `{"window": {"calls": 10}, "open": "30s"}`; otherwise as `budget`."""
        return breaker_of(self._client, options, name, scope)

    def bulkhead(
        self, options: BulkheadOptions | Mapping[str, Any], *, name: str = "", scope: Scope | None = None
    ) -> LoopBulkhead:
        """Return a bulkhead, such as `{"at_most": 10, "queue": 5}`; otherwise as `budget`."""
        return bulkhead_of(self._client, options, name, scope)

    def rate_limit(
        self, options: CallerRateLimitOptions | Mapping[str, Any], *, name: str = "", scope: Scope | None = None
    ) -> LoopRateLimit:
        """Return a limit of the rate of calls, such as `{"rate": "50/s", "burst": 10}`; otherwise as `budget`."""
        return rate_limit_of(self._client, options, name, scope)

    def shared(self, name: str = "", scope: Scope = CLIENT) -> SharedValues:
        """Return a mapping that the requests of a scope share, empty at first.

        Keys are texts. Values are numbers, texts, None and tuples of these, which cannot change in place.
        """
        return SharedValues(self._client, name, scope)
