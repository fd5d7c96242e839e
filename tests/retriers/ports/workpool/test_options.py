"""The options of a pool refuse numbers that no upstream could do anything with, as mistakes of whoever wrote them."""

from math import inf, nan

import pytest
from pydantic import ValidationError

from sim.retriers.ports.workpool.options import WorkpoolOptions

KEYS = ("attempts", "max_parallelism", "base", "args_size", "context_size")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [nan, inf, -inf, 10**400, -(10**400)], ids=lambda value: str(value)[:4])
def test_a_number_out_of_all_bounds_is_refused(key: str, value: float) -> None:
    with pytest.raises(ValidationError):
        WorkpoolOptions.model_validate({key: value})
