"""The present time of `datetime`, simulated inside guests. Local time is UTC there, as in `clocks`.

The classes are copied wherever code says `from datetime import datetime`; so methods in the classes themselves are
exchanged, which reaches derived classes too. They do what those in C do, step by step: a derived class is constructed
with the same arguments, and `now(tz)` asks `tz.fromutc`.
"""

from __future__ import annotations

import datetime
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

from sim.guests.entries import ClassEntries
from sim.guests.inside import EPOCH_NS, INSIDE

if TYPE_CHECKING:
    from sim.guests.inside import Inside

_DATE: Final = datetime.date
_DATE_TIME: Final = datetime.datetime
_UTC: Final = datetime.UTC
_EPOCH: Final = _DATE_TIME(1970, 1, 1, tzinfo=_UTC)
_LOCAL: Final = datetime.timezone(datetime.timedelta(0), "UTC")
"""The time zone of the machine, as far as guests can tell."""

_real: Final[dict[tuple[type, str], Any]] = {
    (kind, name): vars(kind)[name]
    for kind, names in (
        (_DATE_TIME, ("now", "utcnow", "fromtimestamp", "timestamp", "astimezone")),
        (_DATE, ("today", "fromtimestamp")),
    )
    for name in names
}


def _present(inside: Inside) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=(EPOCH_NS + inside.now_ns()) // 1000)


def _as(cls: Any, at: datetime.datetime, tz: datetime.tzinfo | None) -> Any:
    """Return a date and time as one of a class, its parts as they are."""
    return cls(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tz)


def now(cls: Any, tz: datetime.tzinfo | None = None) -> Any:
    """Return the present local time, or that of a time zone."""
    inside = INSIDE.get()
    if inside is None:
        return _real[_DATE_TIME, "now"].__get__(None, cls)(tz)
    found = _as(cls, _present(inside), tz)
    return found if tz is None else tz.fromutc(found)


def utcnow(cls: Any) -> Any:
    """Return the present time of UTC, without a time zone."""
    inside = INSIDE.get()
    if _UTCNOW_WARNS:
        warnings.warn(_UTCNOW_WARNS, DeprecationWarning, stacklevel=2)
    at = _real[_DATE_TIME, "now"].__get__(None, _DATE_TIME)(_UTC) if inside is None else _present(inside)
    return _as(cls, at, None)


def _warning_of_utcnow() -> str:
    """Return what `datetime.utcnow` warns of in this Python; nothing before 3.12."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _DATE_TIME.utcnow()  # what it says is looked at, not the time
    return str(heard[0].message) if heard else ""


_UTCNOW_WARNS: Final = _warning_of_utcnow()


def datetime_fromtimestamp(cls: Any, timestamp: float, tz: datetime.tzinfo | None = None) -> Any:
    """Return the local time, or that of a time zone, so many seconds after 1970."""
    inside = INSIDE.get()
    real = _real[_DATE_TIME, "fromtimestamp"]
    if inside is None or tz is not None:
        return real.__get__(None, cls)(timestamp, tz)
    return _as(cls, real.__get__(None, _DATE_TIME)(timestamp, _UTC), None)


def date_fromtimestamp(cls: Any, timestamp: float, /) -> Any:
    """Return the local date so many seconds after 1970."""
    if INSIDE.get() is None or timestamp is None:
        return _real[_DATE, "fromtimestamp"].__get__(None, cls)(timestamp)
    at = _gmtime(timestamp)
    return cls(at.tm_year, at.tm_mon, at.tm_mday)


def today(cls: Any) -> Any:
    """Return the present local date; the present local time, for classes derived from `datetime`."""
    inside = INSIDE.get()
    if inside is None:
        return _real[_DATE, "today"].__get__(None, cls)()
    return cls.fromtimestamp((EPOCH_NS + inside.now_ns()) / 1e9)


def timestamp(self: datetime.datetime) -> float:
    """Return the seconds since 1970; a time without a time zone is local."""
    if INSIDE.get() is not None and isinstance(self, _DATE_TIME) and self.tzinfo is None:
        self = _as(_DATE_TIME, self, _UTC)
    found: float = _real[_DATE_TIME, "timestamp"](self)
    return found


def astimezone(self: Any, tz: datetime.tzinfo | None = None) -> Any:
    """Return the same instant in another time zone, or in the local one; without a time zone it is local."""
    real = _real[_DATE_TIME, "astimezone"]
    if INSIDE.get() is None:
        return real(self, tz)
    if self.tzinfo is None or self.utcoffset() is None:
        self = _DATE_TIME.replace(self, tzinfo=_LOCAL)
    return real(self, _LOCAL if tz is None else tz)


_gmtime: Final = time.gmtime


class Dates(ClassEntries):
    """Puts the simulated present into the classes of `datetime`, and takes it out again."""

    def __init__(self) -> None:
        super().__init__(
            {
                (_DATE_TIME, "now"): classmethod(now),
                (_DATE_TIME, "utcnow"): classmethod(utcnow),
                (_DATE_TIME, "fromtimestamp"): classmethod(datetime_fromtimestamp),
                (_DATE_TIME, "timestamp"): timestamp,
                (_DATE_TIME, "astimezone"): astimezone,
                (_DATE, "today"): classmethod(today),
                (_DATE, "fromtimestamp"): classmethod(date_fromtimestamp),
            }
        )
