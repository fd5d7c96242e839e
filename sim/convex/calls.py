"""One call of a mutation from start to commit, with its reruns.

The life of a call: it takes `mutation_latency` to reach its snapshot, runs its handler there, and commits after
`commit_window`. If another commit in between changes what it read, the store refuses it: it then waits and takes a new
snapshot. A caller's mutation is rerun a limited number of times, a scheduled one until it commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.functions import ConflictsExhausted, Function, FunctionError, SystemFailure, note_mistake
from sim.history.vocabulary import OCC_BACKOFF, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.convex.commits import Commits
    from sim.convex.contexts import MutationContext
    from sim.convex.jobs import Job
    from sim.convex.server import Reruns
    from sim.history.request import Request


class MutationCall:
    """A mutation on its way to its commit: a scheduled `job`, or called by the action of a job or by a client.

    It is the timer of its own next step.
    """

    __slots__ = (
        "_args",
        "_caller",
        "_commits",
        "_context",
        "_epoch",
        "_finished",
        "_function",
        "_index",
        "_job",
        "_request",
        "_rerun",
        "_reruns",
        "_server",
        "_value",
        "callbacks",
    )
    _ok = True

    def __init__(
        self,
        commits: Commits,
        function: Function,
        args: Any,
        request: Request,
        reruns: Reruns,
        *,
        caller: Job | None = None,
        job: Job | None = None,
    ) -> None:
        self._commits = commits
        self._server = commits.server
        self._function = function
        self._args = args
        self._request = request
        self._caller = caller
        self._reruns = reruns
        self._job = job
        self._rerun = 0
        self._index = request.executions
        request.executions += 1
        self._epoch = self._server.epoch
        self.callbacks: Any = None

    @property
    def to_commit(self) -> MutationContext | None:
        """The transaction that its timer is going to commit, None if its timer does something else."""
        return self._context if self.callbacks is _COMMIT else None

    def start(self, finished: Callable[[Any, FunctionError | None], None]) -> None:
        """Begin; `finished(value, error)` is called at the commit or when the call fails for good."""
        self._finished = finished
        server = self._server
        if server.down:
            server.when_up(lambda: self.start(finished))
            return
        self._epoch = server.epoch
        self._begin_after(server.mutation_delay(self._request, self._index))

    def _begin_after(self, delay_ns: int) -> None:
        if delay_ns:
            self.callbacks = _BEGIN
            self._server.clock.set_timer(self, delay_ns)
        else:
            self._begin()

    def _lost(self) -> bool:
        """Whether the server has died since the call began. A client outside then calls again; other calls are lost."""
        if self._epoch == self._server.epoch:
            return False
        if self._job is None and self._caller is None:
            self.start(self._finished)
        return True

    def _begin(self) -> None:
        if self._lost():
            return
        server, job = self._server, self._job
        if job is not None and job.state != PENDING:
            self._finished(None, None)
            return
        if self._system_error():
            self._finished(None, SystemFailure("the deployment failed before the commit"))
            return
        self._context = context = self._commits.new_context(server, self._request, job)
        if job is not None:
            # The job counts its runs, not this call: a call that starts anew after a death draws anew too.
            context.rerun = job.runs
            job.runs += 1
            context.get_job(job.id)
        else:
            context.rerun = self._rerun
            context.caller = self._caller
        window_ns = server.commit_delay(self._request, self._index, self._rerun)
        try:
            self._value = self._function.handler(context, self._args)  # type: ignore[misc]  # a mutation has one
        except FunctionError as error:
            self._commits.rolled_back(context, self._function.name, error)
            self._finished(None, error)
            return
        except Exception as error:
            note_mistake(error, self._function, self._request, server.clock.now_ns)
            raise
        if window_ns:
            server.store.hold(context)
            self.callbacks = _COMMIT
            server.clock.set_timer(self, window_ns)
        elif self._commits.commit(context, job, name=self._function.name):
            self._finished(self._value, None)

    def _commit_held(self) -> None:
        server, context = self._server, self._context
        if self._epoch != server.epoch:
            server.store.release(context)
            self._lost()
        elif self._commits.commit(context, self._job, held=True, name=self._function.name):
            self._finished(self._value, None)
        else:
            self._conflict()

    def _conflict(self) -> None:
        """Run again after a backoff, or fail if the limit of reruns is reached."""
        server, request = self._server, self._request
        self._commits.record_draws(self._context)
        request.conflicts += 1
        self._rerun += 1
        job_id, name = -1 if self._job is None else self._job.id, self._function.name
        server.record("conflict", request.number, job_id, name, self._rerun)
        if self._reruns.limit is not None and self._rerun > self._reruns.limit:
            self._finished(None, ConflictsExhausted(f"{self._function.name} lost {self._rerun} times"))
            return
        delay_ns = server.full_jitter(
            self._reruns.backoff, OCC_BACKOFF, request, self._rerun - 1, job_id=job_id, name=name
        )
        self._begin_after(delay_ns)

    def _system_error(self) -> bool:
        """Tell whether a system error strikes. Calls of clients outside are spared: they ask until they are served."""
        server = self._server
        struck = self._job or self._caller
        if not server.system_error_share or struck is None or self._rerun:
            return False
        return server.strikes(struck, f"mutation {self._function.name}")


_BEGIN = (lambda call: call._begin(),)  # noqa: SLF001  # its own
_COMMIT = (lambda call: call._commit_held(),)  # noqa: SLF001  # its own
