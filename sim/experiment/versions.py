"""Versions that the JSON files of a run, a search or a comparison state."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Final

SUMMARY_SCHEMA: Final = 2
"""Of `summary.json`, `tune.json` and `comparison.json`; grows if a program that reads one of them has to change."""
PACKAGES: Final = ("retrysim", "numpy", "scipy", "simpy")
"""The packages whose code makes the numbers."""


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages whose code makes the numbers."""
    return {name: _version(name) for name in PACKAGES}


@cache
def _version(name: str) -> str:
    return version(name)
