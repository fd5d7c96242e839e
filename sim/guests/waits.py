"""How guest code waits, as the history tells it: a sleep begins, and ends at its time or is cut."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Final

from sim.guests.strands import GuestStopped
from sim.kernel.clock import Pending, Sleep
from sim.kernel.durations import RUNAWAY_NS

if TYPE_CHECKING:
    from sim.clients.client import Client
    from sim.guests.inside import Inside
    from sim.kernel.clock import Clock

NS_PER_S: Final = 1e9
FOR_EVER_NS: Final = RUNAWAY_NS
"""Longer than any simulation."""


def ns_of_seconds(seconds: float) -> int:
    """Return a duration of guest code in whole ns; if it is not finite, or longer than a simulation, for ever.

    A positive one is at least 1 ns. Else code that sleeps until `deadline - time.monotonic()` is positive no more would
    sleep for ever at one instant: 0.1 + 0.2 is 5e-17 more than 0.3.
    """
    if not isfinite(seconds):
        return FOR_EVER_NS
    found = min(round(seconds * NS_PER_S), FOR_EVER_NS)
    return 1 if found == 0 and seconds > 0 else found


def begin_sleep(client: Client, delay_ns: int, *, is_sleep: bool = True, awaits: str = "") -> bool:
    """Note that guest code waits for a time; False if its request has run away by that, so that it never goes on.

    A timer that is no sleep, such as the limit of `asyncio.timeout`, shows only when it fires.
    """
    if is_sleep:
        if client.is_recorded:
            client.record("sleep", awaits, delay_ns)
        client.slept_ns += delay_ns
    client.sleeps += 1
    if client.sleeps > client.calls_at_most:
        client.run_away("sleeps")
        return False
    if is_sleep and client.clock.now_ns + delay_ns > RUNAWAY_NS:
        client.run_away("time")
        return False
    client.timers += 1
    client.asleep = True
    if is_sleep and delay_ns:
        client.fall_asleep()
    return True


def wake_up(client: Client, *, asleep: bool) -> None:
    """Note that a wait is over in its time."""
    client.timers -= 1
    client.asleep = client.timers > 0
    if client.is_over:
        return
    if asleep:
        if client.listens:
            client.hear("awake", None)
    else:
        client.record("woken", "timer")
        client.hear("woken", "timer")


def cut_sleep(client: Client, until_ns: int, *, asleep: bool) -> None:
    """Note that guest code waits no longer, before the time is over."""
    client.timers -= 1
    client.asleep = client.timers > 0
    if asleep and not client.is_over:
        left_ns = until_ns - client.clock.now_ns
        client.slept_ns -= left_ns
        client.record("woken", "cut", left_ns)


def sleep(inside: Inside, delay_ns: int) -> None:
    """Sleep, for synchronous code."""
    if inside.stopped or inside.process.is_over:
        inside.stop_again(GuestStopped)
    awake: Pending
    if begin_sleep(inside, delay_ns):
        awake = Sleep()
        inside.clock.set_timer(awake, delay_ns)
    else:
        awake = Pending()  # it never comes
    inside.let_pass(awake)
    wake_up(inside, asleep=True)


class Waiting(Pending):
    """A wait of synchronous code for something of its own, with a limit of time: it is the timer of that limit."""

    __slots__ = ("_ok", "callbacks", "is_handed")

    def __init__(self) -> None:
        super().__init__()
        self.is_handed = False
        """Whether what it waits for is its own already."""
        self._ok = True
        self.callbacks: object = (Waiting.time_out,)

    def time_out(self) -> None:
        """Wait no longer, unless it has got what it waits for."""
        if not self.is_handed:
            self.succeed(value=False)

    def came(self) -> None:
        """Go on: what was waited for came."""
        self.succeed(value=True)

    def hand_over(self, clock: Clock) -> None:
        """Go on as soon as the code that runs waits itself."""
        self.is_handed = True
        clock.call_after(0, self.came)


def wait(inside: Inside, waiting: Waiting, limit_ns: int) -> bool:
    """Wait, at most for `limit_ns`; returns whether what was waited for came."""
    inside.look_whether_stopped()
    limited = limit_ns < FOR_EVER_NS
    until_ns = inside.clock.now_ns + limit_ns
    if limited:
        if not begin_sleep(inside, limit_ns, awaits="lock"):
            inside.wait(Pending())
        inside.clock.set_timer(waiting, limit_ns)
    came: bool = inside.wait(waiting)
    if not limited:
        inside.record("woken", "lock")
        inside.hear("woken", "lock")
    elif came:
        if waiting.callbacks is not None:
            inside.clock.call_off(waiting)
        cut_sleep(inside, until_ns, asleep=True)
        inside.hear("woken", "lock")
    else:
        wake_up(inside, asleep=True)
    return came
