"""The fixture `leaking`: retriers that leak, in the state in which a new process imports them."""

import sys
from types import ModuleType

import pytest


@pytest.fixture
def leaking(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delitem(sys.modules, "leaking", raising=False)
    import leaking

    return leaking
