"""The clocks of the standard library say simulated time inside guests, in all the ways that code asks for it."""

import calendar
import copy
import email.utils
import logging
import os
import pickle
import resource
import select
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_guest import START_S, seen_in_async_guests, seen_in_guest

from sim.guests.clocks import seconds_of_utc, sleep_ns
from sim.guests.standard_library import simulated

SLEPT_S = 90.000_000_5
"""With a part of a microsecond, which dates leave out."""
PRESENT = datetime(2026, 1, 1, 0, 1, 30)


@pytest.fixture(autouse=True, scope="module")
def _one_session() -> Iterator[None]:
    """Exchange everything once for all tests of this file."""
    with simulated():
        yield


@pytest.fixture(autouse=True)
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time of the host is 5:45 h ahead: what guests are told must not depend on it."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


def later(ask: Callable[[], Any]) -> Any:
    """What a function returns inside a guest that has slept."""

    def body() -> Any:
        time.sleep(SLEPT_S)
        return ask()

    return seen_in_guest(body)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("time", START_S + SLEPT_S),
        ("monotonic", SLEPT_S),
        ("perf_counter", SLEPT_S),
        ("process_time", 0.0),
        ("thread_time", 0.0),
    ],
)
def test_a_clock_says_simulated_seconds_and_nanoseconds(name: str, expected: float) -> None:
    assert later(getattr(time, name)) == pytest.approx(expected, abs=1e-6)
    start_ns = START_S * 10**9 if name == "time" else 0
    assert later(getattr(time, f"{name}_ns")) == (start_ns + round(SLEPT_S * 1e9) if expected else 0)


def test_an_asynchronous_guest_reads_the_same_clocks() -> None:
    async def body() -> Any:
        time.sleep(SLEPT_S)  # it blocks the loop, in simulated time
        return time.monotonic(), datetime.now(), time.time_ns()

    assert seen_in_async_guests(body, [0]) == [(SLEPT_S, PRESENT, START_S * 10**9 + 90_000_000_500)]


@pytest.mark.parametrize(
    ("clock", "expected_ns"),
    [
        (time.CLOCK_REALTIME, START_S * 10**9 + 90_000_000_500),
        (getattr(time, "CLOCK_TAI", time.CLOCK_REALTIME), START_S * 10**9 + 90_000_000_500),
        (5, START_S * 10**9 + 90_000_000_500),  # CLOCK_REALTIME_COARSE
        (time.CLOCK_MONOTONIC, 90_000_000_500),
        (getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC), 90_000_000_500),
        (getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC), 90_000_000_500),
        (time.CLOCK_PROCESS_CPUTIME_ID, 0),
        (time.CLOCK_THREAD_CPUTIME_ID, 0),
    ],
)
def test_a_clock_asked_for_by_its_number_agrees(clock: int, expected_ns: int) -> None:
    assert later(lambda: time.clock_gettime_ns(clock)) == expected_ns
    assert later(lambda: time.clock_gettime(clock)) == expected_ns / 1e9


@pytest.mark.parametrize("wrong", [4711, "monotonic", None, 1.5])
def test_a_number_that_no_clock_has_is_wrong_as_in_the_host(wrong: Any) -> None:
    assert seen_in_guest(partial(error_of, lambda: time.clock_gettime(wrong))) == error_of(
        lambda: time.clock_gettime(wrong)
    )


def error_of(function: Callable[[], Any]) -> tuple[type, str]:
    try:
        function()
    except Exception as error:  # noqa: BLE001  # any is looked at
        return type(error), str(error)
    return type(None), ""


WRONG_DURATIONS = [
    "1",
    None,
    -1,
    -0.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e30,
    10**30,
    -(10**30),
    1j,
    [],
    object,
]


@pytest.mark.parametrize("wrong", WRONG_DURATIONS)
def test_a_wrong_duration_of_a_sleep_is_refused_as_in_the_host(wrong: Any) -> None:
    real, message = error_of(lambda: time.sleep(wrong))
    simulated, told = seen_in_guest(partial(error_of, lambda: time.sleep(wrong)))
    assert simulated is real
    assert told == message or real is OverflowError  # of which versions of Python say different things


class Indexed:
    """Counts as a whole number."""

    def __index__(self) -> int:
        return 2


@pytest.mark.parametrize("seconds", [0, 0.0, -0.0, True, 2, 2.5, 1e-9, 1e-12, Indexed()])
def test_a_right_duration_of_a_sleep_is_slept(seconds: Any) -> None:
    def body() -> int:
        time.sleep(seconds)
        return time.monotonic_ns()

    expected_s = seconds.__index__() if isinstance(seconds, Indexed) else seconds
    assert seen_in_guest(body) == (max(round(expected_s * 1e9), 1) if expected_s else 0)


@given(st.floats(0, 9e9) | st.integers(0, 9 * 10**9))
def test_a_sleep_takes_its_seconds_to_the_ns(seconds: float) -> None:
    assert sleep_ns(seconds) == min(max(round(seconds * 1e9), seconds > 0), sleep_ns(9.2e9))


def test_select_without_files_is_a_sleep() -> None:
    def body() -> Any:
        return select.select([], [], [], 2.5), time.monotonic()

    assert seen_in_guest(body) == (([], [], []), 2.5)


def test_local_time_is_utc_in_a_guest_and_stays_local_in_the_host() -> None:
    parts = (2026, 1, 1, 0, 1, 30, 3, 1, 0)
    for ask in (time.localtime, time.gmtime, lambda: time.localtime(None), lambda: time.localtime(time.time())):
        assert later(lambda ask=ask: tuple(ask())) == parts
    assert later(lambda: (time.localtime().tm_zone, time.localtime().tm_gmtoff)) == ("UTC", 0)
    assert later(time.ctime) == later(time.asctime) == "Thu Jan  1 00:01:30 2026"
    assert later(lambda: time.strftime("%F %T %Z")) == "2026-01-01 00:01:30 UTC"
    assert seen_in_guest(lambda: time.ctime(86400)) == "Fri Jan  2 00:00:00 1970"
    assert time.ctime(86400) == "Fri Jan  2 05:30:00 1970"  # as it was in 1970
    assert seen_in_guest(lambda: (time.tzname, time.timezone)) == (time.tzname, time.timezone)


@pytest.mark.parametrize("ask", [time.localtime, time.gmtime, time.ctime, time.asctime, time.mktime, time.strftime])
@pytest.mark.parametrize("wrong", ["yesterday", float("nan"), 1e30, (1, 2)])
def test_what_is_wrong_with_a_time_is_told_as_in_the_host(ask: Any, wrong: Any) -> None:
    assert seen_in_guest(partial(error_of, lambda: ask(wrong)))[0] is error_of(lambda: ask(wrong))[0]


@given(st.integers(0, 4 * 10**9))
def test_mktime_of_utc_takes_back_what_gmtime_takes_apart(seconds: int) -> None:
    assert seconds_of_utc(time.gmtime(seconds)) == seconds


@given(st.integers(1971, 2200), st.integers(-30, 40), st.integers(-400, 400), st.integers(-100, 100))
def test_mktime_counts_parts_beyond_their_range_on(year: int, month: int, day: int, hour: int) -> None:
    shifted = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1) + timedelta(days=day - 1, hours=hour)
    assert seconds_of_utc((year, month, day, hour, 0, 0, 0, 0, -1)) == calendar.timegm(shifted.timetuple())


def test_mktime_of_a_guest_is_of_utc() -> None:
    assert later(lambda: time.mktime(time.localtime())) == START_S + 90


def test_the_times_of_processes_stand_still() -> None:
    assert later(os.times) == (0.0, 0.0, 0.0, 0.0, SLEPT_S)
    assert later(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_utime) == 0


# Dates.


class Stamped(datetime):
    """A derived class with a constructor of its own, as `DatetimeWithNanoseconds` of google-api-core has."""

    nanosecond: int

    def __new__(cls, *args: Any, nanosecond: int = 7, **more: Any) -> "Stamped":  # noqa: PYI034  # a tester's class
        made = super().__new__(cls, *args, **more)
        made.nanosecond = nanosecond
        return made


class Day(date):
    """A derived class."""


class Odd(tzinfo):
    """A time zone that says no offset."""

    def utcoffset(self, dt: datetime | None) -> None:
        del dt

    def dst(self, dt: datetime | None) -> None:
        del dt

    def tzname(self, dt: datetime | None) -> str:
        del dt
        return "odd"


BERLIN = ZoneInfo("Europe/Berlin")
EAST = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (datetime.now, PRESENT),
        (lambda: datetime.now(None), PRESENT),
        (lambda: datetime.now(UTC), PRESENT.replace(tzinfo=UTC)),
        (lambda: datetime.now(tz=BERLIN), datetime(2026, 1, 1, 1, 1, 30, tzinfo=BERLIN)),
        (lambda: datetime.now(EAST), datetime(2026, 1, 1, 9, 1, 30, tzinfo=EAST)),
        (datetime.today, PRESENT),
        (date.today, PRESENT.date()),
        (Day.today, Day(2026, 1, 1)),
        (Stamped.now, Stamped(2026, 1, 1, 0, 1, 30)),
        (Stamped.today, Stamped(2026, 1, 1, 0, 1, 30)),
        (lambda: Stamped.now(EAST), Stamped(2026, 1, 1, 9, 1, 30, tzinfo=EAST)),
        (lambda: datetime.fromtimestamp(0), datetime(1970, 1, 1)),
        (lambda: datetime.fromtimestamp(0, EAST), datetime(1970, 1, 1, 9, tzinfo=EAST)),
        (lambda: datetime.fromtimestamp(time.time()), PRESENT),
        (lambda: Stamped.fromtimestamp(1.5), Stamped(1970, 1, 1, 0, 0, 1, 500_000)),
        (lambda: date.fromtimestamp(86_399.9), date(1970, 1, 1)),
        (lambda: Day.fromtimestamp(-1), Day(1969, 12, 31)),
        (lambda: PRESENT.timestamp(), START_S + 90.0),
        (lambda: PRESENT.replace(tzinfo=EAST).timestamp(), START_S + 90.0 - 9 * 3600),
        (lambda: PRESENT.astimezone(), PRESENT.replace(tzinfo=UTC)),
        (lambda: PRESENT.astimezone(EAST), datetime(2026, 1, 1, 9, 1, 30, tzinfo=EAST)),
        (lambda: PRESENT.replace(tzinfo=EAST).astimezone().hour, 15),
        (lambda: PRESENT.replace(tzinfo=Odd()).astimezone(EAST).hour, 9),
        (lambda: PRESENT.astimezone().tzname(), "UTC"),
        (lambda: Stamped(2026, 1, 1).astimezone(EAST), Stamped(2026, 1, 1, 9, tzinfo=EAST)),
        (lambda: email.utils.formatdate(), "Thu, 01 Jan 2026 00:01:30 -0000"),
        (lambda: email.utils.formatdate(localtime=True), "Thu, 01 Jan 2026 00:01:30 +0000"),
        (lambda: email.utils.localtime(), PRESENT.replace(tzinfo=UTC)),
        (
            lambda: email.utils.parsedate_to_datetime("Thu, 01 Jan 2026 00:02:00 GMT") - datetime.now(UTC),
            timedelta(0, 30),
        ),
        (lambda: calendar.timegm(time.gmtime()), START_S + 90),
        (lambda: datetime.now().strftime("%H:%M:%S"), "00:01:30"),
    ],
)
def test_dates_are_those_of_the_simulation(ask: Callable[[], Any], expected: Any) -> None:
    seen = later(ask)
    assert (type(seen), seen) == (type(expected), expected)


def test_a_derived_class_is_constructed_as_in_the_host() -> None:
    assert later(Stamped.now).nanosecond == 7


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_utcnow_is_simulated() -> None:
    assert later(datetime.utcnow) == PRESENT
    assert abs(datetime.utcnow() - datetime.now(UTC).replace(tzinfo=None)) < timedelta(days=1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: datetime.now(5),  # type: ignore[arg-type]
        lambda: datetime.now("UTC"),  # type: ignore[arg-type]
        lambda: datetime.fromtimestamp("0"),  # type: ignore[arg-type]
        lambda: datetime.fromtimestamp(1e30),
        lambda: date.fromtimestamp(None),  # type: ignore[arg-type]
        lambda: date.fromtimestamp(float("nan")),
        lambda: PRESENT.astimezone("UTC"),  # type: ignore[arg-type]
        lambda: datetime.timestamp(5),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_with_a_date_is_told_as_in_the_host(wrong: Callable[[], Any]) -> None:
    assert seen_in_guest(partial(error_of, wrong))[0] is error_of(wrong)[0]


def test_dates_are_pickled_and_copied_as_ever_inside_a_guest() -> None:
    def body() -> Any:
        now = datetime.now(BERLIN)
        return now, pickle.loads(pickle.dumps(now)), copy.deepcopy(now), copy.copy(date.today())  # noqa: S301  # its own

    first, *others, today = later(body)
    assert others == [first, first]
    assert today == date(2026, 1, 1)


def test_a_log_record_of_a_guest_has_simulated_time() -> None:
    def body() -> str:
        record = logging.LogRecord("guest", logging.INFO, "guest.py", 1, "hello", (), None)
        return logging.Formatter("%(asctime)s %(message)s").format(record)

    assert later(body) == "2026-01-01 00:01:30,000 hello"
