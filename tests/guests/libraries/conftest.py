"""One simulated standard library for the tests of a module.

They make hundreds of small runs, and each would search anew for references that the guests before have left.
"""

from collections.abc import Iterator

import pytest

from sim.guests.standard_library import simulated


@pytest.fixture(scope="module")
def one_simulation() -> Iterator[None]:
    with simulated():
        yield
