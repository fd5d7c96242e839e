"""One simulated deployment: its parts put together, and what clients and operators do to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sim.convex.calls import MutationCall
from sim.convex.executor import Executor
from sim.convex.functions import Function, FunctionError, note_mistake
from sim.convex.retention import Retention
from sim.history.request import Request
from sim.history.vocabulary import ALIVE, CANCELED, CONTINUES, LOST, PENDING
from sim.kernel.choices import WORLD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.convex.jobs import Job
    from sim.convex.server import Server
    from sim.history.vocabulary import Inflight


class Deployment:
    """A deployment on a server; `reset` makes it new for the next world."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        self.retention = Retention(server)
        self.executor = Executor(server, self.retention)
        self.commits = self.executor.commits

    def reset(self) -> None:
        """Forget everything but functions and tables."""
        self.server.reset()
        self.executor.reset()
        self.retention.reset()

    def call(
        self,
        function: Function,
        args: Any,
        request: Request,
        finished: Callable[[Any, FunctionError | None], None] = lambda _value, _error: None,
    ) -> None:
        """Call a mutation as a client outside does, which calls again after a restart."""
        server, commits = self.server, self.commits
        if server.immediate and not server.down:
            context = commits.new_context(server, request)
            try:
                value = function.handler(context, args)  # type: ignore[misc]  # a mutation has a handler
            except FunctionError as error:
                commits.rolled_back(context, function.name, error)
                finished(None, error)
            except Exception as error:
                note_mistake(error, function, request, server.clock.now_ns)
                raise
            else:
                commits.commit(context, name=function.name)
                finished(value, None)
            return
        MutationCall(commits, function, args, request, server.called_reruns).start(finished)

    def every(self, interval_ns: int, function: Function, namespace: str = "") -> None:
        """Run a mutation again and again, first after one interval: a cron. `namespace` is that of its tables.

        A run that is due while the server is down does not take place. Crons keep no world going.
        """
        no_request = Request(WORLD)
        no_request.namespace = namespace
        self._time_cron(interval_ns, function, no_request)

    def _time_cron(self, interval_ns: int, function: Function, no_request: Request) -> None:
        # A function that sets the timer of itself would be a cycle, left to the garbage collector.
        self.server.clock.call_in_background(interval_ns, partial(self._run_cron, interval_ns, function, no_request))

    def _run_cron(self, interval_ns: int, function: Function, no_request: Request) -> None:
        if not self.server.down:
            self.call(function, {}, no_request)
        self._time_cron(interval_ns, function, no_request)

    def cancel_from_dashboard(self, request: Request, names: Sequence[str], own: Request | None = None) -> None:
        """Cancel the request's newest unfinished job with one of these function names, as an operator does.

        `own`: the request of its retrier itself, whose jobs serve it too.
        """
        found = [_newest_unfinished(one, names) for one in (request, own) if one is not None]
        unfinished = [job for job in found if job is not None]
        if unfinished:
            self._cancel_job(max(unfinished, key=lambda job: job.id))

    def _cancel_job(self, job: Job) -> None:
        before = job.state
        self.store.step(job, CANCELED)
        job.completed_ns = self.server.clock.now_ns
        self.retention.completed(job)
        self.server.record("state", job.request.number, job.id, job.function.name, (before, CANCELED))

    def cancel_jobs(self, names: Sequence[str]) -> None:
        """Cancel all jobs with one of these function names that have not ended, as an operator does."""
        for job in [job for job in self.store.jobs.values() if job.function.name in names and job.state in ALIVE]:
            self._cancel_job(job)

    def restart(self, down_ns: int, inflight: Inflight = CONTINUES) -> None:
        """Lose everything in memory and come back after `down_ns`.

        If `inflight` is `continues`, the effects that the dead actions had still ahead come at their moments; if it is
        `lost`, they never come.
        """
        server = self.server
        server.record("restart", -1, -1, inflight, down_ns)
        died = self.executor.executions
        server.go_down()
        self.executor.stop()
        if inflight == LOST:
            for execution in died:
                for attempt in execution.attempts:
                    attempt.drop_effect()

        def boot() -> None:
            server.record("boot", -1, -1, "")
            server.come_up()
            self.executor.boot()
            server.call_waiting()

        if down_ns:
            server.clock.call_after(down_ns, boot, urgent=True)
        else:
            boot()

    def requests_looked_at(self, names: Sequence[str], namespace: str = "") -> set[int]:
        """Return the numbers of the requests at which a pending or running function of these names may still look.

        Only requests whose retrier has tables of this namespace count.
        """
        looks = [job for job in self.store.jobs.values() if job.state == PENDING]
        looks += [execution.job for execution in self.executor.executions if execution.goes_on]
        return {
            job.request.number for job in looks if job.function.name in names and job.request.namespace == namespace
        }


def _newest_unfinished(request: Request, names: Sequence[str]) -> Job | None:
    """Return the job of a request that came last, of those with one of these function names that have not ended."""
    jobs = reversed(request.jobs or ())
    return next((job for job in jobs if job.function.name in names and job.state in ALIVE), None)
