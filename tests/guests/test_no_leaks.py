"""Nothing of a run with guests stays in the process, and no other code of it notices one."""

import _thread
import datetime
import decimal
import gc
import locale
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from datetime import date
from datetime import datetime as Datetime  # noqa: N812  # a copy, as guests have them
from functools import partial
from random import random as draw
from time import time as clock
from typing import Any

import numpy as np
import pytest
from in_guest import draws_of, seen_in_async_guests, seen_in_guest, seen_in_guests

from sim.guests.dates import Dates
from sim.guests.numpy_chance import Generators

KEPT_NOW = datetime.datetime.now


def default(now: Callable[[], float] = time.perf_counter) -> float:
    return now()


PLACES: list[Callable[[], Any]] = [
    *(partial(getattr, time, name) for name in sorted(vars(time)) if not name.startswith("_")),
    *(partial(getattr, random, name) for name in ("random", "seed", "gauss", "getrandbits", "uniform", "getstate")),
    *(partial(getattr, uuid, name) for name in ("uuid1", "uuid4", "getnode")),
    *(partial(getattr, threading, name) for name in ("Lock", "RLock")),
    partial(getattr, _thread, "start_new_thread"),
    *(partial(getattr, sys, name) for name in ("stdin", "stdout", "stderr", "breakpointhook", "setrecursionlimit")),
    *(partial(getattr, np.random, name) for name in ("uniform", "seed", "default_rng", "get_state")),
    *(partial(getattr, signal, name) for name in ("signal", "alarm")),
    partial(getattr, np.random.bit_generator, "RLock", None),
    partial(getattr, secrets, "randbits"),
    lambda: default.__defaults__,
    lambda: (draw, clock, KEPT_NOW, Datetime),
    lambda: signal.getsignal(signal.SIGINT),
    lambda: signal.getsignal(signal.SIGVTALRM),
]


def looks() -> tuple[Any, ...]:
    """All that a run exchanges, as objects, and what it might change, as values."""
    return (
        *(place() for place in PLACES),
        *(vars(kind)[name] for entries in (Dates(), Generators()) for kind, name in entries._new),  # noqa: SLF001  # all that is exchanged
        *(value for kind in (random.Random, random.SystemRandom) for value in vars(kind).values()),
        *map(tuple, (vars(random.Random), vars(datetime.datetime), vars(datetime.date))),
    )


def values() -> tuple[Any, ...]:
    return (
        *(list(warnings.filters), warnings.showwarning, repr(decimal.getcontext()), locale.setlocale(locale.LC_ALL)),
        *(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), sys.gettrace()),
        *(random.getstate(), str(np.random.get_state())),
    )


def busy() -> float:
    """Do a bit of all that a guest may do."""
    random.seed(5)
    np.random.seed(5)
    random.gauss(0, 1)
    np.random.uniform()
    time.sleep(random.random())
    uuid.uuid4()
    decimal.getcontext().prec = 3
    print("hello")  # of a guest
    return default() + clock() + KEPT_NOW().year + Datetime.now().year + date.today().year + draw()


async def busy_async() -> float:
    return busy()


def wrong() -> None:
    busy()
    raise ZeroDivisionError


def interrupted() -> None:
    busy()
    raise KeyboardInterrupt


def refused() -> None:
    busy()
    threading.Thread(target=print).start()


def hangs_on() -> None:
    busy()
    while True:
        time.monotonic()


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (lambda: seen_in_guests(busy), None),
        pytest.param(lambda: seen_in_async_guests(busy_async), None, marks=pytest.mark.slow),
        pytest.param(lambda: seen_in_guests(wrong), Exception, marks=pytest.mark.slow),
        (lambda: seen_in_guests(interrupted), BaseException),
        (lambda: seen_in_guests(refused), Exception),
        pytest.param(lambda: seen_in_guests(hangs_on), Exception, marks=pytest.mark.slow),
    ],
    ids=["sync", "async", "wrong", "interrupted", "refused", "hangs on"],
)
def test_after_a_run_everything_is_where_it_was(run: Callable[[], Any], error: type[BaseException] | None) -> None:
    objects, before = looks(), values()
    if error is None:
        run()
    else:
        with pytest.raises(error):
            run()
    assert [
        index
        for index, (one, other) in enumerate(zip(objects, looks(), strict=True))
        if one is not other and one != other
    ] == []
    assert [id(one) for one in objects[: len(PLACES)]] == [id(place()) for place in PLACES] or objects[
        : len(PLACES)
    ] == tuple(place() for place in PLACES)
    assert values() == before


def test_an_interrupt_comes_through_as_what_it_is() -> None:
    async def interrupted_async() -> None:
        interrupted()

    with pytest.raises(KeyboardInterrupt):
        seen_in_guest(interrupted)
    with pytest.raises(KeyboardInterrupt):
        seen_in_async_guests(interrupted_async)


def test_two_runs_in_one_process_give_equal_results() -> None:
    assert seen_in_guests(busy) == seen_in_guests(busy)
    assert draws_of(busy) == draws_of(busy)


@pytest.mark.parametrize("ask", [Datetime.now, KEPT_NOW, lambda: [Datetime.now() for _ in range(2_000)][-1]])
def test_code_that_has_asked_often_before_sees_the_simulated_date_and_then_the_real_one_again(
    ask: Callable[[], datetime.datetime],
) -> None:
    # The interpreter remembers for such code where the method is: it has to look again, twice.
    real = Datetime(2026, 1, 1)
    first = [ask() for _ in range(100)][-1]
    assert first != real
    assert seen_in_guest(ask) == real
    assert ask() >= first
    assert seen_in_guest(ask) == real


class Watching:
    """Another thread of the host, which looks at time and draws as long as a run goes on."""

    def __init__(self) -> None:
        self.over = False
        self.clocks: list[tuple[float, float, int]] = []
        self.drawn: list[float] = []
        self.thread = threading.Thread(target=self.look)

    def look(self) -> None:
        own = random.Random(9)
        while not self.over:
            self.clocks.append((time.time(), time.monotonic(), datetime.datetime.now().year))
            self.drawn.append(own.random())
            uuid.uuid4()
            np.random.default_rng().random()
            time.sleep(0)


def test_another_thread_sees_real_time_and_real_chance_during_a_run() -> None:
    watching = Watching()
    before = time.time(), time.monotonic()
    watching.thread.start()
    while len(watching.clocks) < 10:
        time.sleep(0)

    def body() -> int:
        until = len(watching.clocks) + 50
        while len(watching.clocks) < until:
            time.sleep(0.001)  # simulated: no time for the other thread passes by it
        return len(watching.clocks)

    (seen,) = seen_in_guests(body, [0])
    watching.over = True
    watching.thread.join()
    after = time.time(), time.monotonic()
    assert seen >= 60
    assert all(before[0] <= at <= after[0] and before[1] <= mono <= after[1] for at, mono, _ in watching.clocks)
    own = random.Random(9)
    assert watching.drawn == [own.random() for _ in watching.drawn]


def test_the_host_draws_real_chance_between_two_runs() -> None:
    random.seed(11)
    expected = [random.random() for _ in range(3)]
    random.seed(11)
    seen = []
    for _ in range(3):
        seen_in_guest(busy)
        seen.append(random.random())
    assert seen == expected


def test_a_function_that_a_guest_has_kept_asks_the_host_afterwards() -> None:
    kept: list[Any] = []
    seen_in_guest(lambda: kept.extend([time.time, random.random, datetime.datetime.now, time.sleep]))
    clock_kept, random_kept, now_kept, sleep_kept = kept
    assert abs(clock_kept() - time.time()) < 60
    assert abs(now_kept() - datetime.datetime.now()) < datetime.timedelta(seconds=60)
    random.seed(3)
    first = random.random()
    random.seed(3)
    assert random_kept() == first
    sleep_kept(0)


def test_commands_and_tests_without_guests_do_not_import_what_runs_them() -> None:
    code = """
import sys, sim.api.run, sim.cli.run, sim.explorer.explore, sim.testing.simulate
print({"asyncio", "greenlet", "sim.guests.inside"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # the code above
    assert done.stdout == "set()\n"


def test_pytest_measures_its_tests_in_real_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys
        sys.path.insert(0, {str(pytest.__file__)!r})
        import time
        from sim.guests import guest_of
        from sim.engine.world import World
        from sim.scenario.load import parse

        def test_years():
            def fetch(call):
                time.sleep(3600)
                call()
            text = "seed: 3\\nrequests: {{count: 1}}\\naction: {{outcomes: {{fail: 0}}}}\\nretrier: none\\n"
            World(parse(text), retrier=guest_of(fetch)).isolated(range(1))
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:xdist", "--durations=1", "-vv")
    result.assert_outcomes(passed=1)
    (line,) = [line for line in result.outlines if "call" in line and "test_years" in line]
    assert 0 <= float(line.split("s call")[0]) < 600
