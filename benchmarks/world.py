"""How fast shared worlds are, as ratios of CPU time measured in one interleaved run.

    python benchmarks/world.py [PART ...] [--against WORKTREE] [--rounds N] [--quick]

Every part can be run alone; without a name all of them run. Medians over the rounds are printed. The first three parts
simulate the component on the platform of the profile `convex`, with Poisson arrivals, 64 a second, each time in a
process of its own (`benchmarks/world_side.py`); the others an M/M/c queue with timeouts and retries
(`benchmarks/queue_world.py`).

    convex     how many times as fast as another version of retrysim, such as a worktree of an old commit, named by
               --against; the records of both must be the same in all columns that both have
    growth     how much longer a request takes in a world of 160,000 requests than in one of 5,000
    recording  how much longer a world takes if its history is recorded
    policy     how many times as fast as SimPy worlds with policies are, with the tables and with the event engine
               (`benchmarks/policy_worlds.py`)
    queue      how many times as fast as SimPy the queue is, at a light load and where retries keep it full
    happysim   how many times as fast as the retrying client of happysim, whose Python --happysim names
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import policy_worlds
from queue_world import ours, simpys
from timing import cpu_s, interleaved, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parents[1]
SIDE = ROOT / "benchmarks" / "world_side.py"
REQUESTS = 20_000
FEW, MANY = 5_000, 160_000
"""Requests of a small and of a large world."""
REPLICATIONS = 6
RATES = {75.0: "few are given up", 85.0: "retries keep the queue full"}
"""Requests a second of the queue, which can work on 100."""
HAPPYSIM_SIDE = ROOT / "benchmarks" / "happysim_side.py"


class Given(NamedTuple):
    """What the command line says."""

    rounds: int
    quick: bool
    against: Path | None
    happysim: Path | None


def side(tree: Path, requests: int, replications: int, *, records: bool = False) -> tuple[float, dict[str, str]]:
    """Simulate with the version in `tree`; return seconds a request, and the digest of each column."""
    words = [sys.executable, str(SIDE), str(requests), str(replications), *(["record"] if records else [])]
    told = subprocess.run(  # noqa: S603  # this interpreter runs our own file
        words, env={**os.environ, "PYTHONPATH": str(tree)}, check=True, capture_output=True, text=True
    )
    found = json.loads(told.stdout)
    if not Path(found["package"]).is_relative_to(tree.resolve()):
        raise SystemExit(f"{tree} has no package sim; {found['package']} was simulated instead")
    return found["seconds"] / (requests * replications), found["columns"]


def seconds(requests: int, replications: int, *, records: bool = False) -> float:
    """Simulate with this version; return seconds a request."""
    return side(ROOT, requests, replications, records=records)[0]


def convex(given: Given) -> None:
    """Compare with another version."""
    if given.against is None:
        raise SystemExit("part convex: --against names the worktree to compare with")
    other = given.against.resolve()
    seen: dict[Path, dict[str, str]] = {}

    def measured(tree: Path) -> float:
        taken, seen[tree] = side(tree, REQUESTS, 1 if given.quick else REPLICATIONS)
        return taken

    times = interleaved({"ours": partial(measured, ROOT), "theirs": partial(measured, other)}, given.rounds)
    ours, theirs = seen[ROOT], seen[other]
    common = [name for name in theirs if name in ours]
    differing = [name for name in common if ours[name] != theirs[name]]
    if differing or not common:
        raise SystemExit(f"the versions do not simulate the same: {', '.join(differing) or 'no column in common'}")
    print(f"convex: {ratio(times['theirs'], times['ours']):.2f} times as fast as {given.against}")
    print(f"    all {len(common)} columns that both have are the same, byte for byte")


def growth(given: Given) -> None:
    """Compare a large world with a small one."""
    few = 2 if given.quick else REPLICATIONS
    times = interleaved({"few": partial(seconds, FEW, few), "many": partial(seconds, MANY, 1)}, given.rounds)
    longer = 100 * (ratio(times["many"], times["few"]) - 1)
    print(f"growth: a request of {MANY:,} takes {longer:.0f} % longer than one of {FEW:,}")


def recording(given: Given) -> None:
    """Compare a world that is recorded with one that is not."""
    sides: Mapping[str, Callable[[], float]] = {
        "plain": partial(seconds, REQUESTS, 1),
        "recorded": partial(seconds, REQUESTS, 1, records=True),
    }
    times = interleaved(sides, given.rounds)
    print(f"recording: a world takes {100 * (ratio(times['recorded'], times['plain']) - 1):.0f} % longer")


def queue(given: Given) -> None:
    """Compare an M/M/c queue with timeouts and retries with the same written with SimPy."""
    for rate, what in RATES.items():
        calls: dict[str, int] = {}

        def measured(name: str, run: Callable[[int, float], int], rate: float = rate) -> float:
            seconds, calls[name] = cpu_s(partial(run, REQUESTS, rate))  # noqa: B023  # used in this round alone
            return seconds

        sides = {"ours": partial(measured, "ours", ours), "simpy": partial(measured, "simpy", simpys)}
        times = interleaved(sides, given.rounds)
        print(f"queue, {rate:g}/s ({what}): {ratio(times['simpy'], times['ours']):.2f} times as fast as SimPy")
        print(f"    calls a request: {calls['ours'] / REQUESTS:.2f}, SimPy {calls['simpy'] / REQUESTS:.2f}")


def policy(given: Given) -> None:
    """Compare worlds with policies with the same written with SimPy.

    The worlds are bistable, so that random numbers of another source give another number of calls: times are of a call.
    """
    hands: dict[str, Callable[[str, int], int]] = {
        "tables": policy_worlds.by_tables,
        "event": policy_worlds.by_events,
        "simpy": policy_worlds.simpys,
    }
    for name in policy_worlds.MODELS:

        def measured(run: Callable[[str, int], int], name: str = name) -> float:
            seconds, calls = cpu_s(lambda: sum(run(name, seed) for seed in range(3)))
            return seconds / calls

        times = interleaved({side: partial(measured, run) for side, run in hands.items()}, given.rounds)
        found = {side: ratio(times["simpy"], times[side]) for side in ("tables", "event")}
        said = ", ".join(f"engine {side} {times_as_fast:.2f}" for side, times_as_fast in found.items())
        print(f"policy, {name}: times as fast as SimPy, a call: {said}")


def happysim(given: Given) -> None:
    """Compare the same queue with the retrying client of happysim."""
    python = given.happysim
    if python is None:
        print("happysim: left out; --happysim names a Python (3.13 or later) in which happysim 0.2.5 is installed")
        return
    rate, requests = next(iter(RATES)), REQUESTS // 4
    calls: dict[str, int] = {}

    def theirs() -> float:
        words = [str(python), str(HAPPYSIM_SIDE), str(requests), str(rate)]
        told = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603  # the user names it
        found = json.loads(told.stdout)
        calls["happysim"] = found["calls"]
        seconds: float = found["seconds"]
        return seconds

    def here() -> float:
        seconds, calls["ours"] = cpu_s(partial(ours, requests, rate))
        return seconds

    times = interleaved({"ours": here, "theirs": theirs}, given.rounds)
    print(f"happysim, {rate:g}/s: {ratio(times['theirs'], times['ours']):.1f} times as fast as its retrying client")
    print(f"    calls a request: {calls['ours'] / requests:.2f}, happysim {calls['happysim'] / requests:.2f}")


PARTS: dict[str, Callable[[Given], None]] = {
    "convex": convex,
    "growth": growth,
    "recording": recording,
    "queue": queue,
    "policy": policy,
    "happysim": happysim,
}
"""Each part prints its own ratios; a new one is added here and above."""


def main() -> None:
    """Print the ratios of the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--against", type=Path, metavar="WORKTREE", help="another version, for the part convex")
    parser.add_argument("--happysim", type=Path, metavar="PYTHON", help="a Python with happysim, for the part happysim")
    parser.add_argument("--rounds", type=int, help="interleaved rounds: 7, quick 3")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and replications")
    given = parser.parse_args()
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}; the parts are {', '.join(PARTS)}")
    chosen = given.parts or [part for part in PARTS if part != "convex" or given.against is not None]
    for part in chosen:
        rounds = given.rounds or (3 if given.quick else 7)
        PARTS[part](Given(rounds, given.quick, given.against, given.happysim))


if __name__ == "__main__":
    main()
