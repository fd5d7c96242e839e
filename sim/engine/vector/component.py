"""`component` for arrays: `sim.retriers.ports.component`, attempt by attempt.

Most attempts report their end to the run, which concludes or schedules the next (`_Runs._follow`, for the dense and for
the long way). `_Unreported` takes the others: attempts that die, are cut off or are lost, jobs that are canceled, and
requests with a stale attempt, one that was given up and goes on. The first of four decides there: a report, a
heartbeat, a stale report or a cancel.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, jittered_ns
from sim.engine.vector.attempts import DIED_CODE, RETURNED_CODE, Attempts, Ends
from sim.engine.vector.dense import Dense
from sim.engine.vector.heartbeats import Heartbeats
from sim.history.vocabulary import NEVER, OF_THE_ACTION, OF_THE_POLL, OF_THE_REQUEST, Outcome
from sim.kernel.durations import ns_of_ms
from sim.retriers.backoff import power

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.retriers.ports.component import Component
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Component) -> None:
    """Run and back off; look for crashes by heartbeat."""
    runs = _Runs(cell, block, retrier)
    runs.settle_dense()
    rows = block.unsettled()
    if rows.size:
        runs.settle_long(rows, Attempts(cell, block, hosted=True))
    runs.finish()


class _Next(NamedTuple):
    """Attempts to come, one of each of some requests."""

    rows: Rows
    created_ns: Ints
    """When their jobs are scheduled."""
    at_ns: Ints
    """When these are due."""

    def take(self, those: Bools) -> _Next:
        """Return the attempts of some of the requests."""
        return _Next(self.rows[those], self.created_ns[those], self.at_ns[those])


class _Reports(Protocol):
    """Requests with attempts whose reports decide; columns of shape (requests,), places are positions in them."""

    end_ns: Ints
    """When each attempt ends and reports."""
    failed: Bools

    @property
    def draws(self) -> DrawsOf:
        """The draws of the requests."""

    def rows(self) -> Rows:
        """Return their rows in the block."""

    def settle(self, places: Rows, outcome: Outcome, attempts: int) -> None:
        """Settle the requests at some places, of so many attempts each, by the reports."""

    def keep(self, places: Rows) -> object:
        """Go on with the requests at some places only."""


class _Runs:
    """The runs of a block of requests."""

    def __init__(self, cell: Scenario, block: Block, retrier: Component) -> None:
        options = retrier.run_options
        self.cell = cell
        self.block = block
        self.max_failures: int = options["maxFailures"]
        self._initial_ms: float = options["initialBackoffMs"]
        self._base: float = options["base"]
        self._start_ns = ns_of_ms(options.get("runAfter") or 0)
        target = None if cell.cancel is None else cell.cancel.target
        cancels = block.cancel_ns
        self.cancels_ns = cancels if target in {OF_THE_REQUEST, OF_THE_ACTION} else None
        """When the request, or the job of its action, is canceled."""
        self.cancels_request = target == OF_THE_REQUEST
        self.heartbeats = Heartbeats(cell, block, self._start_ns, cancels if target == OF_THE_POLL else None)
        self.ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        """On the long way, the latest end of the attempts before the present one, without stale ones."""
        self.stale: _Stale | None = None
        """Attempts that were given up and go on, once there are any."""

    def settle_dense(self) -> None:
        """Settle the requests whose attempts are all usual."""
        dense = Dense(self.cell, self.block, None if self.cancels_ns is None else self.cancels_ns < FOREVER)
        at_ns = np.full(dense.size, self._start_ns, dtype=np.int64)
        for number in count(1):
            if not dense.size:
                break
            dense.start(slice(None), number, at_ns)
            at_ns = self._follow(number, dense)
        dense.finish()

    def settle_long(self, rows: Rows, attempts: Attempts) -> None:
        """Settle requests of all kinds."""
        coming = _Next(rows, np.full(len(rows), BEFORE), np.full(len(rows), self._start_ns, dtype=np.int64))
        for number in count(1):
            if not coming.rows.size:
                break
            coming = self._round(number, coming, attempts)

    def finish(self) -> None:
        """Fill in heartbeats and mutations."""
        block = self.block
        if self.cancels_request and block.cancel_ns is not None:
            block.mutations[block.cancel_ns < FOREVER] += 1
        self.heartbeats.finish(block.settled_ns)
        # One for the submission, each heartbeat and each attempt; `decide` has subtracted attempts without a report.
        block.mutations += 1 + block.polls + block.attempts

    def _round(self, number: int, coming: _Next, attempts: Attempts) -> _Next:
        """Make attempt `number` of each request that has one coming; returns the attempts that follow."""
        disturbed = self._disturbed(coming)
        parts = []
        if disturbed is not None:
            parts.append(_Unreported(self, number, coming.take(disturbed), attempts).decide())
            coming = coming.take(~disturbed)
        ends = attempts.start(coming.rows, number, coming.at_ns)
        unreported = ends.unreported
        if unreported is not None and unreported.any():
            parts.append(_Unreported(self, number, coming.take(unreported), attempts, ends.take(unreported)).decide())
            coming, ends = coming.take(~unreported), ends.take(~unreported)
        reports = _LongReports(self.block, coming.rows, ends)
        at_ns = self._follow(number, reports)
        self.ended_ns[reports.rows()] = reports.end_ns
        return _joined(*parts, _Next(reports.rows(), reports.end_ns, at_ns))

    def _disturbed(self, coming: _Next) -> Bools | None:
        """Return which requests may be canceled, or settled by a stale attempt, before this attempt has reported."""
        disturbed: Bools | None = None
        if self.cancels_ns is not None:
            disturbed = self.cancels_ns[coming.rows] < FOREVER
        if self.stale is not None:
            stale = self.stale.end_ns[coming.rows] < FOREVER
            disturbed = stale if disturbed is None else disturbed | stale
        return disturbed if disturbed is not None and disturbed.any() else None

    def _follow(self, number: int, reports: _Reports) -> Ints:
        """Let the reports of attempts `number` conclude or schedule the next; returns when these are due."""
        failed = np.flatnonzero(reports.failed)
        reports.settle(np.flatnonzero(~reports.failed), Outcome.success, number)
        if number > self.max_failures:
            reports.settle(failed, Outcome.gave_up, number)
            failed = failed[:0]
        reports.keep(failed)
        at_ns = reports.end_ns + self._backoff_ns(number, reports.draws)
        due = self.block.due(reports.rows(), at_ns)
        if due is not None:
            places = np.flatnonzero(due)
            reports.keep(places)
            at_ns = at_ns.take(places)
        return at_ns

    def after_failure(self, number: int, rows: Rows, at_ns: Ints) -> _Next:
        """Schedule the attempts that follow failure `number` at the instants when it was handled."""
        coming = _Next(rows, at_ns, at_ns + self._backoff_ns(number, self.block.draws.take(rows)))
        due = self.block.due(rows, coming.at_ns)
        return coming if due is None else coming.take(due)

    def _backoff_ns(self, number: int, draws: DrawsOf) -> Ints:
        return jittered_ns(self._initial_ms * power(self._base, number), draws.uniforms("backoff", number))


def _joined(*parts: _Next) -> _Next:
    return parts[0] if len(parts) == 1 else _Next(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class _LongReports:
    """Reports of the long way; its attempts have been counted as they started."""

    def __init__(self, block: Block, rows: Rows, ends: Ends) -> None:
        self._block = block
        self._rows = rows
        self.end_ns = ends.end_ns
        self.failed: Bools = ends.how != RETURNED_CODE

    @property
    def draws(self) -> DrawsOf:
        return self._block.draws.take(self._rows)

    def rows(self) -> Rows:
        return self._rows

    def settle(self, places: Rows, outcome: Outcome, attempts: int) -> None:
        del attempts
        end_ns = self.end_ns.take(places)
        self._block.settle(self._rows.take(places), outcome, end_ns, end_ns)

    def keep(self, places: Rows) -> None:
        self._rows, self.end_ns = self._rows.take(places), self.end_ns.take(places)


class _Stale:
    """Attempts that were given up and go on, at most one for each request of a block."""

    def __init__(self, count: int) -> None:
        self.success_ns = np.full(count, FOREVER)
        """When they report success."""
        self.end_ns = np.full(count, FOREVER)
        """When they end, with or without a report."""


class _Unreported:
    """Requests about which the report of their present attempt may not decide, with all that could.

    All columns have shape (rows,); an instant is FOREVER if its event does not happen.
    """

    def __init__(self, runs: _Runs, number: int, coming: _Next, attempts: Attempts, ends: Ends | None = None) -> None:
        """Take attempts with their ends, or without: then they start here, unless something comes before them."""
        self._runs = runs
        self._attempts = attempts
        self._number = number
        self._rows, self._created_ns, self._at_ns = coming
        size = len(self._rows)
        stale, forever = runs.stale, np.full(size, FOREVER)
        self._stale_ns = forever if stale is None else stale.success_ns[self._rows]
        cancel_ns = forever if runs.cancels_ns is None else runs.cancels_ns[self._rows]
        cancel_ns = np.where(self._created_ns < cancel_ns, cancel_ns, FOREVER)
        self._request_cancel_ns = cancel_ns if runs.cancels_request else forever
        self._job_cancel_ns = forever if runs.cancels_request else cancel_ns
        self._starts = np.ones(size, dtype=np.bool_)
        """Whether there is an attempt."""
        if ends is None:
            ends = self._start()
        self._end_ns, self._how = ends.end_ns, ends.how
        self._lost = np.zeros(size, dtype=np.bool_) if ends.lost is None else ends.lost
        self._report_ns = np.where(ends.how < DIED_CODE, ends.end_ns, FOREVER)
        self._visible_ns = np.where((ends.how >= DIED_CODE) | self._lost, ends.visible_ns, FOREVER)

    def _start(self) -> Ends:
        """Make the attempts whose jobs run and find the run in progress."""
        runs, rows, at_ns = self._runs, self._rows, self._at_ns
        block, size = runs.block, len(rows)
        block.leave(rows, (self._stale_ns == at_ns) & (at_ns < FOREVER))
        over = self._stale_ns < at_ns
        blocked = (self._job_cancel_ns <= at_ns) | (
            (self._request_cancel_ns <= at_ns) & ~(self._stale_ns < self._request_cancel_ns)
        )
        block.actions[rows[over & ~blocked]] += 1
        self._starts = starts = ~(over | blocked)
        end_ns, how = np.full(size, FOREVER), np.full(size, DIED_CODE, dtype=np.int8)
        visible_ns, lost = np.full(size, FOREVER), np.zeros(size, dtype=np.bool_)
        if starts.any():
            ends = self._attempts.start(rows[starts], self._number, at_ns[starts])
            end_ns[starts], how[starts], visible_ns[starts] = ends.end_ns, ends.how, ends.visible_ns
            if ends.lost is not None:
                lost[starts] = ends.lost
        return Ends(end_ns, how, visible_ns, lost, None)

    def decide(self) -> _Next:
        """Conclude, or schedule the attempts that follow, by the first event that decides."""
        runs, rows, block = self._runs, self._rows, self._runs.block
        reports = self._report_ns < FOREVER
        block.mutations[rows[self._starts & ~reports]] -= 1
        job_end_ns = np.minimum(self._report_ns, self._visible_ns)
        job_end_ns = np.where(self._lost, self._visible_ns, job_end_ns)
        canceled_job = (self._job_cancel_ns < FOREVER) & (self._job_cancel_ns <= job_end_ns)
        trigger_ns = np.where(canceled_job, np.minimum(self._visible_ns, self._job_cancel_ns), self._visible_ns)
        others_ns = np.minimum(np.minimum(self._report_ns, self._stale_ns), self._request_cancel_ns)
        looked = trigger_ns < others_ns
        beat_ns = np.full(len(rows), FOREVER)
        if looked.any():
            beat_ns[looked] = runs.heartbeats.first_at(rows[looked], trigger_ns[looked])
            # The event engine decides about all that comes at a heartbeat's own instant, except cancels.
            tie = (beat_ns == self._visible_ns) | (beat_ns == self._report_ns) | (beat_ns == self._stale_ns)
            block.leave(rows, tie & (beat_ns < FOREVER))
        block.leave(rows, (self._report_ns == self._stale_ns) & reports)
        first_ns = np.minimum(others_ns, beat_ns)

        nothing = first_ns == FOREVER
        endless = nothing & ~canceled_job & (self._how > DIED_CODE) & runs.heartbeats.alive(rows)
        runs.heartbeats.run_away(rows[endless])
        runs.heartbeats.end_at_cut(rows[nothing & ~endless])
        by_request = ~nothing & (self._request_cancel_ns == first_ns)
        by_stale = ~nothing & ~by_request & (self._stale_ns == first_ns)
        by_report = ~nothing & ~by_request & ~by_stale & (self._report_ns == first_ns)
        by_beat = ~nothing & ~(by_request | by_stale | by_report)
        self._settle(by_request, Outcome.canceled, first_ns, strictly=True)
        self._settle(by_stale, Outcome.success, first_ns)
        parts = [self._by_report(by_report, canceled_job), self._by_beat(by_beat, canceled_job, beat_ns)]
        return _joined(*parts)

    def _by_report(self, those: Bools, canceled_job: Bools) -> _Next:
        runs = self._runs
        success = self._how == RETURNED_CODE
        self._settle(those & success, Outcome.success, self._report_ns)
        failed = those & ~success
        if self._number > runs.max_failures:
            self._settle(failed, Outcome.gave_up, self._report_ns)
            failed = np.zeros_like(failed)
        runs.ended_ns[self._rows[failed]] = np.maximum(runs.ended_ns[self._rows[failed]], self._end_ns[failed])
        (born_canceled,) = np.nonzero(failed & canceled_job)
        if born_canceled.size:
            self._wait_for_beat(born_canceled)
        again = failed & ~canceled_job
        return runs.after_failure(self._number, self._rows[again], self._report_ns[again])

    def _wait_for_beat(self, places: Rows) -> None:
        """Let heartbeats conclude about runs whose next job was born canceled; a stale attempt can come before."""
        runs, rows = self._runs, self._rows[places]
        after_ns, stale_ns = self._report_ns[places], self._stale_ns[places]
        beat_ns = runs.heartbeats.first_at(rows, after_ns)
        runs.block.leave(rows, ((beat_ns == after_ns) | (beat_ns == stale_ns)) & (beat_ns < FOREVER))
        by_beat = beat_ns < stale_ns
        runs.heartbeats.consume(rows[by_beat])
        self._conclude(rows[by_beat], Outcome.canceled, beat_ns[by_beat])
        by_stale = stale_ns < beat_ns
        self._conclude(rows[by_stale], Outcome.success, stale_ns[by_stale])

    def _by_beat(self, those: Bools, canceled_job: Bools, beat_ns: Ints) -> _Next:
        """Let heartbeats conclude about canceled jobs, and repair attempts that have died."""
        runs = self._runs
        runs.heartbeats.consume(self._rows[those])
        canceled = those & canceled_job
        self._settle(canceled, Outcome.canceled, beat_ns)
        repaired = those & ~canceled_job
        if self._number > runs.max_failures:
            self._settle(repaired, Outcome.gave_up, beat_ns)
            repaired = np.zeros_like(repaired)
        rows = self._rows[repaired]
        if rows.size:
            stale = repaired & self._lost
            if stale.any():
                if runs.stale is None:
                    runs.stale = _Stale(runs.block.count)
                runs.stale.success_ns[self._rows[stale]] = self._report_ns[stale]
                runs.stale.end_ns[self._rows[stale]] = self._end_ns[stale]
            over = repaired & ~self._lost
            runs.ended_ns[self._rows[over]] = np.maximum(runs.ended_ns[self._rows[over]], self._end_ns[over])
        return runs.after_failure(self._number, rows, beat_ns[repaired])

    def _settle(self, those: Bools, outcome: Outcome, at_ns: Ints, *, strictly: bool = False) -> None:
        """Settle some of the requests; `strictly`: an attempt that ends at that instant ends after it."""
        if not those.any():
            return
        runs, rows, at_ns = self._runs, self._rows[those], at_ns[those]
        end_ns = self._end_ns[those]
        ended = end_ns < at_ns if strictly else end_ns <= at_ns
        runs.ended_ns[rows[ended]] = np.maximum(runs.ended_ns[rows[ended]], end_ns[ended])
        if not strictly:
            # Two attempts end at one instant, but only one of them decides.
            runs.block.leave(rows, (end_ns == at_ns) & (self._report_ns[those] != at_ns))
        self._conclude(rows, outcome, at_ns, strictly=strictly)

    def _conclude(self, rows: Rows, outcome: Outcome, at_ns: Ints, *, strictly: bool = False) -> None:
        runs = self._runs
        known_ns = runs.ended_ns[rows]
        if runs.stale is not None:
            stale_ns = runs.stale.end_ns[rows]
            ended = stale_ns < at_ns if strictly else stale_ns <= at_ns
            if not strictly:
                runs.block.leave(rows, (stale_ns == at_ns) & (runs.stale.success_ns[rows] != at_ns))
            known_ns = np.where(ended, np.maximum(known_ns, stale_ns), known_ns)
        runs.block.settle(rows, outcome, at_ns, known_ns)
