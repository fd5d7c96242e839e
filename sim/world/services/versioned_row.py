"""A row with a version: an attempt reads it and writes it back with the version that it read.

A write with an old version fails (`conflict`). Each of the two takes `network.request` to the row and `network.reply`
back; the row itself takes no time. So an attempt has four legs: stream `network.request@NAME` or `network.reply@NAME`,
entity the request, index twice the attempt's number for the read and one more for the write. A call that is canceled
before its write has come does not write.

After M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, whose simulation has such a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.history.failure import Failure
from sim.history.traffic import CallEnd
from sim.history.vocabulary import CONFLICT, NEVER, RETURNED, SUCCESS, THREW
from sim.world.attempt import BLAME
from sim.world.services.service import Receiver

if TYPE_CHECKING:
    from sim.world.services.options import VersionedRow
    from sim.world.services.surroundings import Surroundings
    from sim.world.services.visit import Visit


class VersionedRowService(Receiver):
    """One row that all calls contend for."""

    def __init__(self, name: str, position: int, options: VersionedRow, around: Surroundings) -> None:
        super().__init__(name, position, options.network, around)
        self.version = 0
        self._write_callbacks = (self._send_write,)

    def leg_index(self, visit: Visit) -> int:
        """Return the index of the draws of a leg: those of the write follow those of the read."""
        return 2 * visit.number + visit.writes

    def arrive(self, visit: Visit) -> None:
        """Let a call read the row, or write it if it has read it."""
        if visit.writes:
            self._write(visit)
            return
        visit.began_ns = self.clock.now_ns
        if visit.call is not None:
            visit.call.began_ns = visit.began_ns
        visit.seen = self.version
        self.record("read", visit, (visit.seen,))
        self.go(self.way_back, visit, self._write_callbacks)

    def _send_write(self, visit: Visit) -> None:
        """Send the write as soon as the version is known."""
        visit.writes = True
        self.go(self.way_there, visit, self.arrive_callbacks)

    def stop_visit(self, visit: Visit) -> None:
        """Stop a call that has not written: what it has on its way does not come."""
        if visit.callbacks is not None:
            self.clock.call_off(visit)
        self.end_unanswered(visit)

    def _write(self, visit: Visit) -> None:
        attempt, fits = visit.attempt, visit.seen == self.version
        self.record("write_back", visit, (visit.seen, self.version))
        if fits:
            self.version += 1
            visit.outcome = SUCCESS
            if attempt.is_to_blame:
                attempt.blame = BLAME[SUCCESS]
            self.apply(visit, None)
            visit.how, visit.end = RETURNED, CallEnd.success
        else:
            visit.how, visit.end = THREW, CallEnd.conflict
            visit.answer = Failure(final=False, retry_after_ns=NEVER, kind=CONFLICT)
        self.reply(visit)
