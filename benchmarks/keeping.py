"""What it costs to keep results, and how fast a whole run is: ratios and bytes from one interleaved run.

    python benchmarks/keeping.py [--rounds N] [--requests N] [--events N] [--plots]

Polled requests (the `helpers` retrier) whose attempts have lognormal latencies and fail three times in ten. Each round
measures every side once, in CPU time; medians over the rounds are printed.

- Simulating: the vector engine alone, block by block; what it makes is thrown away.
- Kept: a run with a results folder, up to the results file in its place, its table, sentences and `summary.json`, so
  with every metric and its interval. Less the time of simulating, this is the cost of keeping.
- The whole command: `retrysim run FILE --out FOLDER --no-plots` (with `--plots` the pictures too) as a process of its
  own, with all its CPU time: the start of Python, imports, simulation, files.
- SimPy: the simplest model of the same polling, which keeps nothing, with `--events` requests. Its time a request grows
  with their number, since one heap and one garbage collector serve all of them, so the ratio is a careful one.

The bytes of a request are the largest memory of the command less that of the command with 1,000 requests.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simpy_polling import polling
from timing import cpu_s, interleaved, ratio

from sim.api.run import run
from sim.engine import vector
from sim.scenario.load import from_dict, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.scenario.schema import Scenario

FAIL = 0.3
SIGMA = 0.8662
"""Of the logarithm of the latencies, as ln(P99 / median) / 2.3263."""
TEXT = f"""
name: keeping
retrier: helpers
requests: {{count: REQUESTS}}
action: {{latency: {{lognormal: {{median: 120ms, p99: 900ms}}}}, outcomes: {{fail: {FAIL}}}}}
"""
SMALL = 1_000
CHUNK = 1 << 16


def simulating(scenario: Scenario, requests: int) -> None:
    """Simulate with the vector engine, a chunk at a time, and keep nothing."""
    for first in range(0, requests, CHUNK):
        vector.simulate(scenario, range(first, min(first + CHUNK, requests)))


def keeping(scenario: Scenario) -> None:
    """Run with a results folder, and measure all."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(scenario, out=Path(folder) / "out")
        result.table()
        result.sentences()
        result.summary_json()


def command(file: Path, *options: str) -> tuple[float, int]:
    """Run the whole command; return its CPU time in seconds and its largest memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-c", CHILD, "run", str(file), "--out", f"{folder}/out", *options]
        said = subprocess.run(line, check=True, capture_output=True, text=True)  # noqa: S603  # of ours
    seconds, kilobytes = said.stderr.splitlines()[-1].split()
    return float(seconds), int(kilobytes) * 1024


CHILD = """
import resource, sys
from sim.cli.main import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as file:  # Linux; `ru_maxrss` counts the process that forked this one too
        peak = next(line.split()[1] for line in file if line.startswith("VmHWM"))
    print(used.ru_utime + used.ru_stime, peak, file=sys.stderr)
"""


def main() -> None:
    """Print the times, the bytes and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (at least 3)")
    parser.add_argument("--requests", type=int, default=3_000_000, help="requests that are simulated and kept")
    parser.add_argument("--events", type=int, default=20_000, help="requests of SimPy")
    parser.add_argument("--plots", action="store_true", help="the whole command saves its pictures too")
    given = parser.parse_args()
    options = () if given.plots else ("--no-plots",)
    latency = partial(random.lognormvariate, math.log(0.12), SIGMA)
    text = TEXT.replace("REQUESTS", str(given.requests))
    scenario = parse(text)
    # What is imported when it is first needed is no matter of keeping.
    keeping(from_dict({**scenario.written, "requests": {"count": SMALL}}))
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.yaml", Path(folder) / "small.yaml"
        large.write_text(text, encoding="utf-8")
        small.write_text(TEXT.replace("REQUESTS", str(SMALL)), encoding="utf-8")
        peaks: dict[Path, list[int]] = {large: [], small: []}

        def of_command(file: Path) -> float:
            seconds, peak = command(file, *options)
            peaks[file].append(peak)
            return float(seconds / given.requests * 1e9)

        def of(side: Callable[[], object], requests: int) -> float:
            seconds, _ = cpu_s(side)
            return seconds / requests * 1e9

        sides: dict[str, Callable[[], float]] = {
            "SimPy": partial(of, partial(polling, given.events, latency), given.events),
            "simulating": partial(of, partial(simulating, scenario, given.requests), given.requests),
            "kept": partial(of, partial(keeping, scenario), given.requests),
            "command": partial(of_command, large),
            "start": partial(of_command, small),
        }
        times = interleaved(sides, max(given.rounds, 3))
    medians = {name: statistics.median(found) for name, found in times.items()}
    keeps = [kept - alone for kept, alone in zip(times["kept"], times["simulating"], strict=True)]
    peak = statistics.median(peaks[large]) - statistics.median(peaks[small])
    rounds = max(given.rounds, 3)
    print(f"{given.requests:,} polled requests with lognormal latencies, medians of {rounds} rounds of CPU")
    print(f"  simulating alone       {medians['simulating']:8,.0f} ns a request")
    print(f"  keeping on top         {statistics.median(keeps):8,.0f} ns, {ratio(keeps, times['simulating']):.2f} x")
    print(f"  the whole command      {medians['command']:8,.0f} ns, of which its start {medians['start']:,.0f}")
    print(f"  the simplest SimPy     {medians['SimPy']:8,.0f} ns, with {given.events:,} requests")
    print(f"peak memory              {peak / (given.requests - SMALL):8,.0f} bytes a request")
    pictures = "with pictures" if given.plots else "without pictures"
    print(f"the whole command        {ratio(times['SimPy'], times['command']):8.1f} x SimPy, {pictures}")


if __name__ == "__main__":
    main()
