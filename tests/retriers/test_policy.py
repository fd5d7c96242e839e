"""`policy`: tries, a timeout and a delay, all of them data."""

import pytest

from sim.api.check import check
from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.history.vocabulary import Outcome
from sim.scenario.load import parse

MS = 1_000_000
FAILS = "action: {script: [{outcome: fail, latency: 10ms}]}\nrequests: {count: 1}\n"


def sleeps_ms(retrier: str, text: str = FAILS) -> list[float]:
    recorder = Recorder()
    simulate(parse(f"{text}retrier: {{kind: policy, {retrier}}}"), recorder=recorder)
    return [raw[5] / MS for raw in recorder.raw if raw[1] == "sleep"]


def attempts(retrier: str, text: str = FAILS) -> int:
    return int(simulate(parse(f"{text}retrier: {{kind: policy, {retrier}}}")).attempts[0])


def test_nothing_is_on_unless_stated() -> None:
    assert (attempts(""), sleeps_ms("")) == (1, [])


def test_tries_are_counted_with_the_first() -> None:
    assert attempts("attempts: 3") == 3


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("none", []),
        ("{constant: 30ms}", [30, 30, 30]),
        ("{linear: {initial: 10ms, step: 5ms}}", [10, 15, 20]),
        ("{linear: {initial: 10ms, step: 5ms, cap: 12ms}}", [10, 12, 12]),
        ("{exponential: {initial: 10ms}}", [10, 20, 40]),
        ("{exponential: {initial: 10ms, factor: 3, cap: 50ms}}", [10, 30, 50]),
    ],
)
def test_each_delay_follows_its_law(delay: str, expected: list[float]) -> None:
    assert sleeps_ms(f"attempts: 4, delay: {delay}") == expected


def test_a_delay_that_no_float_holds_makes_a_request_run_away() -> None:
    text = f"{FAILS}retrier: {{kind: policy, attempts: 2000, delay: {{exponential: {{initial: 1s, factor: 1000}}}}}}"
    assert simulate(parse(text)).outcome[0] == Outcome.runaway


def test_a_final_error_is_not_retried() -> None:
    text = "action: {script: [{outcome: fail, final: true}]}\nrequests: {count: 1}\n"
    assert attempts("attempts: 3", text) == 1


def test_a_try_is_given_up_at_its_timeout() -> None:
    text = "action: {script: [{outcome: success, latency: 1s}]}\nrequests: {count: 1}\n"
    assert attempts("attempts: 3, timeout: 300ms", text) == 3


def test_it_keeps_what_it_promises() -> None:
    text = """
requests: {count: 400}
action: {latency: {exponential: {mean: 100ms}}, outcomes: {fail: 0.5, hang: 0.1}}
retrier: {kind: policy, attempts: 4, timeout: 300ms, delay: {exponential: {initial: 100ms, jitter: full, cap: 300ms}}}
"""
    assert not any(cell.broken for cell in check(parse(text)).cells)
