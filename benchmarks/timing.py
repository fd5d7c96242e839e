"""What the benchmarks share: CPU time of one run, interleaved rounds, and ratios of what the same round measured."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Answer = TypeVar("Answer")


def cpu_s(run: Callable[[], Answer]) -> tuple[float, Answer]:
    """Run once; return the CPU time of this process in seconds, and the answer."""
    gc.collect()
    before = time.process_time()
    answer = run()
    return time.process_time() - before, answer


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let every side measure itself once in each round, so that whatever else the machine does meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            times[name].append(measure())
    return times


def ratio(slow: Sequence[float], fast: Sequence[float]) -> float:
    """Return the median, over the rounds, of how many times as long one side took as the other."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))
