"""How often the 95 % intervals of a fit contain the truth: `python benchmarks/fitting.py [LOGS]`.

Simulates each world of `tests/support/fitted_worlds.py` with so many seeds, fits the log of its calls, and prints a row
for each number: how many fits found it at all (a law, a form of delay, the weather), and the share of these whose
interval has the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fitted_worlds import WORLDS, recovered


def main(logs: int, chosen: str = "") -> None:
    """Measure all worlds, or those whose name has the text `chosen`."""
    for world in WORLDS:
        if chosen not in world.name:
            continue
        print(f"\n{world.name} ({world.count:,} requests, {logs} logs)")
        print(f"  {'number':<28} {'truth':>12} {'found':>7} {'covered':>8}")
        results = [recovered(world, seed) for seed in range(1, logs + 1)]
        for name, truth in world.truths().items():
            known = [result[name] for result in results if result[name] is not None]
            covered = f"{sum(map(bool, known)) / len(known):.0%}" if known else "-"
            print(f"  {name:<28} {truth:>12.6g} {len(known):>3}/{logs:<3} {covered:>8}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2] if len(sys.argv) > 2 else "")
