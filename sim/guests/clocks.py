"""The clocks of the module `time`, simulated inside guests: what they say, and how code sleeps.

`time.time()` is 2026-01-01T00:00:00Z at the start of the simulation; the other clocks start at 0. Local time is UTC, so
that no result depends on the time zone of a machine; the constants `time.tzname` and `time.timezone` are left as they
are. Code takes no simulated time, so the clocks of the processor (`process_time`, `thread_time`, `os.times`,
`resource.getrusage`) stand still at 0: in production they do not pass during a sleep either.

What cannot be reached: code that asks the operating system in C, as `numpy.datetime64("now")`, `ctypes` and other
extensions with a clock of their own do; the times that files carry; and code in an empty context
(`contextvars.Context().run`), which is taken for the host's. The methods of `datetime` are in `dates`.
"""

from __future__ import annotations

import calendar
import datetime
import operator
import os
import select
import time
from typing import TYPE_CHECKING, Any, Final

from sim.guests.anew import refuse_in_import
from sim.guests.inside import EPOCH_NS, INSIDE
from sim.guests.stand_ins import instead_of
from sim.guests.waits import ns_of_seconds, sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.guests.inside import Inside
    from sim.guests.stand_ins import Home

NS_PER_S: Final = 10**9
_MOST_NS: Final = 2**63
"""A duration of Python's C code is a signed number of ns in 64 bits."""
_REAL_TIME_IDS: Final = (0, 5, 8, 11)
"""The clocks of Linux that tell the time of day: `CLOCK_REALTIME`, its coarse one, that of alarms, and `CLOCK_TAI`
(`include/uapi/linux/time.h`)."""
_CPU_IDS: Final = (2, 3)
"""Those of a process and of a thread. Negative numbers are such clocks too."""
_gmtime: Final = time.gmtime
_asctime: Final = time.asctime


def replaced_functions() -> dict[Any, Any]:
    """Return the functions that tell time or sleep, each with the one that takes its place."""
    made: dict[Any, Callable[..., Any]] = {
        time.time: _seconds(time.time, EPOCH_NS),
        time.time_ns: _nanoseconds(time.time_ns, EPOCH_NS),
        time.sleep: _sleeps(time.sleep),
        time.gmtime: _broken_down(time.gmtime, time.gmtime),
        time.localtime: _broken_down(time.localtime, localtime),
        time.ctime: _broken_down(time.ctime, lambda seconds: _asctime(_gmtime(seconds))),
        time.asctime: _of_parts(time.asctime, 0),
        time.strftime: _of_parts(time.strftime, 1),
        time.mktime: _mktime(time.mktime),
        time.clock_gettime: _by_id(time.clock_gettime, in_ns=False),
        time.clock_gettime_ns: _by_id(time.clock_gettime_ns, in_ns=True),
        os.times: _os_times(os.times),
        select.select: _select(select.select),
    }
    for name in ("monotonic", "perf_counter"):
        real, real_ns = getattr(time, name), getattr(time, f"{name}_ns")
        made[real], made[real_ns] = _seconds(real, 0), _nanoseconds(real_ns, 0)
    for name in ("process_time", "thread_time"):
        real, real_ns = getattr(time, name), getattr(time, f"{name}_ns")
        made[real], made[real_ns] = _still(real, 0.0), _still(real_ns, 0)
    try:
        import resource
    except ImportError:  # not on Windows
        pass
    else:
        nothing = resource.struct_rusage((0.0, 0.0, *[0] * 14))
        made[resource.getrusage] = _still(resource.getrusage, nothing)
    return {real: instead_of(real, function) for real, function in made.items()}


def _seconds(real: Callable[[], float], start_ns: int) -> Callable[..., Any]:
    def clock(_: Home) -> float:
        inside = INSIDE.get()
        return real() if inside is None else (start_ns + inside.now_ns()) / NS_PER_S

    return clock


def _nanoseconds(real: Callable[[], int], start_ns: int) -> Callable[..., Any]:
    def clock_ns(_: Home) -> int:
        inside = INSIDE.get()
        return real() if inside is None else start_ns + inside.now_ns()

    return clock_ns


def _still(real: Callable[..., Any], value: Any) -> Callable[..., Any]:
    """Return a clock that stands still inside guests; reading it counts as reading any other clock."""

    def clock(_: Home, *args: Any) -> Any:
        inside = INSIDE.get()
        told = real(*args) if inside is None or args else None  # it says what is wrong with its arguments
        if inside is None:
            return told
        inside.now_ns()
        return value

    return clock


def _os_times(real: Callable[[], os.times_result]) -> Callable[..., Any]:
    def times(_: Home) -> os.times_result:
        inside = INSIDE.get()
        if inside is None:
            return real()
        return os.times_result((0.0, 0.0, 0.0, 0.0, inside.now_ns() / NS_PER_S))

    return times


def _by_id(real: Callable[[int], Any], *, in_ns: bool) -> Callable[..., Any]:
    def clock_gettime(_: Home, clock: int, /) -> Any:
        inside = INSIDE.get()
        told = real(clock)  # it says what is wrong with a number that no clock has
        if inside is None:
            return told
        now_ns = inside.now_ns()
        if clock in _REAL_TIME_IDS:
            now_ns += EPOCH_NS
        elif clock in _CPU_IDS or clock < 0:
            now_ns = 0
        return now_ns if in_ns else now_ns / NS_PER_S

    return clock_gettime


# How code sleeps.


def _sleeps(real: Callable[[float], None]) -> Callable[..., Any]:
    def simulated_sleep(_: Home, seconds: float, /) -> None:
        inside = INSIDE.get()
        if inside is None:
            real(seconds)
        else:
            refuse_in_import(inside)
            sleep(inside, sleep_ns(seconds))

    return simulated_sleep


def sleep_ns(seconds: Any) -> int:
    """Return how long `time.sleep` sleeps, in ns.

    Raises what the real one does: TypeError for what is neither a float nor a whole number, ValueError for a negative
    duration or NaN, and OverflowError for one of more than 292 years, infinity included.
    """
    if not isinstance(seconds, float):
        seconds = operator.index(seconds)
    elif seconds != seconds:  # noqa: PLR0124  # NaN alone differs from itself
        raise ValueError("Invalid value NaN (not a number)")
    if not -_MOST_NS <= seconds * NS_PER_S < _MOST_NS:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    return ns_of_seconds(seconds)


def _select(real: Callable[..., Any]) -> Callable[..., Any]:
    """Return `select.select` as a way to sleep; there is nothing else to wait for in a simulation."""

    def simulated_select(_: Home, *args: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args)
        *watched, seconds = (*args, None) if len(args) == 3 else args  # three lists
        if len(watched) != 3 or any(map(list, watched)) or seconds is None:  # three lists
            inside.refuse("waits for files with select.select; files and sockets are outside of the simulation")
        refuse_in_import(inside)
        sleep(inside, sleep_ns(seconds))
        return [], [], []

    return simulated_select


# Times taken apart.


def _broken_down(real: Callable[..., Any], in_utc: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes seconds apart, or the present time if it is given none."""

    def simulated(_: Home, *args: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args)
        asks_for_now = not args or args[0] is None
        return in_utc(_day_seconds(inside)) if asks_for_now else in_utc(*args)

    return simulated


def localtime(seconds: float | None) -> time.struct_time:
    """Return the local time of an instant, which is UTC."""
    return time.struct_time((*_gmtime(seconds)[:9], "UTC", 0))


def _of_parts(real: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Return a function of a time taken apart, in that place of its arguments; without it, of the present time."""

    def simulated(_: Home, *args: Any) -> Any:
        inside = INSIDE.get()
        if inside is not None and len(args) == place:
            args = (*args, localtime(_day_seconds(inside)))
        return real(*args)

    return simulated


def _day_seconds(inside: Inside) -> int:
    return (EPOCH_NS + inside.now_ns()) // NS_PER_S


def _mktime(real: Callable[[Any], float]) -> Callable[..., Any]:
    def mktime(_: Home, parts: Any, /) -> float:
        told = real(parts)  # it says what is wrong with them
        return told if INSIDE.get() is None else float(seconds_of_utc(parts))

    return mktime


def seconds_of_utc(parts: Any) -> int:
    """Return the seconds since 1970 of a time in UTC; a month, day or hour beyond its range counts on, as in C."""
    year, month, day, hour, minute, second, *_ = parts
    years, months = divmod(month - 1, 12)
    first = datetime.date(year + years, months + 1, 1).toordinal() - datetime.date(calendar.EPOCH, 1, 1).toordinal()
    minutes: int = ((first + day - 1) * 24 + hour) * 60 + minute
    return minutes * 60 + int(second)
