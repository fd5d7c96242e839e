"""Runs one guest in simulation with the library of a folder, and prints what each request did, as JSON.

    python child.py FOLDER MODULE:NAME < scenario.yaml

The folder comes first on the path of imports, so the library that the guest names in `LIBRARY` is the one in there.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
S = 1_000_000_000


def main(folder: str, guest: str) -> None:
    """Simulate the scenario that standard input holds."""
    sys.path[:0] = [folder, str(HERE / "guests")]
    library = import_module(import_module(guest.partition(":")[0]).LIBRARY)
    if not Path(library.__file__ or "").is_relative_to(folder):
        sys.exit(f"{library.__name__} was imported from {library.__file__}, not from {folder}")
    logging.disable()  # what libraries log of each retry
    json.dump(ran(guest, sys.stdin.read()), sys.stdout)


def ran(guest: str, scenario: str) -> dict[str, Any]:
    """Return what the requests did, and with which words the simulation refused the guest, if it did."""
    from sim.engine.world import World
    from sim.guests import GuestRefused
    from sim.guests.named import load
    from sim.history.recorder import Recorder
    from sim.scenario.load import parse

    recorder = Recorder()
    cell = parse(scenario)
    kind = load(guest)
    world = World(cell, retrier=lambda: kind(kind.Options()), recorder=recorder)
    refused = None
    try:
        if cell.world == "shared":
            world.shared()
        else:
            world.isolated(range(cell.requests.count))
    except GuestRefused as error:
        refused = str(error)
    return {"refused": refused, "requests": told(recorder.history())}


def told(history: Any) -> list[dict[str, Any]]:
    """Return of each request when its attempts began, what it slept, its effects, and when and how it settled."""
    requests: dict[int, dict[str, Any]] = {}
    for event in history:
        seconds = event.t_ns / S
        if event.kind == "submit":
            requests[event.request] = {"attempts": [], "sleeps": [], "effects": 0, "settled": None, "outcome": None}
        elif event.kind == "attempt":
            requests[event.request]["attempts"].append(seconds)
        elif event.kind == "sleep":
            requests[event.request]["sleeps"].append(event.duration_ns / S)
        elif event.kind == "effect":
            requests[event.request]["effects"] += 1
        elif event.kind == "settled":
            requests[event.request].update(settled=seconds, outcome=event.outcome)
    return list(requests.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
