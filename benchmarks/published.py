"""What others published and what we get: `python benchmarks/published.py [RESULT] [--workers N]`.

Prints a row for each number of `tests/support/published_claims.py`: theirs, ours with its standard error, and the
difference in combined standard errors. RESULT (`P1` to `P6`) chooses one; all together take about half an hour of CPU
time. The closed forms of a retry loop are those of `tests/published/test_retry_loop.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from published_claims import STUDIES, Compared


def main(chosen: str, workers: int) -> None:
    """Simulate and print all studies, or those of one result."""
    print(f"{'':<4} {'':<36} {'':<22} {'theirs':>10} {'ours':>10} {'+-':>8} {'errors':>7}")
    for study in STUDIES:
        if chosen in {"", study.result}:
            settings = " ".join(f"--set {key}={value}" for key, value in study.settings.items())
            print(f"{study.result:<4} scenarios/published/{study.scenario}.yaml {settings}".rstrip())
            for one in study.compare(study.run(workers)):
                print(row(one), flush=True)


def row(one: Compared) -> str:
    """Write a claim and what was measured."""
    claim, ours = one.claim, one.ours
    note = f"  ({claim.differs})" if claim.differs else ""
    numbers = f"{claim.theirs:>10.6g} {ours.mean:>10.6g} {ours.error:>8.2g} {one.errors:>+7.1f}"
    return f"{'':<4} {claim.what:<36} {claim.cell:<22} {numbers}{note}"


if __name__ == "__main__":
    words = sys.argv[1:]
    processes = int(words[words.index("--workers") + 1]) if "--workers" in words else 1
    main(words[0] if words and words[0] != "--workers" else "", processes)
