"""What a failure tells its caller: the part of an answer by which retriers decide.

Rooms that make facts put it into what they record as it is, so a digest covers its name and those of its fields.
"""

from __future__ import annotations

from typing import NamedTuple

from sim.history.vocabulary import FAILED


class Failure(NamedTuple):
    """What the error that an attempt threw says, and what kind of an answer it is."""

    final: bool
    """Whether it is marked as not worth a retry."""
    retry_after_ns: int
    """How long it asks to wait before a retry, or -1."""
    kind: str = FAILED
    """The answer: one of `ANSWERS` besides success, or a kind of one, such as `failed.NAME`."""
