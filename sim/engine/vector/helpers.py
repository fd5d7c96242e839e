"""`helpers` for arrays: `sim.retriers.helpers`, poll by poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.engine.vector.arrays import rounded_ns
from sim.engine.vector.polled import Polled
from sim.kernel.durations import RUNAWAY_NS
from sim.kernel.records import Outcome
from sim.retriers.backoff import jitter

if TYPE_CHECKING:
    from sim.engine.vector.arrays import Floats
    from sim.engine.vector.block import Block
    from sim.retriers.helpers import Helpers
    from sim.scenario.schema import Scenario


def simulate(cell: Scenario, block: Block, retrier: Helpers) -> None:  # noqa: PLR0914, PLR0915  # one recurrence
    """Poll the job of each attempt with jitter, and schedule another when it has failed."""
    options = retrier.defaults
    polled, draws = Polled(cell, block), block.draws
    waits, retries = _Grown(options["waitBackoff"], options["base"]), _Grown(options["retryBackoff"], options["base"])
    polls_at_most = cell.limits.polls_per_request
    cuts_ns = polled.poll_cancels_ns

    rows = block.everybody
    if cuts_ns is not None:
        rows = rows[cuts_ns > 0]  # a first poll that is canceled never starts anything
    set_ns = np.zeros(len(rows), dtype=np.int64)
    """When the next poll was scheduled."""
    jobs = polled.start(rows, 1, set_ns, set_ns)
    poll_ns = set_ns + rounded_ns(jitter(waits.first, draws.uniforms("poll_jitter", 1, rows)))  # type: ignore[arg-type]  # arrays too
    waited, failure = np.ones(len(rows), dtype=np.int64), np.ones(len(rows), dtype=np.int64)
    """How often the wait has grown; the number of the failure that is looked for."""
    block.polls[rows] = 1
    poll = 1
    while rows.size:
        poll += 1
        goes_on = poll_ns <= RUNAWAY_NS
        block.leave(rows, ~goes_on)
        if cuts_ns is not None:
            goes_on &= poll_ns < cuts_ns[rows]
        if poll > polls_at_most:
            polled.run_away(rows[goes_on])
            break
        if not goes_on.all():
            rows, poll_ns, set_ns, jobs = rows[goes_on], poll_ns[goes_on], set_ns[goes_on], jobs.take(goes_on)
            waited, failure = waited[goes_on], failure[goes_on]
        block.polls[rows] = poll

        ended = (jobs.visible_ns < poll_ns) | ((jobs.visible_ns == poll_ns) & (jobs.since_ns <= set_ns))
        if jobs.apart is not None:
            block.leave(rows, jobs.apart & (jobs.visible_ns == poll_ns))
        if polled.retention_ns is not None:
            block.leave(rows, ended & (poll_ns - jobs.visible_ns >= polled.retention_ns))
        concluded = ended & jobs.success
        if jobs.canceled_ns is not None:
            canceled = jobs.canceled_ns <= poll_ns
            if polled.retention_ns is not None:
                block.leave(rows, canceled & (poll_ns - jobs.canceled_ns >= polled.retention_ns))
            if canceled.any():
                polled.conclude_canceled(rows[canceled], jobs.take(canceled), poll_ns[canceled])
                ended &= ~canceled
                concluded = (concluded & ~canceled) | canceled
            success = ended & jobs.success
        else:
            success = concluded
        if ended.any():
            polled.ended(rows[ended], jobs.take(ended))
        polled.conclude(rows[success], Outcome.success, poll_ns[success])
        failed = ended & ~jobs.success
        gives_up = failed & (options["maxFailures"] - (failure - 1) <= 0)
        polled.conclude(rows[gives_up], Outcome.gave_up, poll_ns[gives_up])
        concluded |= gives_up
        failed &= ~gives_up

        waits_ms = waits.at(waited)
        waited = waited + ~failed
        jitters = draws.uniforms("poll_jitter", poll, rows)
        set_ns = poll_ns
        if failed.any():
            again, first_ms = rows[failed], retries.at(failure[failed] - 1)
            waits_ms[failed] += first_ms
            due_ns = poll_ns[failed] + rounded_ns(
                jitter(first_ms, draws.uniforms("action_jitter", failure[failed], again))  # type: ignore[arg-type]
            )
            failure = failure + failed
            beyond = due_ns > RUNAWAY_NS
            block.leave(again, beyond)
            due_ns[beyond] = 0
            jobs = jobs.put(failed, polled.start(again, failure[failed], poll_ns[failed], due_ns))
        poll_ns = poll_ns + rounded_ns(jitter(waits_ms, jitters))  # type: ignore[arg-type]  # arrays too
        if concluded.any():
            kept = ~concluded & ~block.left[rows]
            rows, poll_ns, set_ns, jobs = rows[kept], poll_ns[kept], set_ns[kept], jobs.take(kept)
            waited, failure = waited[kept], failure[kept]
    polled.finish()
    block.leave_where_steps_may_run_out(cell.limits.polls_per_request)


class _Grown:
    """A delay in ms by how often it has been multiplied: repeated products, as the retrier hands it on."""

    def __init__(self, first_ms: float, base: float) -> None:
        self._base = base
        self.first = float(first_ms)
        self._table = np.array([self.first])

    def at(self, times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        """Return the delays after so many multiplications each, shape (n,)."""
        most = int(times.max(initial=0))
        if most >= len(self._table):
            grown = self._table.tolist()
            while len(grown) <= 2 * most:
                grown.append(grown[-1] * self._base)
            self._table = np.array(grown)
        delays_ms: Floats = self._table[times]
        return delays_ms
