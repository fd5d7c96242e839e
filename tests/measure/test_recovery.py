"""Recovery, on requests made by hand and held to a model that looks at every window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.measure.recovery import RecoveryTerms, recovers

TERMS = RecoveryTerms(after_ns=10, within_ns=10, share=0.9, window_ns=10)
EVERY = np.arange(0, 100)


def test_it_recovers_if_all_that_is_offered_succeeds() -> None:
    assert recovers(EVERY, EVERY, 100, TERMS) is True


def test_what_goes_wrong_before_the_time_is_over_does_not_count() -> None:
    assert recovers(EVERY, EVERY[20:], 100, TERMS) is True


def test_it_collapses_if_goodput_stays_below_the_share() -> None:
    assert recovers(EVERY, EVERY[::2], 100, TERMS) is False


def test_one_bad_window_late_is_enough() -> None:
    gap = np.concatenate([EVERY[:60], EVERY[62:]])  # 8 of 10
    assert recovers(EVERY, gap, 100, TERMS) is False


def test_a_window_may_miss_what_the_share_leaves() -> None:
    gap = np.concatenate([EVERY[:60], EVERY[61:]])  # 9 of 10
    assert recovers(EVERY, gap, 100, TERMS) is True


def test_windows_need_not_be_round() -> None:
    """Each of [20, 30), [30, 40), ... has 9 of 10; [25, 35) has 8."""
    gap = np.setdiff1d(EVERY, [29, 30])
    assert recovers(EVERY, gap, 100, TERMS) is False


def test_the_time_behind_the_last_submission_is_not_judged() -> None:
    assert recovers(EVERY, EVERY[EVERY < 90], 10_000, RecoveryTerms(10, 10, 0.9, 10)) is False
    assert recovers(EVERY[EVERY < 90], EVERY[EVERY < 90], 10_000, TERMS) is True


def test_a_second_trigger_that_it_does_not_survive_counts() -> None:
    good = EVERY[(EVERY < 70) | (EVERY > 85)]
    assert recovers(EVERY, good, 100, TERMS) is False


@pytest.mark.parametrize("observed", [25, 29])
def test_without_a_whole_window_nothing_is_said(observed: int) -> None:
    assert recovers(EVERY, EVERY, observed, TERMS) is None


def test_without_requests_nothing_is_said() -> None:
    assert recovers(np.zeros(0, np.int64), np.zeros(0, np.int64), 100, TERMS) is None


instants = st.lists(st.integers(0, 60), max_size=40)


@given(instants, instants, st.integers(1, 12), st.integers(0, 20), st.sampled_from([0.5, 0.8, 1.0]))
def test_it_agrees_with_a_look_at_every_window(
    submitted: list[int], succeeded: list[int], window: int, start: int, share: float
) -> None:
    last = min(55, max(submitted, default=-1))
    begins = range(start, last - window + 1)
    good = [
        sum(begin <= at < begin + window for at in succeeded)
        >= share * sum(begin <= at < begin + window for at in submitted)
        for begin in begins
    ]
    terms = RecoveryTerms(start, 0, share, window)
    found = recovers(np.array(submitted, np.int64), np.array(succeeded, np.int64), 55, terms)
    assert found is (all(good) if good else None)
