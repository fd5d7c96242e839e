"""Which rows are attempts of one request."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.fitting.attempts import behind_success, by_request, requests_of


def numbered(keys: list[int], attempts: list[int] | None = None) -> tuple[list[int], list[int]]:
    """Requests and attempts of rows; key 0 is none."""
    key = np.array(keys, np.uint64)
    order, begins = by_request(key, key != 0)
    told = None if attempts is None else np.array(attempts, np.int32)
    request, attempt, _ = requests_of(order, begins, told)
    return request.tolist(), attempt.tolist()


@given(st.lists(st.integers(0, 5)))
def test_attempts_count_the_rows_of_their_key_so_far(keys: list[int]) -> None:
    requests: dict[object, int] = {}
    expected = []
    for row, key in enumerate(keys):
        expected.append(requests.setdefault(key or f"row {row}", len(requests)))
    counts = [1 if key == 0 else keys[:row].count(key) + 1 for row, key in enumerate(keys)]
    assert numbered(keys) == (expected, counts)


def test_a_key_that_begins_anew_is_another_request() -> None:
    assert numbered([7, 7, 7, 7], [1, 2, 1, 2]) == ([0, 0, 1, 1], [1, 2, 1, 2])


def test_requests_of_one_key_at_once_take_their_retries_in_turn() -> None:
    assert numbered([7, 7, 7, 7], [1, 1, 2, 2]) == ([0, 1, 0, 1], [1, 1, 2, 2])


def test_attempts_in_any_order_are_one_request_if_none_is_there_twice() -> None:
    assert numbered([7, 7, 7], [3, 1, 2]) == ([0, 0, 0], [3, 1, 2])


def test_rows_after_a_success_are_counted() -> None:
    request = np.array([0, 1, 0, 0, 1], np.int32)
    assert behind_success(request, np.array([True, False, False, True, True])) == 2
