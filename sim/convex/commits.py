"""Commits: the end of every mutation, and all that follows from it.

A commit counts, is recorded, sets the timers of the jobs that the mutation scheduled, and settles the request if the
mutation has concluded how it ended. A mutation that throws leaves only its draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.convex.contexts import MutationContext
from sim.convex.traced import TracedContext
from sim.history.vocabulary import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.convex.contexts import Settlement
    from sim.convex.functions import FunctionError
    from sim.convex.jobs import Job
    from sim.convex.retention import Retention
    from sim.convex.server import Server


class Commits:
    """Opens and commits the mutations of a deployment; `due` is called with each job when it is due."""

    def __init__(self, server: Server, retention: Retention, due: Callable[[Job], None]) -> None:
        self.server = server
        self.new_context = MutationContext if server.recorder is None else TracedContext
        """Opens a transaction: `new_context(server, request, job)`."""
        self.due_callbacks = (due,)
        self._retention = retention
        self._store = server.store
        self._clock = server.clock
        self._set_timer = server.clock.set_timer
        self._horizon_ns = server.horizon_ns
        self._recorder = server.recorder
        self._witness = server.witness

    def time_job(self, job: Job) -> None:
        """Set the timer of a pending job."""
        job.callbacks = self.due_callbacks
        self._set_timer(job, max(job.due_ns - self._clock.now_ns, 0))

    def commit(  # noqa: C901, PLR0912  # every poll passes here, and calls cost
        self, context: MutationContext, job: Job | None = None, *, held: bool = False, name: str = ""
    ) -> bool:
        """Commit a mutation, with the end of its own job if it is a scheduled one; False if the store refuses it.

        The timers of the jobs it scheduled are set in the order in which it asked for them.
        """
        request, witness = context.request, self._witness
        if witness is not None and (job is not None or context.caller is not None):
            witness.before_durable()
        if not self._store.commit(context, job, held=held):
            return False
        if witness is not None:
            witness.durable()
        request.mutations += 1
        now_ns = self._clock.now_ns if held else context.now_ns
        if self._recorder is not None:
            job_id, name = (-1, name) if job is None else (job.id, job.function.name)
            kept = context.committed()  # type: ignore[attr-defined]  # it is traced
            self._recorder.add((now_ns, "commit", request.number, job_id, name, kept))
        created = context.created
        if created is not None:
            for new in created:
                due_ns = new.due_ns
                if new.state != PENDING:
                    self._retention.canceled((new.id,))
                    continue
                if due_ns > self._horizon_ns:
                    self.server.run_away(request, "time")
                    continue
                new.callbacks = self.due_callbacks
                self._set_timer(new, due_ns - now_ns if due_ns > now_ns else 0)
            if request.jobs is not None:
                for new in created:
                    if new.request.jobs is not None:
                        new.request.jobs.append(new)
        if job is not None:
            job.completed_ns = now_ns
            if self._retention.retention_ns is not None:
                self._retention.completed(job)
        if context.job_states is not None:
            self._retention.canceled(context.job_states)
        if context.settlements:
            for settlement in context.settlements:
                self._settle(settlement)
        if context.after:
            for call in context.after:
                call()
        return True

    def _settle(self, settlement: Settlement) -> None:
        """Take a conclusion about a request that a mutation has committed; only the first one counts."""
        request, outcome, at_ns, attempt_end_ns = settlement
        self.server.progress += 1
        if request.settle(outcome, self._clock.now_ns if at_ns is None else at_ns, attempt_end_ns):
            self.server.record("settled", request.number, -1, outcome.name, request.settled_ns)
        else:
            self.server.record("resettled", request.number, -1, outcome.name)

    def rolled_back(self, context: MutationContext, name: str, error: FunctionError) -> None:
        """Record a mutation that threw: its draws happened, nothing else did."""
        if self._recorder is not None:
            self.record_draws(context)
            job_id = -1 if context.job is None else context.job.id
            self.server.record("rolled_back", context.request.number, job_id, name, str(error))

    def record_draws(self, context: MutationContext) -> None:
        """Record the draws of a mutation that does not commit."""
        if self._recorder is not None and isinstance(context, TracedContext):
            self._recorder.raw.extend(context.drawn(self._clock.now_ns))
