"""Guests with another version of their library: each runs in a process of its own, `guests/found_bugs/child.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CHILD = Path(__file__).parents[1] / "guests" / "found_bugs" / "child.py"


class Ran(NamedTuple):
    """What came of a simulation with one version."""

    refused: str | None
    requests: list[dict[str, Any]]

    @property
    def request(self) -> dict[str, Any]:
        (only,) = self.requests
        return only

    @property
    def waits(self) -> list[float]:
        return [sleep for request in self.requests for sleep in request["sleeps"]]

    @property
    def called(self) -> list[float]:
        """When requests that come every five seconds reached the service."""
        return [instant for request in self.requests for instant in request["attempts"]]


With = Callable[..., Ran]
"""Called with a guest, a scenario without its retrier, and what to install."""


class Versions:
    """Installs versions below a folder, each set once, and simulates guests with them."""

    def __init__(self, below: Callable[[], Path]) -> None:
        self._below = below
        self._folders: dict[tuple[str, ...], str] = {}

    def simulate(self, guest: str, scenario: str, *wanted: str) -> Ran:
        """Run a guest, `module:name` of the folder `guests`, with versions of libraries, as pip names them."""
        child = subprocess.run(  # noqa: S603  # this interpreter
            [sys.executable, str(CHILD), self._installed(*wanted), guest],
            input=f"{scenario}retrier: component\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        return Ran(**json.loads(child.stdout))

    def _installed(self, *wanted: str) -> str:
        if wanted not in self._folders:
            # A folder of this name holds libraries, not the user's own code.
            folder = self._below() / "site-packages"
            pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--target"]
            subprocess.run([*pip, str(folder), *wanted], check=True)  # noqa: S603  # pip of this interpreter
            self._folders[wanted] = str(folder)
        return self._folders[wanted]
