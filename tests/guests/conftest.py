"""What tests of guests share."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from sim.guests.standard_library import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTERED_ONCE = {
    *("test_clocks", "test_contracts", "test_copying", "test_explore", "test_fresh", "test_idle_loops", "test_locks"),
    *("test_loop", "test_randomness", "test_refused", "test_shared_loops", "test_stories", "test_strands"),
    *("test_told_mistakes", "test_named", "test_own_modules"),
}
"""Modules whose claims are about guests, and not about how their standard library is put into place."""


@pytest.fixture(scope="module", autouse=True)
def _prepared_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put the standard library of guests into place once for a module: each time costs a search of the process."""
    if request.module.__name__.rpartition(".")[2] not in ENTERED_ONCE:
        yield
    else:
        with simulated():
            yield
    gc.freeze()  # a search thaws what `tests/conftest.py` has frozen, and collections would pass over all of it
