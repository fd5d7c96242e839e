"""The worlds of published results a second time, in a few lines each: a list of events and Python's own generator.

They know nothing of `sim`, and follow what the originals' programs do where these differ from their texts.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple

Backoff = Callable[[Random, int, float], tuple[float, float]]
"""Of a generator, the number of failures and the backoff before: the next backoff, and what is remembered of it."""

BASE_MS, CAP_MS = 5.0, 2000.0


def _exponential(failures: int) -> float:
    return min(CAP_MS, BASE_MS * 2.0**failures)


def _decorrelated(rng: Random, _failures: int, before: float) -> tuple[float, float]:
    backoff = min(CAP_MS, rng.uniform(BASE_MS, 3 * before))
    return backoff, backoff


BACKOFFS: dict[str, Backoff] = {
    "none": lambda _rng, _failures, before: (0.0, before),
    "exponential": lambda _rng, failures, before: (_exponential(failures), before),
    "equal": lambda rng, failures, before: (_exponential(failures) * rng.uniform(0.5, 1), before),
    "full": lambda rng, failures, before: (_exponential(failures) * rng.random(), before),
    "decorrelated": _decorrelated,
}


def generator(seed: int) -> Random:
    """Return a generator of its own."""
    return Random(seed)  # noqa: S311  # a control sample


class Events:
    """What is to happen, in order of time; events of one time in the order in which they were planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._number = count()
        self.now = 0.0

    def at(self, time: float, do: Callable[..., None], *what: object) -> None:
        """Plan something."""
        heappush(self._heap, (time, next(self._number), do, what))

    def run(self, until: float = math.inf) -> None:
        """Let everything happen that is planned before a time."""
        while self._heap and self._heap[0][0] < until:
            self.now, _, do, what = heappop(self._heap)
            do(*what)


def contend(clients: int, law: str, rng: Random) -> tuple[int, float]:
    """Let clients update one row once each; returns how often they wrote, and when (in ms) the last was told."""
    events, backoff = Events(), BACKOFFS[law]
    version, writes = 0, 0

    def leg() -> float:
        return events.now + abs(rng.normalvariate(10, 2))

    def read(failures: int, before: float) -> None:
        events.at(leg(), has_read, failures, before, version)

    def has_read(failures: int, before: float, seen: int) -> None:
        events.at(leg(), write, failures, before, seen)

    def write(failures: int, before: float, seen: int) -> None:
        nonlocal version, writes
        writes += 1
        fits = int(seen == version)
        version += fits
        events.at(leg(), told, failures + 1, before, fits)

    def told(failures: int, before: float, fits: int) -> None:
        if not fits:
            wait, remembered = backoff(rng, failures, before)
            events.at(leg() + wait, read, failures, remembered)

    for _ in range(clients):
        events.at(leg(), read, 0, BASE_MS)
    events.run()
    return writes, events.now


@dataclass
class Budget:
    """Whether a client's calls may be made again: at most so often, and within a bucket or a share of failures."""

    retries: float = 3
    tokens: float = math.inf
    """Of a bucket: the tokens at first, which are the most. One retry costs one and needs more than one."""
    share: float = math.inf
    """Of failed calls among requests, up to which calls are made again."""
    full: float = 0.0
    requests: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        self.full = self.tokens

    def start(self) -> None:
        """A request begins."""
        self.requests += 1
        self.tokens = min(self.full, self.tokens + 0.1)

    def allows(self, tries: int) -> bool:
        """A call has failed, the last of so many."""
        self.failures += 1
        if self.failures > self.share * self.requests or tries > self.retries or self.tokens <= 1:
            return False
        self.tokens -= 1
        return True


STRATEGIES: dict[str, Callable[[], Budget]] = {
    "three retries": Budget,
    "adaptive": lambda: Budget(retries=math.inf, tokens=5.0),
    "breaker": lambda: Budget(share=0.1),
    "none": lambda: Budget(retries=0),
}


class Counted(NamedTuple):
    """What clients did in all."""

    requests: int
    successes: int
    calls: int

    @property
    def success(self) -> float:
        """The share of requests that succeeded."""
        return self.successes / self.requests

    @property
    def amplification(self) -> float:
        """Calls a request."""
        return self.calls / self.requests


@dataclass(frozen=True)
class Clients:
    """Clients that ask at random times for some seconds, while calls fail independently."""

    count: int
    rate: float
    """Of each, a second."""
    seconds: float
    fail: float
    strategy: str = "three retries"
    backoff_s: float = 0.0
    """Before the first retry; it doubles."""
    serial: bool = False
    """Whether each waits for the end of its request before the next."""
    as_published: bool = True
    """Whether open ones begin with one request more at about 10 ms, and serial ones end with one if they are idle."""


def ask(clients: Clients, rng: Random) -> Counted:  # noqa: C901  # the functions of one small world
    """Let clients ask; all that they begin ends."""
    events = Events()
    requests = successes = calls = 0

    def leg() -> float:
        return events.now + rng.expovariate(100.0)

    def begin(budget: Budget, previous: float) -> None:
        nonlocal requests, calls
        if clients.serial and events.now > clients.seconds and not clients.as_published:
            return
        requests += 1
        calls += 1
        budget.start()
        if not clients.serial:
            plan(budget, previous)
        events.at(leg(), serve, budget, 1, clients.backoff_s)

    def plan(budget: Budget, previous: float) -> None:
        if not clients.serial:
            following = events.now + rng.expovariate(clients.rate)
            if following <= clients.seconds:
                events.at(following, begin, budget, previous)
        elif events.now <= clients.seconds:
            following = max(events.now, previous + rng.expovariate(clients.rate))
            last[id(budget)] = following
            events.at(following, begin, budget, following)

    def serve(budget: Budget, tries: int, backoff_s: float) -> None:
        events.at(leg(), answer, budget, tries, backoff_s, int(rng.random() > clients.fail))

    def answer(budget: Budget, tries: int, backoff_s: float, good: int) -> None:
        nonlocal successes, calls
        successes += good
        if not good and budget.allows(tries):
            calls += 1
            events.at(leg() + backoff_s, serve, budget, tries + 1, 2 * backoff_s)
        elif clients.serial:
            plan(budget, last[id(budget)])

    budgets = [STRATEGIES[clients.strategy]() for _ in range(clients.count)]
    last = {id(budget): 0.0 for budget in budgets}
    for budget in budgets:
        if clients.serial:
            events.at(leg(), plan, budget, 0.0)
        elif clients.as_published:
            events.at(leg(), begin, budget, 0.0)
        else:
            plan(budget, 0.0)
    events.run()
    return Counted(requests, successes, calls)


@dataclass
class _Request:
    """A request with its present try; a late answer is ignored."""

    came: float
    tries: int = 1
    done: float = -1.0


class Met(NamedTuple):
    """When each request came, and when it succeeded (-1: never)."""

    came: list[float]
    succeeded: list[float]

    @property
    def goodput(self) -> float:
        """The share of requests that succeeded."""
        return sum(done >= 0 for done in self.succeeded) / len(self.came)

    def collapses(self, since: float, until: float, share: float, window: float) -> bool:
        """Whether goodput over some window after `since` is less than a share of the load; looked at each 0.1 s."""
        begins = [since + 0.1 * step for step in range(int((until - window - since) * 10))]
        return any(
            sum(begin <= done < begin + window for done in self.succeeded)
            < share * sum(begin <= came < begin + window for came in self.came)
            for begin in begins
        )


def _poisson(rate: Callable[[float], float], most: float, until: float, rng: Random) -> Iterator[float]:
    """Thin a Poisson process of rate `most`."""
    now = rng.expovariate(most)
    while now < until:
        if rng.random() * most < rate(now):
            yield now
        now += rng.expovariate(most)


@dataclass(frozen=True)
class Impatient:
    """Callers who give up on a call and make another one; the service goes on with it."""

    timeout: float
    tries: int
    wait: Callable[[Random, int], float] = lambda _rng, _tries: 0.0


def overload(  # noqa: C901  # the functions of one small world
    callers: Impatient,
    load: tuple[Callable[[float], float], float],
    until: float,
    rng: Random,
    *,
    leg: float = 0.0,
    hold: Callable[[Random, int], float],
    servers: float = math.inf,
    places: float = math.inf,
) -> Met:
    """Let impatient callers call a service.

    `load` is the rate at each time and its bound, `leg` the mean of the way there and back, `hold` how long a call is
    worked on, of a generator and the number of calls worked on, itself included; `places` are those of the queue.
    """
    events = Events()
    requests: list[_Request] = []
    queue: list[tuple[_Request, int]] = []
    busy = 0

    def way() -> float:
        return events.now + (rng.expovariate(1 / leg) if leg else 0.0)

    def send(request: _Request) -> None:
        events.at(events.now + callers.timeout, give_up, request, request.tries)
        events.at(way(), arrive, request, request.tries)

    def arrive(request: _Request, number: int) -> None:
        if busy < servers:
            work(request, number)
        elif len(queue) < places:
            queue.append((request, number))
        else:
            events.at(way(), give_up, request, number)

    def work(request: _Request, number: int) -> None:
        nonlocal busy
        busy += 1
        events.at(events.now + hold(rng, busy), finish, request, number)

    def finish(request: _Request, number: int) -> None:
        nonlocal busy
        busy -= 1
        events.at(way(), answer, request, number)
        if queue:
            work(*queue.pop(0))

    def answer(request: _Request, number: int) -> None:
        if request.done < 0 and request.tries == number:
            request.done = events.now

    def give_up(request: _Request, number: int) -> None:
        if request.done >= 0 or request.tries != number:
            return
        request.tries += 1
        if number < callers.tries:
            events.at(events.now + callers.wait(rng, number), send, request)

    for time in _poisson(load[0], load[1], until, rng):
        requests.append(_Request(time))
        events.at(time, send, requests[-1])
    events.run(until)
    return Met([one.came for one in requests], [one.done for one in requests])


def spike(base: float, peak: float, start: float, end: float) -> tuple[Callable[[float], float], float]:
    """Return a load of `base` with a spike of `peak`."""
    return (lambda time: peak if start <= time < end else base), max(base, peak)


def ramp(top: float, slope: float, at: float) -> tuple[Callable[[float], float], float]:
    """Return a load that grows to `top` and falls as fast."""
    return (lambda time: max(top - slope * abs(time - at), 0.0)), top


def full_jitter(rng: Random, tries: int) -> float:
    """Return a wait between 0 and 20 s, which doubles."""
    return rng.random() * 20.0 * 2.0 ** (tries - 1)


def simple_collapse(load: tuple[Callable[[float], float], float], rng: Random, *, jitter: bool) -> Met:
    """Play the world in which a call is held for 1 s and 10 ms for each call there is, for 80 s."""
    callers = Impatient(3.0, 3, full_jitter) if jitter else Impatient(3.0, 3)
    return overload(callers, load, 80.0, rng, leg=0.1, hold=lambda _rng, calls: 1.0 + 0.01 * calls)


def retried_queue(rng: Random, *, tries: int, places: int, until: float = 250.0) -> Met:
    """Play one server with a queue, whose callers give up after 4 s, and a spike at 120 s."""
    load = spike(9.3, 30.0, 120.0, 125.0)
    callers = Impatient(4.0, tries)
    return overload(callers, load, until, rng, hold=lambda rng, _calls: rng.expovariate(10.0), servers=1, places=places)
