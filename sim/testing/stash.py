"""Keys under which the plugin notes things about a test."""

from __future__ import annotations

import pytest

FAILURE_SAYS_ALL = pytest.StashKey[bool]()
"""Set on a test whose failure text says everything; its first line is the summary."""
