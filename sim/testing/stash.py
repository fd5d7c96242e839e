"""Where the plugin keeps what a test run asked for."""

from __future__ import annotations

import pytest

TELLS_ALL = pytest.StashKey[bool]()
"""Set on a test whose failure is told by its text alone; the first line of that is its summary."""
