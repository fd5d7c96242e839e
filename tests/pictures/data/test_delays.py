"""How the delays of presets spread, as their picture takes it."""

import pytest

from sim.pictures.data.delays import LEAST_RETRIES, MOST_RETRIES, delays_data
from sim.retriers.presets import find

MS = 1_000_000
S = 1000 * MS


def test_a_band_has_its_ends_its_middle_half_and_its_median() -> None:
    """stamina: 0.1 s * 2^(n-1) and up to 1 s more, at most 5 s."""
    (band,) = delays_data(find("stamina")).bands
    first = [values[0] / MS for values in (band.least, band.low, band.median, band.high, band.most)]
    assert first == pytest.approx([100, 350, 600, 850, 1100], abs=0.3)
    assert band.least[6] == band.most[6] == 5 * S
    assert len(band.median) == 9


def test_a_law_without_jitter_has_no_band() -> None:
    (band,) = delays_data(find("temporal-activity")).bands
    assert not band.has_jitter
    assert [delay / S for delay in band.median] == [1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100, 100]


def test_few_retries_are_shown_with_more_that_tell_how_the_law_goes_on() -> None:
    data = delays_data(find("envoy"))
    assert (len(data.bands[0].median), data.last_retry) == (LEAST_RETRIES, 1)


def test_many_retries_are_cut() -> None:
    data = delays_data(find("sidekiq"))
    assert (len(data.bands[0].median), data.last_retry) == (MOST_RETRIES, None)


def test_cases_with_a_delay_of_their_own_have_a_band_each() -> None:
    data = delays_data(find("botocore-standard-1.44"))
    assert [band.name for band in data.bands] == ["otherwise", "after rejected, failed.throttled"]
    assert [band.most[0] / MS for band in data.bands] == pytest.approx([50, 1000], rel=0.001)


def test_cases_with_other_limits_end_at_their_own() -> None:
    data = delays_data(find("lambda-async"))
    assert ([len(band.median) for band in data.bands], data.last_retry) == ([2, MOST_RETRIES], None)


@pytest.mark.parametrize(("name", "is_log"), [("polly-linear", False), ("stamina", False), ("sidekiq", True)])
def test_medians_far_apart_get_a_logarithmic_axis(name: str, is_log: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert delays_data(find(name)).is_log == is_log


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("failsafe", "No delay: retries go at once."),
        ("grpc-hedge", "No delay: copies go by time, not after failures."),
        ("stamina", ""),
    ],
)
def test_a_picture_without_delays_says_so(name: str, note: str) -> None:
    assert delays_data(find(name)).note == note
