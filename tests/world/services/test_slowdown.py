"""How long work takes beside other work: per call, and along a curve."""

import pytest

from sim.world.services.options import Slowdown
from sim.world.services.slowdown import Pace

CURVE = Pace(Slowdown(curve=((0, 1.0), (50, 1.5), (100, 4.0))))


def test_without_a_slow_down_work_takes_its_latency() -> None:
    assert Pace(None).work_ns(1000, others=99) == 1000


def test_each_other_call_in_progress_adds_as_much() -> None:
    assert Pace(Slowdown(per_call=10)).work_ns(1000, others=3) == 1030


@pytest.mark.parametrize(
    ("others", "work_ns"), [(0, 1000), (25, 1250), (50, 1500), (75, 2750), (100, 4000), (1000, 4000)]
)
def test_the_factor_is_linear_between_the_points_and_level_after_them(others: int, work_ns: int) -> None:
    assert CURVE.work_ns(1000, others) == work_ns


def test_the_factor_is_level_before_the_first_point() -> None:
    assert Pace(Slowdown(curve=((10, 2.0), (20, 3.0)))).work_ns(1000, others=0) == 2000
