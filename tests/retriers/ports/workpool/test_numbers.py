"""Rooms that do not see the port repeat some of its numbers; each must be the port's."""

import pytest

from sim.contracts.pool import works
from sim.retriers.ports.workpool import config, shared
from sim.stories import pools
from sim.world import faults


@pytest.mark.parametrize(
    ("repeated", "number"),
    [
        (faults.MOST_SLOTS, config.MAX_POSSIBLE_PARALLELISM),
        (works.DEFAULT_PARALLELISM, shared.DEFAULT_MAX_PARALLELISM),
        (pools.DEFAULT_PARALLELISM, shared.DEFAULT_MAX_PARALLELISM),
        (pools.SEGMENT_NS, shared.SEGMENT_NS),
    ],
)
def test_a_number_that_another_room_repeats_is_the_ports(repeated: int, number: int) -> None:
    assert repeated == number
