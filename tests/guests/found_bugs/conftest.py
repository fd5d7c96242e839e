"""What tests with other versions of libraries share."""

from __future__ import annotations

import pytest
from old_versions import Versions, With


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> With:
    """Simulates a guest with a version, beside what that imports if it is named."""
    for beside in ("aiohttp", "celery", "google.auth", "httpx", "tenacity"):
        pytest.importorskip(beside, reason="what old versions stand on is not installed: pip install -e '.[libraries]'")
    return Versions(lambda: tmp_path_factory.mktemp("library")).simulate
