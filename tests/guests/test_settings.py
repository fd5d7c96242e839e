"""What guest code sets in the process it sets for the run: afterwards the host finds everything as it was."""

import asyncio
import atexit
import builtins
import contextlib
import gc
import io
import logging
import os
import random
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from in_guest import seen_in_guest

from sim.guests import GuestRefused, standard_library
from sim.guests.references import References
from sim.guests.standard_library import simulated


class OwnLogger(logging.Logger):
    """Of a guest."""


def sets_streams() -> None:
    sys.stdout = io.StringIO()
    sys.stderr = io.StringIO()


def replaces_the_clock() -> None:
    time.sleep = lambda _: None
    random.random = lambda: 0.25
    time.sleep(random.random())


SETS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "handlers of the root logger": (
        lambda: logging.basicConfig(level=logging.DEBUG, force=True),
        lambda: (list(logging.root.handlers), logging.root.level),
    ),
    "the level of a logger": (
        lambda: logging.getLogger("asyncio").setLevel(logging.CRITICAL),
        lambda: logging.getLogger("asyncio").level,
    ),
    "a logger that is new": (
        lambda: logging.getLogger(f"{__name__}.new").addHandler(logging.StreamHandler()),
        lambda: list(logging.getLogger(f"{__name__}.new").handlers),
    ),
    "the limit of all loggers": (lambda: logging.disable(logging.CRITICAL), lambda: logging.root.manager.disable),
    "the class of loggers": (lambda: logging.setLoggerClass(OwnLogger), logging.getLoggerClass),
    "filters of warnings": (lambda: warnings.simplefilter("ignore"), lambda: list(warnings.filters)),
    "warnings that are logged": (lambda: logging.captureWarnings(capture=True), lambda: warnings.showwarning),
    "the path of imports": (lambda: sys.path.append("somewhere"), lambda: list(sys.path)),
    "arguments": (lambda: sys.argv.append("--more"), lambda: list(sys.argv)),
    "a hook": (lambda: setattr(sys, "excepthook", print), lambda: sys.excepthook),
    "a hook of threads": (lambda: setattr(threading, "excepthook", print), lambda: threading.excepthook),
    "the timeout of sockets": (lambda: socket.setdefaulttimeout(3), socket.getdefaulttimeout),
    "the garbage collector": (gc.disable, gc.isenabled),
    "the event loop policy": (
        lambda: asyncio.set_event_loop_policy(type(asyncio.get_event_loop_policy())()),
        asyncio.get_event_loop_policy,
    ),
    "the folder of temporary files": (lambda: setattr(tempfile, "tempdir", "/x"), lambda: tempfile.tempdir),
    "a builtin": (lambda: setattr(builtins, "_of_a_guest", 1), lambda: hasattr(builtins, "_of_a_guest")),
    "functions of the clock and of chance": (replaces_the_clock, lambda: (time.sleep, random.random)),
    "a patch that nothing ends": (lambda: mock.patch("os.getcwd").start(), lambda: os.getcwd),
    "streams": (sets_streams, lambda: (sys.stdout, sys.stderr)),
}


def test_all_is_as_it_was() -> None:
    before = {what: shown() for what, (_, shown) in SETS.items()}

    def guest() -> dict[str, Any]:
        for sets, _ in SETS.values():
            sets()
        return {what: shown() for what, (_, shown) in SETS.items()}

    seen = seen_in_guest(guest)
    assert [what for what in SETS if seen[what] == before[what]] == []
    assert {what: shown() for what, (_, shown) in SETS.items()} == before


@pytest.mark.slow
@pytest.mark.parametrize("what", SETS)
def test_it_is_as_it_was(what: str) -> None:
    sets, shown = SETS[what]
    before = shown()

    def guest() -> Any:
        sets()
        return shown()

    assert seen_in_guest(guest) != before
    assert shown() == before


def test_what_the_host_sets_between_two_runs_stays() -> None:
    seen_in_guest(lambda: logging.getLogger("asyncio").setLevel(logging.CRITICAL))
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        seen_in_guest(lambda: logging.getLogger("asyncio").setLevel(logging.CRITICAL))
        assert logging.getLogger("asyncio").level == logging.ERROR
    finally:
        logging.getLogger("asyncio").setLevel(logging.NOTSET)


def test_nothing_that_a_guest_registers_runs_as_the_host_exits() -> None:
    registered = atexit._ncallbacks()  # type: ignore[attr-defined]  # noqa: SLF001  # as there is no other way
    assert seen_in_guest(lambda: atexit.register(print, "left")) is print
    assert atexit._ncallbacks() == registered  # type: ignore[attr-defined]  # noqa: SLF001  # as above


@pytest.mark.parametrize("name", ["settrace", pytest.param("setprofile", marks=pytest.mark.slow)])
def test_a_guest_that_traces_is_refused(name: str) -> None:
    with pytest.raises(GuestRefused, match=rf"calls sys\.{name}: .*test_settings\.py"):
        seen_in_guest(lambda: getattr(sys, name)(None))


@pytest.mark.slow
def test_a_guest_hears_what_it_prints_itself() -> None:
    def guest() -> str:
        with contextlib.redirect_stdout(io.StringIO()) as heard:
            print("here")
        return heard.getvalue()

    assert seen_in_guest(guest) == "here\n"


def test_what_is_kept_makes_no_run_search_the_process_again() -> None:
    for _ in range(2):
        with simulated():
            pass
    parts = standard_library._simulated[0]._parts  # noqa: SLF001  # how much they do shows nowhere else
    (references,) = [part for part in parts if isinstance(part, References)]
    searches = references.searches
    with simulated():
        pass
    assert references.searches == searches
