"""Retention: the rows of completed jobs are kept for a while and then collected, as by the backend's collector."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sim.history.vocabulary import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.convex.jobs import Job
    from sim.convex.server import Server


class Retention:
    """Collects the rows of completed jobs: a batch in each transaction, with a pause after a full one."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._clock = server.clock
        self.retention_ns: int | None = server.platform.retention
        """None: rows are kept for ever."""
        self.completed_jobs: deque[Job] = deque()
        """Not collected yet, in the order in which they completed."""
        self._collecting = False

    def reset(self) -> None:
        """Forget all completed rows."""
        self.completed_jobs.clear()
        self._collecting = False

    def completed(self, job: Job) -> None:
        """Note a completed row, which is collected after the retention."""
        if self.retention_ns is None:
            return
        self.completed_jobs.append(job)
        if not self._collecting:
            self._collecting = True
            self._clock.call_in_background(self.retention_ns, self._collect)

    def canceled(self, job_ids: Iterable[int]) -> None:
        """Note the rows that a mutation has canceled, or created canceled."""
        for job_id in job_ids:
            job = self._server.store.jobs[job_id]
            if job.completed_ns == NEVER:
                job.completed_ns = self._clock.now_ns
                self.completed(job)

    def _collect(self) -> None:
        """Delete the expired rows of one batch, and set the timer of the next."""
        server = self._server
        if server.down:
            server.when_up(self._collect)
            return
        platform, now_ns, jobs = server.platform, self._clock.now_ns, self.completed_jobs
        retention_ns = self.retention_ns or 0
        batch: list[int] = []
        while jobs and len(batch) < platform.collection_batch and jobs[0].completed_ns + retention_ns <= now_ns:
            batch.append(jobs.popleft().id)
        if batch:
            server.store.delete_jobs(batch)
            server.record("collected", -1, -1, "", len(batch))
        self._collecting = bool(jobs)
        if jobs:
            next_ns = jobs[0].completed_ns + retention_ns - now_ns
            pause_ns = platform.collection_pause if len(batch) == platform.collection_batch else 0
            self._clock.call_in_background(max(next_ns, pause_ns), self._collect)
