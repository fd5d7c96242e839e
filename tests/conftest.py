"""How property tests run: the same examples every time, unless asked to explore; pytest tests of pytest.

`pytest --hypothesis-profile=explore` draws new examples; what it finds is pinned with `@example`.
"""

from hypothesis import settings

# No deadline: a test's verdict does not depend on how busy the machine is. No database: it would make two runs differ.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("repeatable")

# Besides pytester: fixtures of `tests/support`, for whatever room wants them.
pytest_plugins = ["pytester", "handmade", "mixed", "played", "reported"]
