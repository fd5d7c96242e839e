"""Simulates ten scenarios and prints a digest of each as JSON: `python tests/determinism/digests.py [FILE...]`.

A digest covers every event of the histories and every bit of the per-request arrays of all cells and replications. Of
scenario files that are named, the summaries are printed too. The tests run this file in processes that differ in
everything that must not matter.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.api.run import run
from sim.clients.client import Call, CallFailed, ClientContext
from sim.engine.event import simulate
from sim.history.recorder import Recorder
from sim.retriers.base import LoopRetrier
from sim.scenario.cells import cells
from sim.scenario.load import load

if TYPE_CHECKING:
    from sim.history.records import Requests
    from sim.retriers.base import Retrier
    from sim.scenario.cells import Cell

SCENARIOS = Path(__file__).parent / "scenarios"


class FullJitter(LoopRetrier):
    """Gives up on a call after half a second, waits as errors ask or U * 100 ms * 2^k before the next; five tries."""

    kind = "full-jitter"

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        for tried in range(5):
            try:
                return await call(timeout_ms=500)
            except CallFailed as failed:
                if tried == 4 or failed.final:
                    raise
                await ctx.sleep(failed.retry_after_ms or ctx.uniform("jitter", tried) * 100 * 2**tried)
        return None


class Decorrelated(LoopRetrier):
    """Waits from 50 ms to three times the last delay, at most 5 s; eight tries."""

    kind = "decorrelated"

    async def retry(self, call: Call, ctx: ClientContext) -> Any:
        delay_ms = 50.0
        for tried in range(8):
            try:
                return await call()
            except CallFailed:
                if tried == 7:
                    raise
                delay_ms = min(5000.0, 50.0 + ctx.uniform("jitter", tried) * (3 * delay_ms - 50.0))
                await ctx.sleep(delay_ms)
        return None


RETRIERS: dict[str, type[Retrier]] = {"loop-timeout": FullJitter, "loop-shared": Decorrelated}
"""Scenarios in which a retrier that no file can name takes the place of the one written."""


def simulated(cell: Cell, name: str, seed: int | None = None) -> tuple[list[Recorder], list[Requests]]:
    """Simulate every replication of a cell; return what was recorded in each, and its records."""
    scenario = cell.scenario if seed is None else cell.scenario.model_copy(update={"seed": seed})
    recorders = [Recorder() for _ in range(scenario.replications)]
    retrier = RETRIERS.get(name)
    requests = [
        simulate(scenario, number, retrier=None if retrier is None else retrier(), recorder=recorder)
        for number, recorder in enumerate(recorders)
    ]
    return recorders, requests


def digest_of_records(requests: Requests) -> str:
    """Return the SHA-256 of all columns: names, types, shapes and bytes, little end first."""
    sha = hashlib.sha256()
    for field in fields(requests):
        column = getattr(requests, field.name)
        column = np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))
        sha.update(f"{field.name} {column.dtype.str} {column.shape}\n".encode())
        sha.update(column.tobytes())
    return sha.hexdigest()


def digest(name: str, seed: int | None = None) -> dict[str, str]:
    """Return the digests of a scenario's histories and records, one of each."""
    histories, records = hashlib.sha256(), hashlib.sha256()
    for cell in cells(load(SCENARIOS / f"{name}.yaml")):
        recorders, requests = simulated(cell, name, seed)
        for recorder, finished in zip(recorders, requests, strict=True):
            histories.update(f"{cell.id} {recorder.history().digest()}\n".encode())
            records.update(f"{cell.id} {digest_of_records(finished)}\n".encode())
    return {"histories": histories.hexdigest(), "records": records.hexdigest()}


def names() -> list[str]:
    """Name all scenarios, in order."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def found_simd() -> list[str]:
    """Name the processor's features that NumPy has code of its own for and uses, beyond what it was built for."""
    extensions: Any = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload]
    found: list[str] = extensions.get("found", [])
    return found


if __name__ == "__main__":
    report = {
        "numpy": np.__version__,
        "simd": found_simd(),
        "digests": {name: digest(name) for name in names()},
        "summaries": [run(load(path)).summary_json() for path in sys.argv[1:]],
    }
    json.dump(report, sys.stdout)
