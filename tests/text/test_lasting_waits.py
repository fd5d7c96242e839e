"""The sentences about guests that wait for ever."""

from sim.history.lasting_waits import LastingWait, merged
from sim.text.lasting_waits import wait_sentences

END = "Limit the wait by a timeout, or let something end it."


def test_one_line_is_named_with_its_requests() -> None:
    (said,) = wait_sentences([("one", [LastingWait("pay.py:7", 1, 12)])])
    assert said == (
        "STUCK: the guest waits at pay.py:7 without a timeout for something that never comes, in 1 request (replay "
        f"request 12). {END}"
    )


def test_of_several_lines_the_first_few_are_named() -> None:
    waits = [LastingWait(f"pay.py:{line}", 2000, line) for line in range(1, 6)]
    (said,) = wait_sentences([("one", waits)])
    assert "(replay request 1); at pay.py:2 2,000 requests; at pay.py:3 2,000 requests; and at 2 other lines." in said


def test_a_wait_without_a_line_is_told_too() -> None:
    (said,) = wait_sentences([("one", [LastingWait("", 3, 0)])])
    assert said.startswith("STUCK: the guest waits without a timeout for something that never comes, in 3 requests")


def test_cells_are_named_if_there_are_several() -> None:
    (said,) = wait_sentences([("one", []), ("two", [LastingWait("pay.py:7", 1, 0)])])
    assert said.startswith("two: STUCK: ")


def test_nothing_is_said_of_guests_that_end() -> None:
    assert wait_sentences([("one", []), ("two", [])]) == []


def test_waits_at_one_line_are_counted_together_and_the_first_request_comes_first() -> None:
    waits = [LastingWait("b", 1, 9), LastingWait("a", 2, 5), LastingWait("b", 3, 4)]
    assert merged(waits) == (LastingWait("b", 4, 4), LastingWait("a", 2, 5))
