"""What runs as the garbage collector does is no guest's."""

from __future__ import annotations

import contextvars
import gc
import time
from typing import Any

import pytest
from guests_support import run
from in_guest import seen_in_guest

from sim.guests.inside import INSIDE
from sim.guests.processes import GuestClient


class Heard:
    """Hears of rounds of the collector, as Hypothesis does, and reads a clock."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool, float]] = []

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        del info
        self.seen.append((phase, INSIDE.get() is None, time.perf_counter()))


@pytest.mark.parametrize("comes_late", [False, True])
def test_what_hears_of_the_collector_is_no_guest(comes_late: bool) -> None:
    heard = Heard()

    def guest(call: Any) -> None:
        if comes_late:
            gc.callbacks.append(heard)
        gc.collect()
        told.append(time.perf_counter())
        call()

    told: list[float] = []
    if not comes_late:
        gc.callbacks.append(heard)
    try:
        run(guest)
    finally:
        gc.callbacks.remove(heard)
    assert told == [0.0], "the guest itself reads simulated time"
    inside = [one for one in heard.seen if one[2] == 0.0]
    assert {phase for phase, _, _ in heard.seen} == {"start", "stop"}
    assert inside == []
    assert all(is_outside for _, is_outside, _ in heard.seen)


def test_nothing_hears_of_the_collector_after_a_run() -> None:
    before = list(gc.callbacks)
    run(lambda call: call())
    assert gc.callbacks == before


def test_what_the_collector_frees_reads_the_clock_of_the_host() -> None:
    class Reads:
        def __del__(self) -> None:
            seen.append(time.monotonic())

    def guest(call: Any) -> None:
        one = Reads()
        one.itself = one  # type: ignore[attr-defined]  # a cycle, which the collector alone frees
        del one
        gc.collect()
        call()

    seen: list[float] = []
    run(guest)
    assert seen
    assert seen[0] > 0


def test_code_may_be_copying_its_context_as_a_round_begins() -> None:
    other: contextvars.ContextVar[int] = contextvars.ContextVar("other")
    kept: list[contextvars.Context] = []

    def takes_memory(phase: str, info: dict[str, Any]) -> None:
        del phase, info
        context = contextvars.Context()
        context.run(other.set, 1)
        kept.append(context)

    def copies() -> list[contextvars.Context]:
        gc.set_threshold(1)  # put back after the run
        return [contextvars.copy_context() for _ in range(500)]

    gc.callbacks.append(takes_memory)
    try:
        found = seen_in_guest(copies)
    finally:
        gc.callbacks.remove(takes_memory)
    assert kept
    assert {type(context.get(INSIDE)) for context in found} == {GuestClient}
    assert not any(other in context for context in found)
