"""Guest code that hangs is ended with an error that names its line; nothing of the watchdog stays."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from in_guest import seen_in_guest

from sim.guests import watchdog
from sim.guests.refused import GuestRefused
from sim.guests.watchdog import watched

ENDS_TURNS = pytest.mark.skipif(sys.gettrace() is not None, reason="a debugger may look at a turn as long as it likes")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "HANGS_AFTER_S", 0.2)
    monkeypatch.setattr(watchdog, "LOOKS_EVERY_S", 0.02)


def endless() -> None:
    while True:
        with contextlib.suppress(Exception):
            str(1)


HELD = threading.Lock()


def blocked() -> None:
    with HELD:
        pass


def endless_after_a_simulation() -> None:
    seen_in_guest(lambda: 1)
    endless()


def watchdogs() -> int:
    return sum(thread.name == "retrysim watchdog" for thread in threading.enumerate())


@ENDS_TURNS
@pytest.mark.parametrize("hang", [endless, blocked, endless_after_a_simulation])
def test_code_that_hangs_in_the_main_thread_is_ended_with_its_line(hang: Callable[[], None]) -> None:
    with HELD, pytest.raises(GuestRefused, match=r"runs for 0.2 s of real time .* \(.*test_watchdog.py:\d+\)"):
        seen_in_guest(hang)
    assert seen_in_guest(lambda: 1) == 1


@ENDS_TURNS
def test_an_endless_loop_in_another_thread_is_ended_while_the_main_one_simulates_too() -> None:
    told: list[BaseException] = []

    def simulate() -> None:
        try:
            seen_in_guest(endless)
        except GuestRefused as error:
            told.append(error)

    thread = threading.Thread(target=simulate)
    with watched():
        thread.start()
        thread.join(60)
    assert [str(error).partition(":")[0] for error in told] == ["the guest runs for 0.2 s of real time without waiting"]


def test_the_host_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "HANGS_AFTER_S", 0.0)
    with watched():
        threading.Event().wait(0.1)


def test_one_watchdog_looks_and_none_stays() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with watched(), watched():
        assert watchdogs() == 1
        assert signal.getsignal(signal.SIGVTALRM) is not before
    assert watchdogs() == 0
    assert signal.getsignal(signal.SIGVTALRM) is before


@ENDS_TURNS
def test_a_handler_of_the_user_s_own_is_left() -> None:
    def own(*_: Any) -> None: ...

    before = signal.signal(signal.SIGVTALRM, own)
    try:
        with pytest.raises(GuestRefused, match="without waiting"):
            seen_in_guest(endless)
        assert signal.getsignal(signal.SIGVTALRM) is own
    finally:
        signal.signal(signal.SIGVTALRM, before)
