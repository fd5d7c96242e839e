"""All that is replaced for a run is put back, whatever happens meanwhile."""

import random
import sys
import threading
import time
from typing import Any

import pytest

from sim.guests.dates import Dates
from sim.guests.output import Output
from sim.guests.standard_library import simulated
from sim.guests.unheard import Input


def found() -> tuple[Any, ...]:
    return time.sleep, sys.stdin, sys.stdout, dict(vars(random.Random)), sys.meta_path[:]


class Broken(Exception):
    pass


def broken(_: Any) -> None:
    raise Broken


@pytest.mark.parametrize("part", [Dates, Output, Input])
def test_what_cannot_be_put_back_leaves_nothing_else_replaced(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, restore = found(), part.restore

    def restores(self: Any) -> None:
        restore(self)
        raise Broken

    monkeypatch.setattr(part, "restore", restores)
    with pytest.raises(Broken), simulated():
        pass
    assert found() == before


@pytest.mark.parametrize("part", [Dates, Input])
def test_an_interrupted_beginning_leaves_nothing_replaced(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found()
    monkeypatch.setattr(part, "install", broken)
    with pytest.raises(Broken), simulated():
        pytest.fail("it has not begun")
    assert found() == before


def test_a_process_without_input_has_none_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with simulated():
        assert sys.stdin is None


def test_a_thread_that_is_the_last_to_end_puts_all_back() -> None:
    before = found()
    has_begun, may_end = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def simulate() -> None:
        try:
            with simulated():
                has_begun.set()
                may_end.wait(60)
        except BaseException as error:  # noqa: BLE001  # whatever it is
            errors.append(error)

    thread = threading.Thread(target=simulate)
    with simulated():
        thread.start()
        has_begun.wait(60)
        during = found()
    assert found() == during != before
    may_end.set()
    thread.join(60)
    assert (errors, found()) == ([], before)
