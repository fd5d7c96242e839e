"""Two records of the same requests, held against each other."""

import numpy as np

from sim.history.records import Requests
from sim.history.repeats import unrepeated


def records(count: int = 4) -> Requests:
    return Requests.blank(range(count))


def test_equal_records_repeat() -> None:
    assert unrepeated(records(), records()) == []


def test_each_column_that_differs_is_named_with_both_values() -> None:
    again = records()
    again.attempts[2] = 3
    again.settled_ns[2] = 500
    assert unrepeated(records(), again) == [(2, (("settled_ns", -1, 500), ("attempts", 0, 3)))]


def test_duplicates_differ_by_their_cause() -> None:
    again = records()
    again.duplicates[1, 0] = 2
    ((number, ((name, first, second),)),) = unrepeated(records(), again)
    assert (number, first, second) == (1, 0, 2)
    assert name.startswith("duplicates.")


def test_a_request_that_is_there_twice_counts_once() -> None:
    twice = records().select(np.array([1, 1, 2]))
    again = records().select(np.array([1, 1, 2]))
    again.attempts[:2] = (4, 5)
    assert unrepeated(twice, again) == [(1, (("attempts", 0, 4),))]


def test_requests_of_a_later_replication_have_the_numbers_that_replay_takes() -> None:
    again = records()
    again.polls[3] = 1
    assert [one.request for one in unrepeated(records(), again, before=20)] == [23]


def test_a_request_that_is_submitted_only_once_differs() -> None:
    assert unrepeated(records(4), records(3)) == [(3, (("submitted", 1, 0),))]
    assert unrepeated(records(3), records(4)) == [(3, (("submitted", 0, 1),))]


def test_only_the_columns_that_are_named_decide() -> None:
    again = records()
    again.polls[3] = 1
    assert unrepeated(records(), again, columns=("outcome", "settled_ns")) == []
