"""How property tests run: the same examples every time, unless asked to explore; pytest tests of pytest.

`pytest --hypothesis-profile=explore` draws new examples; what it finds is pinned with `@example`.
"""

import gc
import os
import sys

import pytest
from hypothesis import settings

# No deadline: a test's verdict does not depend on how busy the machine is. No database: it would make two runs differ.
# Fewer examples than Hypothesis' 100: the same ones each time say more about changes of the code than about its cases.
settings.register_profile("repeatable", max_examples=60, deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("repeatable")

# Besides pytester: fixtures of `tests/support`, for whatever room wants them.
pytest_plugins = ["pytester", "handmade", "leaks", "mixed", "played", "reported", "told_services"]

# Code is compiled once, also if the environment asks that Python keep none of it: each process that a test starts would
# compile the package anew, which takes half of its time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

LONG = ("test_large_searches.py", "test_shipped_scenarios.py", "test_seven_days.py", "test_queues.py")
"""Files with tests of many seconds, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest tests: if one of them came last, all other workers would wait for its end."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))


# Imports and collection make hundreds of thousands of objects that all stay: the garbage collector would only look at
# them again and again.
gc.disable()
YOUNG = 3000
"""New objects between two garbage collections: a simulated world alone is made of more than Python's 700."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Turn the garbage collector on for the tests, without what there is before them."""
    gc.collect()  # a quarter of them is of no more use
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    gc.enable()
