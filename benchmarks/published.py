"""What others published and what we get: `python benchmarks/published.py [RESULT] [--workers N]`.

Prints a row for each number of `tests/support/published_claims.py`, as Markdown: theirs, ours with its standard error,
and the difference in combined standard errors; `docs/published.md` has them. RESULT (`P1` to `P6`) chooses one; all
together take about ten minutes of CPU time. The closed forms of a retry loop are those of
`tests/published/test_retry_loop.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from published_claims import STUDIES, Compared


def main(chosen: str, workers: int) -> None:
    """Simulate and print all studies, or those of one result, as Markdown."""
    for study in STUDIES:
        if chosen in {"", study.result}:
            settings = "".join(f" --set {key}={value}" for key, value in study.settings.items())
            print(f"\n{study.result}: `retrysim run scenarios/published/{study.scenario}.yaml{settings}`\n")
            print("| number | cell | theirs | ours | +- | difference |")
            print("| --- | --- | ---: | ---: | ---: | ---: |")
            for one in study.compare(study.run(workers)):
                print(row(one), flush=True)


def row(one: Compared) -> str:
    """Write a claim and what was measured."""
    claim, ours = one.claim, one.ours
    note = f" ({claim.differs})" if claim.differs else ""
    numbers = f"{claim.theirs:.6g} | {ours.mean:.6g} | {ours.error:.2g} | {one.errors:+.1f}"
    return f"| {claim.what}{note} | {claim.cell} | {numbers} |"


if __name__ == "__main__":
    words = sys.argv[1:]
    processes = int(words[words.index("--workers") + 1]) if "--workers" in words else 1
    main(words[0] if words and words[0] != "--workers" else "", processes)
