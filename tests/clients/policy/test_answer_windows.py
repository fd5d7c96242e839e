"""Windows of answers, by hand and against a recount of the whole list."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.clients.policy.answer_windows import AnswerWindow, WindowKind, empty_window
from tests.support.recounts import answers_seen


def filled(window: AnswerWindow, *instants_ns: int) -> AnswerWindow:
    for instant_ns in instants_ns:
        window.add(instant_ns, failed=True, slow=False)
    return window


def seen(window: AnswerWindow, now_ns: int) -> int:
    return window.counts(now_ns).answers


def test_a_window_in_calls_forgets_the_oldest_answer() -> None:
    window = empty_window("calls", 2, 0)
    window.add(0, failed=True, slow=True)
    window.add(0, failed=False, slow=False)
    assert window.counts(0) == (2, 1, 1)
    window.add(0, failed=False, slow=False)
    assert window.counts(0) == (2, 0, 0)


@pytest.mark.parametrize(("now_ns", "answers"), [(9, 1), (10, 0)])
def test_a_window_in_time_forgets_an_answer_that_is_as_old_as_it(now_ns: int, answers: int) -> None:
    assert seen(filled(empty_window("time", 10, 0), 0), now_ns) == answers


@pytest.mark.parametrize(("now_ns", "answers"), [(19, 1), (20, 0)])
def test_slots_of_a_grid_forget_a_whole_slot_at_its_multiple(now_ns: int, answers: int) -> None:
    assert seen(filled(empty_window("slots", 10, 10), 10), now_ns) == answers


def test_an_answer_late_in_its_slot_is_forgotten_with_the_slot() -> None:
    window = filled(empty_window("slots", 30, 3), 9)
    assert seen(window, 29) == 1
    assert seen(window, 30) == 0


def test_a_slot_from_an_answer_begins_with_it() -> None:
    window = filled(empty_window("slots_from_answer", 30, 3), 9, 18)
    assert seen(window, 38) == 2
    assert seen(window, 39) == 0


def test_an_answer_at_the_end_of_a_slot_begins_the_next() -> None:
    window = filled(empty_window("slots_from_answer", 30, 3), 9, 19)
    assert seen(window, 39) == 1


def test_the_next_slot_begins_with_the_first_answer_after_its_end() -> None:
    window = filled(empty_window("slots_from_answer", 30, 3), 9, 25)
    assert seen(window, 39) == 1
    assert seen(window, 54) == 1
    assert seen(window, 55) == 0


def test_a_window_for_life_forgets_nothing() -> None:
    assert seen(filled(empty_window("life", 0, 0), 0, 10**18), 10**18) == 2


def test_a_success_ends_a_row_of_failures() -> None:
    window = filled(empty_window("consecutive", 0, 0), 0, 1)
    assert window.counts(1) == (2, 2, 0)
    window.add(2, failed=False, slow=False)
    assert window.counts(2) == (0, 0, 0)


@given(
    kind=st.sampled_from(get_args(WindowKind)),
    slots=st.integers(1, 4),
    width=st.integers(1, 5),
    answers=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), max_size=40),
    later=st.integers(0, 30),
)
def test_a_window_has_what_a_recount_of_the_list_has(
    kind: WindowKind, slots: int, width: int, answers: list[tuple[int, bool, bool]], later: int
) -> None:
    window = empty_window(kind, slots * width, slots)
    now_ns = 0
    told = []
    for gap_ns, failed, slow in answers:
        now_ns += gap_ns
        told.append((now_ns, failed, slow))
        window.add(now_ns, failed=failed, slow=slow)
        assert window.counts(now_ns) == answers_seen(kind, slots * width, slots, told, now_ns)
    now_ns += later
    assert window.counts(now_ns) == answers_seen(kind, slots * width, slots, told, now_ns)
