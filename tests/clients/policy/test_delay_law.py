"""A law as it is run: arrays and encodings have its bits, and what is worked out once changes none of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_delays import ANY_LAW, FIRST_NUMBERS, REQUESTS, one_by_one

from sim.clients.policy.delay_law import STOP, DelayLaw, NegativeDelay, decoded
from sim.clients.policy.delays import (
    DecorrelatedDelay,
    ExponentialDelay,
    LinearDelay,
    delay_law,
)
from sim.clients.policy.shaping import EqualJitter, FullJitter
from sim.kernel.durations import RUNAWAY_NS, ms_of_ns, ns_of_ms
from sim.laws.formulas import parse
from sim.laws.formulas.tree import Number

MS = 1_000_000


def by_arrays(law: DelayLaw, requests: list[Any], first: int) -> list[list[int]]:
    count = len(requests)
    state = [np.full(count, one) for one in law.start()]
    columns = []
    for place in range(len(requests[0])):
        u, u2, elapsed = (np.array([request[place][k] for request in requests]) for k in range(3))
        numbers = np.full(count, first + place)
        columns.append(law.delays_ns(numbers, elapsed.astype(np.int64), state, [u, u2][: len(law.streams)]).tolist())
    return [list(row) for row in zip(*columns, strict=True)]


@given(ANY_LAW, REQUESTS, FIRST_NUMBERS)
def test_arrays_have_the_bits_of_single_delays(law: DelayLaw, requests: list[Any], first: int) -> None:
    assert by_arrays(law, requests, first) == one_by_one(law, requests, first)


@given(ANY_LAW, REQUESTS, FIRST_NUMBERS)
def test_an_encoded_law_is_the_law(law: DelayLaw, requests: list[Any], first: int) -> None:
    again = decoded(law.encoded(), [name for name, _ in law.lets])
    assert again == law
    assert one_by_one(again, requests, first) == one_by_one(law, requests, first)


@given(ANY_LAW)
def test_an_encoded_law_is_numbers_alone(law: DelayLaw) -> None:
    def is_plain(value: object) -> bool:
        return all(map(is_plain, value)) if isinstance(value, tuple) else type(value) in (int, float)

    assert is_plain(law.encoded())


@given(ANY_LAW, REQUESTS, FIRST_NUMBERS)
def test_delays_are_whole_ns_up_to_the_runaway_or_a_stop(law: DelayLaw, requests: list[Any], first: int) -> None:
    for row in one_by_one(law, requests, first):
        assert all(type(delay_ns) is int and STOP <= delay_ns <= RUNAWAY_NS for delay_ns in row)


def test_arrays_of_different_retries_have_the_bits_of_single_delays() -> None:
    law = delay_law(ExponentialDelay(initial=MS, jitter=FullJitter(), first=7))
    numbers, u = np.array([1, 2, 60, 5000]), np.array([0.1, 0.2, 0.3, 0.4])
    found = law.delays_ns(numbers, np.zeros(4, np.int64), [], [u])
    assert found.tolist() == [
        law.delay_ns(n, 0, [], [one]) for n, one in zip(numbers.tolist(), u.tolist(), strict=True)
    ]


def test_arrays_name_the_first_negative_delay() -> None:
    law = DelayLaw(body=parse("3 - n", ("n",)), place="retrier.delay")
    with pytest.raises(NegativeDelay, match=r"retrier\.delay: the delay before retry 4 is negative, -1 ms"):
        law.delays_ns(np.array([1, 4, 5]), np.zeros(3, np.int64), [], [])


def test_a_negative_delay_changes_nothing_that_is_remembered() -> None:
    law = DelayLaw(body=parse("5 - 4 * n + 0 * previous", ("n", "previous")))
    state = law.start()
    assert law.delay_ns(1, 0, state, []) == MS
    with pytest.raises(NegativeDelay):
        law.delay_ns(2, 0, state, [])
    assert state == [0.0, 1.0]


@pytest.mark.parametrize("text", ["5 * n - 9", "5 * n - 9 + 0 * previous", "5 * n - 9 + 0 * elapsed"])
def test_a_first_delay_of_its_own_stands_for_a_negative_one_too(text: str) -> None:
    law = DelayLaw(body=parse(text, ("n", "previous", "elapsed")), first_ns=7)
    state, states = law.start(), [np.array([one, one]) for one in law.start()]
    assert [law.delay_ns(n, 0, state, []) for n in (1, 2)] == [7, MS]
    assert law.delays_ns(np.array([1, 2]), np.zeros(2, np.int64), states, []).tolist() == [7, MS]
    assert law.wait(2) in [(1.0, 1.0), (0.0, ms_of_ns(RUNAWAY_NS))]


def test_what_infinity_was_replaced_by_is_the_delay_before() -> None:
    law = DelayLaw(body=parse("1 / (n - 1) + previous", ("n", "previous")), overflow_ns=8 * MS)
    state = law.start()
    assert [law.delay_ns(n, 0, state, []) for n in (1, 2)] == [8 * MS, 9 * MS]


@given(st.floats(0, 1e9))
def test_delays_are_rounded_as_all_delays_in_ms_are(delay_ms: float) -> None:
    law = DelayLaw(body=Number(delay_ms))
    assert law.delay_ns(1, 0, [], []) == ns_of_ms(delay_ms)


def test_halves_of_a_nanosecond_go_to_the_even_one() -> None:
    law = DelayLaw(body=parse("u", ("u",)))
    halves = [0.5e-6, 1.5e-6, 2.5e-6]
    assert [law.delay_ns(1, 0, [], [half]) for half in halves] == [0, 2, 2]


def test_laws_without_state_remember_nothing() -> None:
    assert delay_law(ExponentialDelay(initial=MS, jitter=EqualJitter())).start() == []


def test_each_start_is_a_list_of_its_own() -> None:
    law = delay_law(DecorrelatedDelay(base=5 * MS))
    state = law.start()
    law.delay_ns(1, 0, state, [0.9])
    assert law.start() == [0.0, 5.0] != state


def test_retries_without_end_are_not_all_kept() -> None:
    law = delay_law(LinearDelay(initial=MS, step=MS))
    assert [law.delay_ns(n, 0, [], []) for n in range(1, 10_001)] == [n * MS for n in range(1, 10_001)]
    assert len(law._kept) <= 4096  # noqa: SLF001  # that it forgets cannot be seen otherwise
