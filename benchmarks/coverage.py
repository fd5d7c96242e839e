"""How often the 95 % intervals contain the truth: `python benchmarks/coverage.py [SAMPLES]`.

Prints a row for each metric of each world of `tests/support/known_truths.py`: the truth, the share of samples that were
given an interval, the share of these that contain the truth, how often it lies below and above, and the median width.
A world takes about ten seconds with 1000 samples, one of replications longer.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from known_truths import TRUTHS, coverage


def main(samples: int, chosen: str = "") -> None:
    """Measure all worlds, or those whose name has the text `chosen`."""
    for truth in TRUTHS:
        if chosen not in truth.name:
            continue
        print(f"\n{truth.name} ({samples} samples)")
        print(
            f"  {'metric':<26} {'truth':>11} {'given':>6} {'covers':>7} {'below':>6} {'above':>6} {'width':>11}  notes"
        )
        for path, one in coverage(truth, samples).items():
            width = statistics.median(one.widths) if one.widths else float("inf")
            notes = ("discrete " if one.is_discrete else "") + "; ".join(sorted(one.reasons))[:60]
            print(
                f"  {path:<28}{one.truth:>11.5g} {one.given / one.samples:>6.0%} {one.share:>7.1%}"
                f" {one.below / one.samples:>6.1%} {one.above / one.samples:>6.1%} {width:>11.4g}  {notes}"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2] if len(sys.argv) > 2 else "")
