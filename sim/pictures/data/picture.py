"""What the data of every picture says of the picture itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The words around a picture."""

    title: str
    """What stands above it."""
    note: str = ""
    """A sentence that stands in it, mostly because it has nothing to show; empty otherwise."""
    caption: str = ""
    """Which simulation it shows, for small print; empty if the caller gave none."""
