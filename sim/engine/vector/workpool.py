"""`workpool` for arrays: `sim.retriers.ports.workpool` with one work alone in its pool, attempt by attempt.

The loop's runs follow from what it waits for: the report of an attempt, or the instant of the next start. It looks at
once, then every 200 ms through its cool-down, then sleeps: for a start until that is due, for a report until the next
recovery on the grid of a minute or until the report wakes it. `Loops` has these runs in closed form, cool-down by
cool-down, with the monitor, whose runs count as mutations. Requests whose attempts are all usual go the dense way, the
others the long way, as with `component`; what differs is that an attempt may end without a report, which the first
recovery more than five minutes after its start finds.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.engine.vector.arrays import FOREVER, jittered_ns
from sim.engine.vector.attempts import DIED_CODE, THREW_CODE, Attempts
from sim.engine.vector.dense import Dense
from sim.engine.vector.errors import Errors
from sim.engine.vector.loops import Loops
from sim.history.vocabulary import NEVER, Outcome
from sim.retriers.backoff import power
from sim.retriers.ports.workpool.shared import DEFAULT_MAX_PARALLELISM, SEGMENT_NS, bound_scheduled_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.engine.vector.arrays import Bools, Ints, Rows, SomeRows
    from sim.engine.vector.attempts import Ends
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.retriers.ports.workpool.pool import Workpool
    from sim.scenario.schema import Scenario

ALL = slice(None)


def refusals(retrier: Workpool) -> Iterator[str]:
    """Yield why the arrays cannot simulate a pool."""
    if retrier.enqueue_options["maxParallelism"] == 0:
        yield "a pool with `max_parallelism: 0` starts nothing"


def simulate(cell: Scenario, block: Block, retrier: Workpool) -> None:
    """Run each work in its slot, and again after a failure; the event engine gets the requests that are canceled."""
    if block.cancel_ns is not None:
        block.leave(ALL, block.cancel_ns < FOREVER)
    errors = Errors(cell.action)
    kind = retrier.enqueue_options["fnType"]
    if errors.says_nothing and kind == "action":
        _Works(cell, block, retrier, _DenseWay(cell, block)).settle()
    rows = block.unsettled()
    if rows.size:
        _Works(cell, block, retrier, _LongWay(cell, block, errors, rows, at_once=kind != "action")).settle()
    if kind == "mutation":
        block.actions -= block.attempts
    # The submission, and the runs of the loop, besides those that have been counted.
    block.mutations += 1 + block.polls


class _Way(Protocol):
    """A way to keep the requests that go on, with their attempts; columns of shape (requests going on,).

    A place is a position in these columns. A method that may end requests returns the places of those that go on.
    """

    size: int
    draws: DrawsOf
    visible_ns: Ints | None
    """When the job of each attempt without a report has failed, FOREVER for the others; None if all report."""
    failed: Bools
    """Which attempts that report have failed."""

    @property
    def report_ns(self) -> Ints:
        """When each attempt reports; FOREVER if it never does."""

    def start(self, places: slice, number: int, at_ns: Ints) -> Rows | None:
        """Make attempt `number` of each request; returns the places of those that go on, None for all."""

    def final(self, number: int) -> Bools | None:
        """Tell which failed attempts forbid another."""

    def note(self, recovered: Bools | None) -> None:
        """Take that all attempts are over, some without a report: recoveries have found them."""

    def settle(self, places: Rows, outcome: Outcome, attempts: int, settled_ns: Ints) -> None:
        """Settle the requests at some places, of so many attempts each, at instants."""

    def rows(self, places: SomeRows = ALL) -> Rows:
        """Return the rows of the requests at some places."""

    def keep(self, places: Rows) -> Rows | None:
        """Go on with the requests at some places only."""

    def finish(self) -> None:
        """Fill in what follows about the requests that have been settled."""


class _Works:
    """The works of the requests that go on."""

    def __init__(self, cell: Scenario, block: Block, retrier: Workpool, way: _Way) -> None:
        options = retrier.enqueue_options
        parallelism = options["maxParallelism"] or DEFAULT_MAX_PARALLELISM
        behavior = options["retry"] or {"maxAttempts": 1, "initialBackoffMs": 0, "base": 1}
        self._block = block
        self._way = way
        self._attempts_at_most: int = behavior["maxAttempts"]
        self._initial_ms: float = behavior["initialBackoffMs"]
        self._base: float = behavior["base"]
        self._run_after_ns = bound_scheduled_time(round(options["runAfter"] * 1e6), 0)
        is_mutation = options["fnType"] == "mutation"
        calls = options["onComplete"] not in ("none", "throw")
        excluded = options["onCompleteExcludeKinds"]
        success, failed = (calls and kind not in excluded for kind in ("success", "failed"))
        self._mutations_besides = {
            Outcome.success: (1 + success) if is_mutation else 0,
            Outcome.gave_up: is_mutation + failed,
        }
        """A mutation that is the work, and onComplete if it is a job of its own; one that throws does not commit."""
        self._in_transaction = is_mutation
        """A mutation's report comes after the run of the loop at its own instant."""
        phases = (way.draws.uniforms("segment_phase") * SEGMENT_NS).astype(np.int64)
        self._loops = Loops(phases, parallelism, cell.limits.polls_per_request)

    def settle(self) -> None:
        """Make attempts until no request goes on."""
        way, loops = self._way, self._loops
        if way.size:
            loops.first_start(loops.segment_start(np.full(way.size, self._run_after_ns)))
        for number in count(1):
            if not way.size:
                break
            self._keep(way.start(ALL, number, loops.at_ns), dropped=True)
            noticed_ns = way.report_ns + 1 if self._in_transaction else way.report_ns
            self._conclude(number, loops.wait_for_report(noticed_ns, way.visible_ns))
            self._back_off(number)
        way.finish()

    def _conclude(self, number: int, recovered: Bools | None) -> None:
        """Let reports and recoveries settle requests, and plan the attempts that follow."""
        way, loops, block = self._way, self._loops, self._block
        block.leave(way.rows(), loops.beyond)
        over_ns, success = way.report_ns, ~way.failed
        if recovered is not None:
            over_ns = np.where(recovered, loops.at_ns, over_ns)
            success &= ~recovered
            loops.mutations -= recovered  # without the report that is counted for each attempt
        way.note(recovered)
        gave_up = self._gave_up(number, success, recovered)
        for outcome, those in ((Outcome.success, success), (Outcome.gave_up, gave_up)):
            places = np.flatnonzero(those & ~loops.beyond)
            if places.size:
                way.settle(places, outcome, number, over_ns[places])
                rows = way.rows(places)
                block.polls[rows] = loops.end(places)
                block.mutations[rows] += loops.mutations[places] + (number + self._mutations_besides[outcome])
        self._keep(np.flatnonzero(~(success | gave_up | loops.beyond)))

    def _gave_up(self, number: int, success: Bools, recovered: Bools | None) -> Bools:
        """Tell which requests are not tried again: their attempts are spent, or the error forbids another."""
        if number >= self._attempts_at_most:
            return ~success
        final = self._way.final(number)
        if final is None:
            return np.zeros_like(success)
        return final if recovered is None else final & ~recovered

    def _back_off(self, number: int) -> None:
        """Plan attempts after failure `number`, and wait until they start."""
        way, loops = self._way, self._loops
        backoff_ms = self._initial_ms * power(self._base, number - 1)
        at_ns = loops.at_ns + jittered_ns(backoff_ms, way.draws.uniforms("backoff", number))
        due = self._block.due(way.rows(), at_ns)
        if due is not None:
            places = np.flatnonzero(due)
            self._keep(places)
            at_ns = at_ns.take(places)
        loops.wait_for_start(loops.segment_start(at_ns))

    def _keep(self, places: Rows | None, *, dropped: bool = False) -> None:
        """Go on with the requests at some places only; `dropped`: the way has dropped the others already."""
        if places is None:
            return
        if not dropped:
            if len(places) == self._way.size:
                return
            self._way.keep(places)
        self._loops.keep(places)


class _DenseWay(Dense):
    """The dense way, for attempts that report at the end of their latency."""

    visible_ns: Ints | None = None

    def __init__(self, cell: Scenario, block: Block) -> None:
        super().__init__(cell, block, None if block.cancel_ns is None else block.cancel_ns < FOREVER)

    @property
    def report_ns(self) -> Ints:
        """When each attempt reports."""
        return self.end_ns

    @staticmethod
    def final(number: int) -> Bools | None:
        """Return None: no error says anything here."""
        del number
        return None

    def note(self, recovered: Bools | None) -> None:
        """All attempts report."""


class _LongWay:
    """The long way of all other requests."""

    visible_ns: Ints | None

    def __init__(self, cell: Scenario, block: Block, errors: Errors, rows: Rows, *, at_once: bool) -> None:
        self._block = block
        self._errors = errors
        self._asks = not errors.says_nothing
        self._attempts = Attempts(cell, block, hosted=True, tells_ways=self._asks, at_once=at_once)
        self._rows = rows
        self.size = len(rows)
        self.draws = block.draws.take(rows)
        self._ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        """The latest end of the attempts of each request that were concluded about, without lost ones."""
        self._lost: list[tuple[Rows, Ints]] = []
        """Attempts that were given up and go on."""

    def start(self, places: slice, number: int, at_ns: Ints) -> Rows | None:
        """Make attempt `number` of each request; the event engine takes over those that outlast the clock."""
        del places
        ends = self._attempts.start(self._rows, number, at_ns)
        self._take(ends, self._attempts.ways if self._asks else None)
        left = self._block.left[self._rows]
        return self.keep(np.flatnonzero(~left)) if left.any() else None

    def _take(self, ends: Ends, ways: Rows | None) -> None:
        self.end_ns, self._how, self._ways = ends.end_ns, ends.how, ways
        reports = ends.how < DIED_CODE
        self.report_ns = np.where(reports, ends.end_ns, FOREVER)
        self.failed: Bools = ends.how == THREW_CODE
        unreported = ends.unreported
        self.visible_ns = self._is_lost = None
        if unreported is not None and unreported.any():
            self.visible_ns = np.where(unreported, ends.visible_ns, FOREVER)
            self._is_lost = ends.lost

    def final(self, number: int) -> Bools | None:
        """Tell which failed attempts forbid another."""
        if self._ways is None:
            return None
        places = np.flatnonzero(self.failed)
        _, told, _ = self._errors.told(self._ways[places], self.draws.take(places), number)
        final = np.zeros(self.size, dtype=np.bool_)
        final[places] = told
        return final

    def note(self, recovered: Bools | None) -> None:
        """Keep in mind the attempts that go on after a recovery: they report in vain."""
        over = np.ones(self.size, dtype=np.bool_)
        if recovered is not None and self._is_lost is not None:
            lost = recovered & self._is_lost
            if lost.any():
                self._block.mutations[self._rows[lost & (self._how < DIED_CODE)]] += 1
                self._lost.append((self._rows[lost], self.end_ns[lost]))
                over = ~lost
        rows = self._rows[over]
        self._ended_ns[rows] = np.maximum(self._ended_ns[rows], self.end_ns[over])

    def settle(self, places: Rows, outcome: Outcome, attempts: int, settled_ns: Ints) -> None:
        """Settle the requests at some places, of so many attempts each, at instants."""
        del attempts  # counted as they started
        rows = self._rows[places]
        self._block.settle(rows, outcome, settled_ns, self._ended_ns[rows])

    def keep(self, places: Rows) -> Rows:
        """Go on with the requests at some places only."""
        self.size = len(places)
        self._rows, self.draws = self._rows.take(places), self.draws.take(places)
        self.end_ns, self._how = self.end_ns.take(places), self._how.take(places)
        self.report_ns, self.failed = self.report_ns.take(places), self.failed.take(places)
        self._ways = None if self._ways is None else self._ways.take(places)
        self.visible_ns = None if self.visible_ns is None else self.visible_ns.take(places)
        self._is_lost = None if self._is_lost is None else self._is_lost.take(places)
        return places

    def rows(self, places: SomeRows = ALL) -> Rows:
        """Return the rows of the requests at some places."""
        return self._rows[places]

    def finish(self) -> None:
        """Fill in the ends of lost attempts that came before their requests settled."""
        for rows, ends_ns in self._lost:
            self._block.note_lost(rows, ends_ns)
