"""How a run says that requests did something else when they were simulated again."""

from sim.history.repeats import Unrepeated
from sim.text.repeats import HEADLINE, repeat_sentences, unrepeated_text

ONE = Unrepeated(7, (("settled_ns", 1_000_000_000, 1_000_000_001), ("outcome", 0, 1), ("attempts", 1, 2)))


def test_nothing_is_said_if_all_repeat() -> None:
    assert repeat_sentences([("a", ()), ("b", ())]) == []


def test_the_request_and_what_differs_come_first_then_the_causes() -> None:
    first, second = repeat_sentences([("a", (ONE,))])
    assert first.startswith(f"{HEADLINE}: request 7 did something else when it was simulated again: it ended as ")
    assert "`random`" in second
    assert "class attribute" in second


def test_a_cell_is_named_if_there_are_several() -> None:
    assert "request 7 of 'b'" in repeat_sentences([("a", ()), ("b", (ONE,))])[0]


def test_other_requests_are_counted() -> None:
    others = (ONE, ONE._replace(request=9), ONE._replace(request=11))
    assert "(so did 2 other requests of those that were tried)" in repeat_sentences([("a", others)])[0]


def test_the_ending_says_more_than_the_times() -> None:
    assert unrepeated_text(ONE) == "it ended as open, then as success; it had 1 attempt, then 2"


def test_times_are_written_with_as_many_digits_as_it_takes_to_differ() -> None:
    times = Unrepeated(7, (("settled_ns", 1_000_000_000, 1_000_000_001),))
    assert unrepeated_text(times) == "it settled at 1s, then at 1.000000001s"


def test_what_never_came_is_said_to_be_so() -> None:
    assert unrepeated_text(Unrepeated(0, (("settled_ns", -1, 5),))) == "it settled at never, then at 5ns"
