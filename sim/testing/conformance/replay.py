"""The door to all replays: a case says which retrier it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.testing.conformance import ports, workpool

if TYPE_CHECKING:
    from collections.abc import Mapping


def replay(case: Mapping[str, Any]) -> dict[str, Any]:
    """Run a recorded case and return `{"events": [...], "final": {...}}` in the vocabulary of the recordings.

    Times are in ms since the kickoff. Raises KeyError for a retrier or an outcome that the recordings do not know.
    """
    return workpool.replay(case) if case["retrier"] == "workpool" else ports.replay(case)
