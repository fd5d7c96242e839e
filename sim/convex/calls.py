"""One call of a mutation from start to commit, with its reruns; and the backend's full-jitter backoff.

The life of a call: it takes `mutation_latency` to reach its snapshot, runs its handler there, and commits after
`commit_window`. A commit in between that touches what it read refuses it; it then waits and takes a new snapshot. A
caller's mutation is rerun a limited number of times, a scheduled one until it commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.convex.functions import ConflictsExhausted, Function, FunctionError, SystemFailure, mistaken
from sim.history.vocabulary import PENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.convex.deployment import Deployment, Reruns
    from sim.convex.jobs import Job
    from sim.convex.platform import Backoff
    from sim.history.request import Request

LARGEST_EXPONENT = 62


def full_jitter(deployment: Deployment, backoff: Backoff, stream: str, request: Request, failures: int) -> int:
    """Draw U[0,1) * min(initial * 2^k, max) in ns, k = failures so far (0 first); sync_types/src/backoff.rs."""
    ceiling_ns = min(backoff.initial << min(failures, LARGEST_EXPONENT), backoff.max)
    index = request.executions
    request.executions = index + 1
    return round(deployment.choices.uniform(stream, request.number, index, failures) * ceiling_ns)


class MutationCall:
    """A mutation on its way to its commit."""

    __slots__ = (
        "_args",
        "_caller",
        "_context",
        "_deployment",
        "_epoch",
        "_finished",
        "_function",
        "_index",
        "_job",
        "_request",
        "_rerun",
        "_reruns",
        "_value",
    )

    def __init__(  # noqa: PLR0913, PLR0917  # all of it is needed, and only here
        self,
        deployment: Deployment,
        function: Function,
        args: Any,
        request: Request,
        caller: Job | None,
        reruns: Reruns,
        *,
        job: Job | None = None,
    ) -> None:
        self._deployment = deployment
        self._function = function
        self._args = args
        self._request = request
        self._caller = caller
        self._reruns = reruns
        self._job = job
        self._rerun = 0
        self._index = request.executions
        request.executions += 1
        self._epoch = deployment.executor.epoch

    def start(self, finished: Callable[[Any, FunctionError | None], None]) -> None:
        """Begin; `finished(value, error)` is called at the commit or when the call fails for good."""
        self._finished = finished
        deployment = self._deployment
        if deployment.executor.down:
            deployment.when_up(lambda: self.start(finished))
            return
        self._epoch = deployment.executor.epoch
        self._after(deployment.mutation_delay(self._request, self._index), self._begin)

    def _after(self, delay_ns: int, step: Callable[[], None]) -> None:
        if delay_ns:
            self._deployment.clock.call_after(delay_ns, step)
        else:
            step()

    def _lost(self) -> bool:
        """Tell whether the server died since; a client outside then asks again, all else is gone with it."""
        if self._epoch == self._deployment.executor.epoch:
            return False
        if self._job is None and self._caller is None:
            self.start(self._finished)
        return True

    def _begin(self) -> None:
        if self._lost():
            return
        deployment, job = self._deployment, self._job
        if job is not None and job.state != PENDING:
            self._finished(None, None)
            return
        if self._system_error():
            self._finished(None, SystemFailure("the deployment failed before the commit"))
            return
        self._context = context = deployment.new_context(deployment, self._request, job)
        if job is not None:
            # Not counted by this call alone: one that starts anew after a death draws anew too.
            context.rerun = job.runs
            job.runs += 1
            context.get_job(job.id)
        else:
            context.rerun = self._rerun
            context.caller = self._caller
        window_ns = deployment.commit_delay(self._request, self._index, self._rerun)
        try:
            self._value = self._function.handler(context, self._args)  # type: ignore[misc]  # a mutation has one
        except FunctionError as error:
            deployment.rolled_back(context, self._function.name, error)
            self._finished(None, error)
            return
        except Exception as error:
            mistaken(error, self._function, self._request, deployment.clock.now_ns)
            raise
        if window_ns:
            deployment.store.hold(context)
            deployment.clock.call_after(window_ns, self._commit_held)
        elif deployment.commit(context, job, name=self._function.name):
            self._finished(self._value, None)

    def _commit_held(self) -> None:
        deployment, context = self._deployment, self._context
        if self._epoch != deployment.executor.epoch:
            deployment.store.release(context)
            self._lost()
        elif deployment.commit(context, self._job, held=True, name=self._function.name):
            self._finished(self._value, None)
        else:
            self._conflict()

    def _conflict(self) -> None:
        deployment, request = self._deployment, self._request
        deployment.record_draws(self._context)
        request.conflicts += 1
        self._rerun += 1
        deployment.record(
            "conflict", request.number, -1 if self._job is None else self._job.id, self._function.name, self._rerun
        )
        if self._reruns.limit is not None and self._rerun > self._reruns.limit:
            self._finished(None, ConflictsExhausted(f"{self._function.name} lost {self._rerun} times"))
            return
        delay_ns = full_jitter(deployment, self._reruns.backoff, "occ_backoff", request, self._rerun - 1)
        self._after(delay_ns, self._begin)

    def _system_error(self) -> bool:
        """Tell whether a system error strikes; a client outside is taken to ask again until it is served."""
        deployment = self._deployment
        struck = self._job or self._caller
        if not deployment.system_error_share or struck is None or self._rerun:
            return False
        return deployment.strikes(struck, f"mutation {self._function.name}")
