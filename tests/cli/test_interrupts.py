"""Ctrl-C: raised, remembered, and held back while commands are imported."""

import signal

import pytest

from sim.cli.interrupts import Interrupts


def test_interrupts_are_raised_and_remembered() -> None:
    interrupts = Interrupts()
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        interrupts(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_interrupts_wait_for_the_end_of_an_import() -> None:
    interrupts = Interrupts()
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():  # noqa: PT012  # what is held back
        interrupts(signal.SIGINT, None)
        reached.append("end")
    assert reached == ["end"]
