"""`component` for arrays: `sim.retriers.ports.component`, attempt by attempt.

Most attempts report their end to the run, which concludes or schedules the next. What takes more thought is set apart
in `_Unheard`: attempts that die, are cut off or are lost, jobs that somebody cancels, and reports of attempts that were
given up. What comes first decides there: a report, a heartbeat, a stale report or a cancel.

Heartbeats are drawn only where they can matter: the first comes five seconds after the start at the earliest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.engine.vector.arrays import BEFORE, FOREVER, jittered_ns
from sim.engine.vector.attempts import DIED, RETURNED, Attempts, Started
from sim.engine.vector.dense import settle_answered
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.durations import NS_PER_MS
from sim.retriers.backoff import jitter, power
from sim.retriers.ports.component import HEARTBEAT_INTERVAL_MS

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Bools, Ints, Rows
    from sim.engine.vector.block import Block
    from sim.kernel.draws import DrawsOf
    from sim.retriers.ports.component import Component
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Component) -> None:
    """Run and back off; look for crashes by heartbeat."""
    _Runs(cell, block, retrier).simulate()


class _Next(NamedTuple):
    """Attempts to come, one of each of some requests."""

    rows: Rows
    created_ns: Ints
    """When their jobs are scheduled."""
    at_ns: Ints
    """When these are due."""

    def of(self, those: Bools) -> _Next:
        """Return those of some of the requests."""
        return _Next(self.rows[those], self.created_ns[those], self.at_ns[those])


class _Runs:
    """The runs of a block of requests."""

    def __init__(self, cell: Scenario, block: Block, retrier: Component) -> None:
        options = retrier.run_options
        self.cell = cell
        self.block = block
        self.attempts = Attempts(cell, block, hosted=True)
        self.max_failures: int = options["maxFailures"]
        self._initial_ms: float = options["initialBackoffMs"]
        self._base: float = options["base"]
        self.start_ns = round((options.get("runAfter") or 0) * NS_PER_MS)
        target = None if cell.cancel is None else cell.cancel.target
        cancels = block.cancel_ns
        self.cancels_ns = cancels if target in {"request", "action"} else None
        """When the request, or the job of its action, is canceled."""
        self.cancels_request = target == "request"
        self.heartbeats = _Heartbeats(cell, block, self.start_ns, cancels if target == "poll" else None)
        self.ended_ns = np.full(block.count, NEVER, dtype=np.int64)
        """The latest end of the attempts before the present one, stale ones aside."""
        self.stale: _Stale | None = None
        """Attempts that were given up and go on, where there have been any."""

    def simulate(self) -> None:
        """Fill the columns of the block."""
        block = self.block
        settle_answered(
            block,
            Attempts(self.cell, block, hosted=True),
            start_ns=self.start_ns,
            attempts_at_most=self.max_failures + 1,
            backoff_ns=self._backoff_ns,
            apart=None if self.cancels_ns is None else self.cancels_ns < FOREVER,
        )
        rows = block.unsettled()
        start_ns = np.full(len(rows), self.start_ns, dtype=np.int64)
        coming = _Next(rows, np.full(len(rows), BEFORE), start_ns)
        number = 0
        while coming.rows.size:
            number += 1
            coming = self._round(number, coming)
        if self.cancels_request and block.cancel_ns is not None:
            block.mutations[block.cancel_ns < FOREVER] += 1
        self.heartbeats.finish(block.settled_ns)
        # One for the submission, one for each heartbeat, and the reports of all attempts but those that made none.
        block.mutations += 1 + block.polls + block.attempts

    def _round(self, number: int, coming: _Next) -> _Next:
        """Make attempt `number` of each request that has one coming; returns the attempts that follow."""
        apart = self._set_apart(coming)
        parts = []
        if apart is not None:
            parts.append(_Unheard(self, number, coming.of(apart)).decide())
            coming = coming.of(~apart)
        made = self.attempts.start(coming.rows, number, coming.at_ns)
        unheard = made.unheard
        if unheard is not None and unheard.any():
            parts.append(_Unheard(self, number, coming.of(unheard), made.of(unheard)).decide())
            coming, made = coming.of(~unheard), made.of(~unheard)
        parts.append(self._reported(number, coming.rows, made))
        return _joined(*parts)

    def _set_apart(self, coming: _Next) -> Bools | None:
        """Tell which requests may be canceled, or settled by a stale attempt, before this attempt has reported."""
        apart: Bools | None = None
        if self.cancels_ns is not None:
            apart = self.cancels_ns[coming.rows] < FOREVER
        if self.stale is not None:
            stale = self.stale.end_ns[coming.rows] < FOREVER
            apart = stale if apart is None else apart | stale
        return apart if apart is not None and apart.any() else None

    def _reported(self, number: int, rows: Rows, started: Started) -> _Next:
        """Take the reports of attempts that nothing comes before: conclude, or schedule the next."""
        block, end_ns = self.block, started.end_ns
        (success,) = np.nonzero(started.how == RETURNED)
        if len(success) == len(rows):
            block.settle(rows, Outcome.success, end_ns, end_ns)
            return _Next(rows[:0], end_ns[:0], end_ns[:0])
        succeeded_ns = end_ns.take(success)
        block.settle(rows.take(success), Outcome.success, succeeded_ns, succeeded_ns)
        (failed,) = np.nonzero(started.how != RETURNED)
        rows, end_ns = rows.take(failed), end_ns.take(failed)
        if number > self.max_failures:
            block.settle(rows, Outcome.gave_up, end_ns, end_ns)
            return _Next(rows[:0], end_ns[:0], end_ns[:0])
        self.ended_ns[rows] = end_ns
        return self.after_failure(number, rows, end_ns)

    def after_failure(self, number: int, rows: Rows, at_ns: Ints) -> _Next:
        """Schedule the attempts that follow failure `number` at the instants when it was handled."""
        coming = _Next(rows, at_ns, at_ns + self._backoff_ns(number, self.block.draws.take(rows)))
        due = self.block.due(rows, coming.at_ns)
        return coming if due is None else coming.of(due)

    def _backoff_ns(self, number: int, draws: DrawsOf) -> Ints:
        return jittered_ns(self._initial_ms * power(self._base, number), draws.uniforms("backoff", number))


def _joined(*parts: _Next) -> _Next:
    return parts[0] if len(parts) == 1 else _Next(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class _Stale:
    """Attempts that were given up and go on, at most one for each request of a block."""

    def __init__(self, count: int) -> None:
        self.success_ns = np.full(count, FOREVER)
        """When they report success."""
        self.end_ns = np.full(count, FOREVER)
        """When they end, having reported or not."""


class _Unheard:
    """Requests whose present attempt may not be what decides next, with what could.

    All columns have shape (rows,); an instant is FOREVER where the thing does not happen.
    """

    def __init__(self, runs: _Runs, number: int, coming: _Next, made: Started | None = None) -> None:
        """Take attempts that have been made, or are to be made where nothing comes before them."""
        self._runs = runs
        self._number = number
        self._rows, self._created_ns, self._at_ns = coming
        count = len(self._rows)
        stale, forever = runs.stale, np.full(count, FOREVER)
        self._stale_ns = forever if stale is None else stale.success_ns[self._rows]
        cancel_ns = forever if runs.cancels_ns is None else runs.cancels_ns[self._rows]
        cancel_ns = np.where(self._created_ns < cancel_ns, cancel_ns, FOREVER)
        self._request_cancel_ns = cancel_ns if runs.cancels_request else forever
        self._job_cancel_ns = forever if runs.cancels_request else cancel_ns
        self._made = np.ones(count, dtype=np.bool_)
        """Whether there is an attempt."""
        if made is None:
            made = self._start()
        self._end_ns, self._how = made.end_ns, made.how
        self._lost = np.zeros(count, dtype=np.bool_) if made.lost is None else made.lost
        self._report_ns = np.where(made.how < DIED, made.end_ns, FOREVER)
        self._visible_ns = np.where((made.how >= DIED) | self._lost, made.visible_ns, FOREVER)

    def _start(self) -> Started:
        """Make the attempts whose jobs run, and find the run still going on."""
        runs, rows, at_ns = self._runs, self._rows, self._at_ns
        block, count = runs.block, len(rows)
        block.leave(rows, (self._stale_ns == at_ns) & (at_ns < FOREVER))
        over = self._stale_ns < at_ns
        blocked = (self._job_cancel_ns <= at_ns) | (
            (self._request_cancel_ns <= at_ns) & ~(self._stale_ns < self._request_cancel_ns)
        )
        block.actions[rows[over & ~blocked]] += 1
        self._made = starts = ~(over | blocked)
        end_ns, how = np.full(count, FOREVER), np.full(count, DIED, dtype=np.int8)
        visible_ns, lost = np.full(count, FOREVER), np.zeros(count, dtype=np.bool_)
        if starts.any():
            made = runs.attempts.start(rows[starts], self._number, at_ns[starts])
            end_ns[starts], how[starts], visible_ns[starts] = made.end_ns, made.how, made.visible_ns
            if made.lost is not None:
                lost[starts] = made.lost
        return Started(end_ns, how, visible_ns, lost, None)

    def decide(self) -> _Next:
        """Conclude, or schedule the attempts that follow, by whatever comes first."""
        runs, rows, block = self._runs, self._rows, self._runs.block
        reports = self._report_ns < FOREVER
        block.mutations[rows[self._made & ~reports]] -= 1
        job_end_ns = np.minimum(self._report_ns, self._visible_ns)
        job_end_ns = np.where(self._lost, self._visible_ns, job_end_ns)
        canceled_job = (self._job_cancel_ns < FOREVER) & (self._job_cancel_ns <= job_end_ns)
        trigger_ns = np.where(canceled_job, np.minimum(self._visible_ns, self._job_cancel_ns), self._visible_ns)
        others_ns = np.minimum(np.minimum(self._report_ns, self._stale_ns), self._request_cancel_ns)
        looked = trigger_ns < others_ns
        beat_ns = np.full(len(rows), FOREVER)
        if looked.any():
            beat_ns[looked] = runs.heartbeats.first_at(rows[looked], trigger_ns[looked])
            # Whatever else comes at a heartbeat's own instant, but for cancels, is told apart by the event engine.
            tie = (beat_ns == self._visible_ns) | (beat_ns == self._report_ns) | (beat_ns == self._stale_ns)
            block.leave(rows, tie & (beat_ns < FOREVER))
        block.leave(rows, (self._report_ns == self._stale_ns) & reports)
        first_ns = np.minimum(others_ns, beat_ns)

        nothing = first_ns == FOREVER
        endless = nothing & ~canceled_job & (self._how > DIED) & runs.heartbeats.alive(rows)
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
        success = self._how == RETURNED
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
        """Let heartbeats conclude about canceled jobs, and repair what has died."""
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
        """Settle some of the requests; `strictly`: what ends at that instant ends after it."""
        if not those.any():
            return
        runs, rows, at_ns = self._runs, self._rows[those], at_ns[those]
        end_ns = self._end_ns[those]
        ended = end_ns < at_ns if strictly else end_ns <= at_ns
        runs.ended_ns[rows[ended]] = np.maximum(runs.ended_ns[rows[ended]], end_ns[ended])
        if not strictly:
            # Two that end at one instant, and only one of them decides.
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


class _Heartbeats:
    """The heartbeats of the runs of a block: one chain each, until a heartbeat does not schedule the next."""

    def __init__(self, cell: Scenario, block: Block, start_ns: int, cuts_ns: Ints | None) -> None:
        self._block = block
        self._start_ns = start_ns
        self._cuts_ns = cuts_ns
        """When each chain's pending heartbeat is canceled; None where none is."""
        self._polls_at_most = cell.limits.polls_per_request
        self._retention_ns = cell.platform.retention
        self._next_ns = np.full(block.count, BEFORE)
        """The pending heartbeat: BEFORE where it has not been drawn yet, FOREVER where there is none."""
        self._drawn = False
        """Whether any heartbeat has been drawn."""
        self._earliest_ns = start_ns + int(jitter(HEARTBEAT_INTERVAL_MS, 0.0) * NS_PER_MS)

    def alive(self, rows: Rows) -> Bools:
        """Tell which chains go on, if nothing cuts them."""
        going: Bools = self._next_ns[rows] < FOREVER
        return going if self._cuts_ns is None else going & (self._cuts_ns[rows] == FOREVER)

    def first_at(self, rows: Rows, since_ns: Ints) -> Ints:
        """Let the heartbeats before some instants pass; returns the pending ones, FOREVER where there is none."""
        block, next_ns = self._block, self._next_ns
        new = rows[next_ns[rows] == BEFORE]
        if new.size:
            self._drawn = True
            next_ns[new] = self._start_ns + self._gaps(new, 0)
            self._cut(new)
        (behind,) = np.nonzero(next_ns[rows] < since_ns)
        while behind.size:
            those = rows[behind]
            block.polls[those] += 1
            next_ns[those] += self._gaps(those, block.polls[those].astype(np.int64))
            self._cut(those)
            spent = block.polls[those] >= self._polls_at_most
            block.leave(those, spent)
            next_ns[those[spent]] = FOREVER
            behind = behind[next_ns[those] < since_ns[behind]]
        pending_ns: Ints = next_ns[rows]
        if self._retention_ns is not None:
            block.leave(rows, (pending_ns < FOREVER) & (pending_ns - since_ns >= self._retention_ns))
        return pending_ns

    def consume(self, rows: Rows) -> None:
        """Let the pending heartbeats of some requests be their last."""
        self._block.polls[rows] += 1
        self._next_ns[rows] = FOREVER

    def run_away(self, rows: Rows) -> None:
        """Let heartbeats go on until the limit of polls."""
        self._block.polls[rows] = self._polls_at_most
        self._block.outcome[rows] = Outcome.runaway
        self._next_ns[rows] = FOREVER

    def end_at_cut(self, rows: Rows) -> None:
        """Let heartbeats that look at what never ends come until somebody cancels one."""
        if self._cuts_ns is not None:
            going = rows[self._next_ns[rows] < FOREVER]
            self.first_at(going, self._cuts_ns[going])

    def finish(self, settled_ns: Ints) -> None:
        """Let the heartbeats of settled requests come to the one that finds its run completed."""
        block = self._block
        early = settled_ns < self._earliest_ns
        early &= settled_ns != NEVER
        if self._drawn:
            early &= self._next_ns == BEFORE
        if self._cuts_ns is not None:
            early &= self._cuts_ns == FOREVER
        block.polls += early
        if early.all():
            return
        (rows,) = np.nonzero((self._next_ns < FOREVER) & (settled_ns != NEVER) & ~early)
        pending_ns = self.first_at(rows, settled_ns[rows])
        by_cancel = block.outcome[rows] == Outcome.canceled
        block.leave(rows, (pending_ns == settled_ns[rows]) & ~by_cancel)
        block.polls[rows[pending_ns < FOREVER]] += 1

    def _gaps(self, rows: Rows, index: int | Ints) -> Ints:
        return jittered_ns(HEARTBEAT_INTERVAL_MS, self._block.draws.uniforms("heartbeat", index, rows))

    def _cut(self, rows: Rows) -> None:
        """End the chains whose pending heartbeat is canceled before it comes."""
        if self._cuts_ns is not None:
            canceled = self._cuts_ns[rows] <= self._next_ns[rows]
            self._next_ns[rows[canceled]] = FOREVER
