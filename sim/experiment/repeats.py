"""Simulates a few requests again, alone and in another order, and compares the records: a run looks at itself.

Chance and time come to a retrier by address, so that a request does the same whenever it is simulated. A retrier can go
past that: with `random`, a clock, a class attribute, a global of its module. It is then wrong to believe any number of
the run, so each process simulates some of the requests of a chunk twice more, each with a new retrier: first backwards,
then in order of their interest. Chosen are those that ran first and last (what leaks has changed most between them),
those with most attempts, those that took longest, those that ended as few others did, and some in between.

What this costs is bounded by the requests and by the events of the chunk (`SHARE` of them, or `FEW` requests if they
are cheap). It finds what changes within a process. Two more looks find what stays the same all over a process: the
requests of the pilot, simulated before the run, are compared too, and of the first chunk the chosen ones are simulated
once more by the retrier's module as it is right after its import (if the command line names it, `module:Class`). What
neither finds is the order of a set of texts, which differs between processes only: the pilot shows it if workers
simulate the run (`--workers`).

Services of the user's own are looked at in the same way: a world has new ones, as it has a new retrier. What comes
with this package is not tried: tests hold each port to keeping nothing and drawing by address.
"""

from __future__ import annotations

from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.engine.world import World
from sim.experiment.plan import events_of
from sim.guests.named import load_anew
from sim.history.repeats import Unrepeated, unrepeated
from sim.history.request import table
from sim.history.vocabulary import NEVER, Outcome
from sim.retriers.registry import KINDS, is_built_in
from sim.scenario.parts.own_service import own_services
from sim.scenario.schema import with_services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.history.records import Requests
    from sim.retriers.base import Retrier
    from sim.scenario.schema import Scenario

    Make = Callable[[], Retrier]

SHARE: Final = 1 / 400
"""Of the requests of a chunk, and of its events, so many are simulated again."""
TIMES: Final = 2
"""How often each of the chosen requests is simulated again."""
FEW: Final = 5
"""As many requests are chosen at least, if they are cheap."""
OF_THE_FIRST: Final = 4
"""In the first chunk so many times as many are chosen: a run may have no other."""
FEW_EVENTS: Final = 20_000
"""What is simulated again of a small chunk may take so many events: some hundredths of a second."""
SHARE_OF_ONE: Final = 0.2
"""Of the requests of a replication, if it is checked: alone, or with the run chunk by chunk."""
AT_SETTLEMENT: Final = ("outcome", "settled_ns", "known_attempt_end_ns")
"""The columns that are final when a request settles."""
MOST_KEPT: Final = 5
"""Requests of a chunk that are kept as examples."""


def is_tried(cell: Scenario, make: Make | None = None) -> bool:
    """Tell whether requests of a cell are simulated again: whether its retrier or a service is code of the user's own.

    `make` makes the retrier, if the scenario's own does not simulate.
    """
    if any(own_services(cell.services)):
        return True
    own, *of_classes = (one.kind not in KINDS for one in cell.retriers)
    if any(of_classes) or make is None:
        return own or any(of_classes)
    return not is_built_in(type(make()))


def repeat_isolated(
    cell: Scenario, requests: Requests, pilot: Requests | None = None, make: Make | None = None
) -> list[Unrepeated]:
    """Simulate some requests of an isolated cell again; return those that differ from these records, at most a few.

    `pilot` has records of the cell's first requests, which were simulated before. `make` is that of `is_tried`.
    """
    if not len(requests) or not is_tried(cell, make):
        return []
    rows = chosen_rows(requests)
    order = [*sorted(rows, reverse=True), *rows]
    found = _compared(requests, order, World(cell, retrier=make))
    if requests.number[0] == 0:
        found += [] if pilot is None else _against_pilot(requests, pilot)
        found += _by_new_code(cell, make, lambda new, anew: _compared(requests, sorted(rows), World(new, retrier=anew)))
    return first_of(found)


def _compared(requests: Requests, rows: Sequence[int], world: World) -> list[Unrepeated]:
    """Simulate these rows in this order, and compare them."""
    again = table(world.isolated(requests.number[rows].tolist()))
    return unrepeated(requests.select(np.array(rows, np.intp)), again)


def repeat_few_of_shared(
    cell: Scenario, requests: Requests, replication: int, make: Make | None = None, share: float = SHARE
) -> list[Unrepeated]:
    """Simulate the first few requests of a replication twice, without those after them; return those that differ.

    The first few alone meet less company than in the whole replication, so they are compared with one another; with
    these records of the whole, only what settled before the next request came is compared.
    """
    few = _few(requests, share, FEW if replication == 0 else 0)
    if not few or not is_tried(cell, make):
        return []
    before = replication * cell.requests.count

    def alone(cell: Scenario, maker: Make | None) -> Requests:
        return table(World(cell, replication=replication, retrier=maker).shared(at_most=few), replication)

    first = alone(cell, make)
    found = unrepeated(first, alone(cell, make), before)
    settled_ns = requests.settled_ns[:few] if few < len(requests) else requests.settled_ns[:0]
    rows = np.flatnonzero((settled_ns != NEVER) & (settled_ns < requests.submitted_ns[min(few, len(requests) - 1)]))
    found += unrepeated(requests.select(rows), first.select(rows), before, AT_SETTLEMENT)
    if replication == 0:
        found += _by_new_code(cell, make, lambda new, anew: unrepeated(first, alone(new, anew), before))
    return first_of(found)


def _few(requests: Requests, share: float, least: int) -> int:
    """Choose how many of the first requests of a replication are simulated again: `share`, or `least` if cheap."""
    if (requests.outcome == Outcome.runaway).any():
        return 0
    count, events = len(requests), np.cumsum(events_of(requests))
    total = int(events[-1]) if count else 0
    few = int(np.searchsorted(events, _allowance(total, count, share) / TIMES, "right"))
    return min(few, max(least, round(count * share / TIMES)))


def repeat_replications(
    cell: Scenario, replications: Sequence[Requests], make: Make | None, at_most: int
) -> list[Unrepeated]:
    """Simulate a quarter of the replications again, the first one after the last; return the requests that differ.

    Of each replication they are at most a few; of a single one only the first requests are simulated again. `at_most`
    is how many requests a replication has.
    """
    if not is_tried(cell, make):
        return []
    count = len(replications)
    if count == 1:
        return repeat_few_of_shared(cell, replications[0], 0, make, SHARE_OF_ONE)
    found: list[Unrepeated] = []
    inwards = (number for pair in zip(range(count), reversed(range(count)), strict=True) for number in pair)
    for number in islice(inwards, max(1, count // 4)):
        again = table(World(cell, replication=number, retrier=make).shared(at_most=at_most), number)
        found += first_of(unrepeated(replications[number], again, number * cell.requests.count))
    return sorted(found)


def maker_anew(cell: Scenario) -> Make | None:
    """Return what makes a cell's retrier with its module run anew; None if the cell does not name a `module:Class`."""
    kind = load_anew(cell.retrier.kind) if cell.retrier.trusted else None
    return None if kind is None else lambda: kind(cell.retrier.options)


def _by_new_code(
    cell: Scenario, make: Make | None, look: Callable[[Scenario, Make | None], list[Unrepeated]]
) -> list[Unrepeated]:
    """Look at requests with the modules of the user's code run anew: what they hold is as at the start of a process."""
    anew = maker_anew(cell) if make is None else None
    services = {name: found for name, one in own_services(cell.services) if (found := one.anew()) is not None}
    if anew is None and not services:
        return []
    try:
        return look(with_services(cell, services), anew or make)
    except Exception:  # noqa: BLE001  # code that was not written to be there twice may fail in any way
        return []


def first_of(found: Sequence[Unrepeated]) -> list[Unrepeated]:
    """Return the first few of these, each request once, in order of number."""
    once = {one.request: one for one in reversed(found)}
    return [once[number] for number in sorted(once)[:MOST_KEPT]]


def _against_pilot(requests: Requests, pilot: Requests) -> list[Unrepeated]:
    """Compare with the pilot, which may have been cut off sooner than the run, the requests that are in both."""
    count = min(len(pilot), len(requests))
    rows = np.flatnonzero(pilot.outcome[:count] != Outcome.runaway)
    return unrepeated(pilot.select(rows), requests.select(rows))


def chosen_rows(requests: Requests) -> list[int]:
    """Choose rows to simulate again, the most interesting ones first; at least one, whatever it costs."""
    count = len(requests)
    events = events_of(requests)
    allowance = _allowance(int(events.sum()), count, SHARE) / TIMES
    most = max(FEW, round(count * SHARE / TIMES))
    if requests.number[0] == 0:
        allowance, most = allowance * OF_THE_FIRST, most * OF_THE_FIRST
    most = min(most, count)
    chosen: dict[int, None] = {}
    for row in _by_interest(requests, most):
        cost = int(events[row])
        if row in chosen or cost > allowance:
            continue
        chosen[row] = None
        allowance -= cost
        if len(chosen) == most:
            break
    return list(chosen) or [int(events.argmin())]


def _allowance(events: int, count: int, share: float) -> float:
    """Return how many events the requests that are simulated again may have together."""
    allowed = 2 * share * events  # twice as many as average ones have, since the dear ones are chosen
    return allowed if count * SHARE >= FEW * TIMES else max(allowed, FEW_EVENTS)


def _by_interest(requests: Requests, most: int) -> Iterator[int]:
    """Yield rows in turn: of most attempts, first, last, rare in how they ended, slowest, and spread over all."""
    count = len(requests)
    counts = np.bincount(requests.outcome)
    outcomes = [int(code) for code in np.argsort(counts, kind="stable") if counts[code]]
    rarest = [int((requests.outcome == code).argmax()) for code in outcomes] if len(outcomes) > 1 else []
    ranked = (
        np.argsort(-requests.attempts, kind="stable")[:most].tolist(),
        range(min(count, most)),
        range(count - 1, max(-1, count - 1 - most), -1),
        rarest,
        np.argsort(-requests.settled_ns, kind="stable")[:most].tolist(),
        [count * (2 * at + 1) // (2 * most) for at in range(most)],
    )
    for rows in zip_longest(*ranked):
        yield from (row for row in rows if row is not None)
