"""The clocks of the standard library: simulated inside guests, and as they are outside.

Functions of `time` are replaced. Methods of `datetime` cannot be, since its classes are immutable and copied wherever
code says `from datetime import datetime`; so their entries in the classes themselves are exchanged. Python allows that
to no one, but its C interface does (`PyType_Modified` tells the interpreter to look again).

Local time is UTC in a simulation: results must not depend on the time zone of a machine.
"""

from __future__ import annotations

import ctypes
import datetime  # noqa: TID251  # it is what is replaced
import gc
import time  # noqa: TID251  # as above
from typing import TYPE_CHECKING, Any, Final

from sim.guests.inside import EPOCH_NS, INSIDE
from sim.guests.waits import ns_of_seconds, sleep

if TYPE_CHECKING:
    from collections.abc import Callable

NS_PER_S: Final = 10**9


def _since_start(real: Callable[[], float]) -> Callable[[], float]:
    def clock() -> float:
        inside = INSIDE.get()
        return real() if inside is None else inside.now_ns() / NS_PER_S

    return clock


def _since_start_ns(real: Callable[[], int]) -> Callable[[], int]:
    def clock_ns() -> int:
        inside = INSIDE.get()
        return real() if inside is None else inside.now_ns()

    return clock_ns


def _of_the_day(real: Callable[[], float]) -> Callable[[], float]:
    def clock() -> float:
        inside = INSIDE.get()
        return real() if inside is None else (EPOCH_NS + inside.now_ns()) / NS_PER_S

    return clock


def _of_the_day_ns(real: Callable[[], int]) -> Callable[[], int]:
    def clock_ns() -> int:
        inside = INSIDE.get()
        return real() if inside is None else EPOCH_NS + inside.now_ns()

    return clock_ns


def _sleeps(real: Callable[[float], None]) -> Callable[[float], None]:
    def simulated_sleep(seconds: float, /) -> None:
        inside = INSIDE.get()
        if inside is None:
            real(seconds)
            return
        if isinstance(seconds, str) or not hasattr(
            type(seconds), "__float__" if not hasattr(type(seconds), "__index__") else "__index__"
        ):
            real(seconds)  # it says what is wrong
        if not seconds >= 0:
            raise ValueError("sleep length must be non-negative")
        inside.wait(sleep(inside.client, ns_of_seconds(float(seconds))))

    return simulated_sleep


def _broken_down(real: Callable[..., Any], in_utc: Callable[..., Any], wants: int) -> Callable[..., Any]:
    """Return a function such as `time.localtime`, which takes the present time if it is given none."""

    def simulated(*args: Any) -> Any:
        inside = INSIDE.get()
        if inside is None:
            return real(*args)
        if len(args) < wants or (args and args[-1] is None and wants == 1):
            args = (*args[: wants - 1], _now_for(in_utc, inside.now_ns()))
        return in_utc(*args)

    return simulated


def _now_for(in_utc: Callable[..., Any], now_ns: int) -> Any:
    seconds = (EPOCH_NS + now_ns) / NS_PER_S
    return seconds if in_utc in (time.gmtime, _ctime_in_utc) else time.gmtime(seconds)


def _ctime_in_utc(seconds: float) -> str:
    return time.asctime(time.gmtime(seconds))


def replaced_functions() -> dict[Any, Any]:
    """Return the functions of `time`, each with the one that takes its place."""
    found: dict[Any, Any] = {
        time.time: _of_the_day(time.time),
        time.time_ns: _of_the_day_ns(time.time_ns),
        time.sleep: _sleeps(time.sleep),
        time.localtime: _broken_down(time.localtime, time.gmtime, 1),
        time.gmtime: _broken_down(time.gmtime, time.gmtime, 1),
        time.ctime: _broken_down(time.ctime, _ctime_in_utc, 1),
        time.asctime: _broken_down(time.asctime, time.asctime, 1),
        time.strftime: _broken_down(time.strftime, time.strftime, 2),
    }
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        found[getattr(time, name)] = _since_start(getattr(time, name))
        found[getattr(time, f"{name}_ns")] = _since_start_ns(getattr(time, f"{name}_ns"))
    real_of_id = time.clock_gettime
    real_of_id_ns = time.clock_gettime_ns

    def clock_gettime_ns(clock: int, /) -> int:
        inside = INSIDE.get()
        if inside is None:
            return real_of_id_ns(clock)
        return inside.now_ns() + (EPOCH_NS if clock == time.CLOCK_REALTIME else 0)

    def clock_gettime(clock: int, /) -> float:
        return real_of_id(clock) if INSIDE.get() is None else clock_gettime_ns(clock) / NS_PER_S

    found[real_of_id], found[real_of_id_ns] = clock_gettime, clock_gettime_ns
    for real, simulated in found.items():
        simulated.__name__ = simulated.__qualname__ = real.__name__
    return found


# Dates.


def _entries(kind: type) -> dict[str, Any]:
    """Return the dictionary of a class itself, and not a view of it."""
    found: dict[str, Any] = gc.get_referents(kind.__dict__)[0]
    return found


def _set(kind: type, name: str, value: Any) -> None:
    _entries(kind)[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def _utc_now(now_ns: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=(EPOCH_NS + now_ns) // 1000)


class Dates:
    """Puts the present of `datetime` into its classes, and takes it out again."""

    def __init__(self) -> None:
        self._real = {
            (kind, name): kind.__dict__[name]
            for kind, name in (
                (datetime.datetime, "now"),
                (datetime.datetime, "utcnow"),
                (datetime.date, "today"),
            )
        }

    def install(self) -> None:
        """Let dates be asked for inside guests."""
        real_now, real_utcnow, real_today = (entry.__get__ for entry in self._real.values())

        def now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
            inside = INSIDE.get()
            if inside is None:
                found: datetime.datetime = real_now(None, cls)(tz)
                return found
            at = _utc_now(inside.now_ns())
            return _as(cls, at.replace(tzinfo=None) if tz is None else at.astimezone(tz))

        def utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
            inside = INSIDE.get()
            if inside is None:
                found: datetime.datetime = real_utcnow(None, cls)()
                return found
            return _as(cls, _utc_now(inside.now_ns()).replace(tzinfo=None))

        def today(cls: type[datetime.date]) -> datetime.date:
            inside = INSIDE.get()
            if inside is None:
                found: datetime.date = real_today(None, cls)()
                return found
            at = _utc_now(inside.now_ns()).replace(tzinfo=None)
            return _as(cls, at) if issubclass(cls, datetime.datetime) else cls(at.year, at.month, at.day)

        _set(datetime.datetime, "now", classmethod(now))
        _set(datetime.datetime, "utcnow", classmethod(utcnow))
        _set(datetime.date, "today", classmethod(today))

    def restore(self) -> None:
        """Put everything back."""
        for (kind, name), entry in self._real.items():
            _set(kind, name, entry)


def _as(cls: type[datetime.datetime], at: datetime.datetime) -> datetime.datetime:
    """Return a date and time as one of a class."""
    if cls is datetime.datetime:
        return at
    return cls(*at.timetuple()[:6], at.microsecond, at.tzinfo, fold=at.fold)
