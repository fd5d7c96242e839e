"""The deployment of a small world between two steps: its jobs, executions and transactions, as nested tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.convex.calls import MutationCall
from sim.convex.jobs import Job
from sim.convex.traced import TracedContext
from sim.explorer.plain_values import collect_jobs
from sim.explorer.request_state import attempt_values, request_number
from sim.history.recorder import noted
from sim.history.vocabulary import IN_PROGRESS, PENDING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FunctionType

    from sim.convex.contexts import MutationContext
    from sim.convex.execution import Execution
    from sim.explorer.look import Look
    from sim.kernel.clock import QueueEntry

NEVER_SETTLED: Final = 1 << 200
"""Later than every instant."""


# Jobs.


def jobs_at_work(look: Look, executions: Iterable[Execution], timers: Iterable[QueueEntry]) -> set[int]:
    """Return the jobs that are pending or running, that an execution has, and that a commit to come creates."""
    jobs = look.deployment.store.jobs.values()
    found = {job.id for job in jobs if job.state in (PENDING, IN_PROGRESS)}
    found.update(execution.job_id for execution in executions)
    for *_, timer in timers:
        if isinstance(timer, Job):
            found.add(timer.id)
        elif isinstance(timer, MutationCall) and timer.to_commit is not None:
            found.update(job.id for job in timer.to_commit.created or ())
    return found


def add_jobs_named(look: Look, found: set[int]) -> None:
    """Add the jobs that arguments of live jobs and documents name, so that a function may still look them up."""
    store, names = look.deployment.store, look.distinct.fields.jobs
    for job in store.jobs.values():
        if job.state in (PENDING, IN_PROGRESS):
            collect_jobs(job.args, names, found)
    for version in store.documents.values():
        collect_jobs(version.document, names, found)


def row_values(look: Look, number: int, *, orders: bool) -> Any:
    """Describe the row of a job; `orders` says whether what is due at one instant comes in any order."""
    deployment = look.deployment
    job = deployment.store.jobs.get(number)
    rank = look.job(number)
    if job is None:
        return (rank, "gone")
    if job.state in (PENDING, IN_PROGRESS):
        due_ns = job.due_ns - look.now_ns if job.due_ns > look.now_ns else 0
        since_ns = look.now_ns - job.due_ns if not orders and due_ns == 0 else 0
        name = job.function.name
        return (
            rank,
            name,
            request_number(job.request),
            job.state,
            due_ns,
            since_ns,
            job.system_errors,
            look.plain(job.args),
        )
    ended_for_ns = 0 if deployment.retention.retention_ns is None else look.now_ns - job.completed_ns
    return (rank, job.function.name, job.state, ended_for_ns)


def job_timer(look: Look, job: Job) -> Any:
    """Describe the timer of a job."""
    executor = look.deployment.executor
    due, admitted = job.callbacks is executor.commits.due_callbacks, job.callbacks is executor.admitted_callbacks
    return ("job", look.job(job.id), due, admitted)


# Executions, and the functions that they leave behind in timers.


def execution_values(look: Look, execution: Execution) -> Any:
    """Describe an execution of an action."""
    left_ns = 0 if execution.deadline_ns is None else execution.deadline_ns - look.now_ns
    return (
        look.job(execution.job_id),
        execution.alive,
        execution.seen,
        left_ns,
        execution.strike,
        execution.writes,
        tuple(attempt_values(attempt) for attempt in execution.attempts),
        tuple((branch.attempt is None, branch.answer.done) for branch in execution.branches or ()),
        execution._called is not None,
        look.learned_by(execution),
    )


def within_values(look: Look, host: Any) -> Any:
    """Describe the host of an attempt within a mutation."""
    return ("within", look.job(host.job_id))


def function_values(look: Look, function: FunctionType) -> Any:
    """Describe a function by its name and by what it encloses."""
    cells = function.__closure__ or ()
    names = function.__code__.co_freevars
    server = look.deployment.server
    enclosed: list[Any] = []
    for name, cell in zip(names, cells, strict=True):
        inside = cell.cell_contents
        if name == "epoch":
            enclosed.append(inside == server.epoch)
        elif name == "job_id":
            enclosed.append(look.job(inside))
        elif inside is server.store.jobs:
            enclosed.append("jobs")  # their rows are a part of the state
        elif inside is not function:
            enclosed.append(look.value(inside))
    return (function.__qualname__, tuple(enclosed))


# Transactions.


def mutation_values(look: Look, call: MutationCall) -> Any:
    """Describe the call of a mutation that has not committed."""
    stale = call._epoch != look.deployment.server.epoch
    job, caller = call._job, call._caller
    return (
        "mutation",
        call._function.name,
        look.value(call._args),
        request_number(call._request),
        None if job is None else look.job(job.id),
        None if caller is None else look.job(caller.id),
        call._rerun,
        stale,
        look.value(call._finished),
        None if call.to_commit is None else _transaction(look, call.to_commit),
    )


def _transaction(look: Look, context: MutationContext) -> Any:
    store, job_of = look.deployment.store, look.job
    doomed = context.begin_ts != store.last_ts and store.overlaps(context)
    created = context.created or ()
    return (
        doomed,
        look.now_ns - context.now_ns,
        context.now_ns > look.settled_ns.get(context.request.number, NEVER_SETTLED),
        tuple(context.reads)
        if not look.distinct.up_to_time
        else tuple(job_of(read) if isinstance(read, int) else read for read in context.reads),
        tuple(look.value(tuple(read)) for read in context.ranges or ()),
        look.plain(context.writes),
        tuple(
            (job_of(job.id), job.function.name, job.state, job.due_ns - look.now_ns, look.plain(job.args))
            for job in created
        ),
        tuple((job_of(number), state) for number, state in (context.job_states or {}).items()),
        tuple(
            (
                request_number(one.request),
                int(one.outcome),
                None if one.at_ns is None else one.at_ns - look.now_ns,
                None if one.attempt_end_ns is None else one.attempt_end_ns - look.now_ns,
            )
            for one in context.settlements
        ),
        noted((context._trace,)) if isinstance(context, TracedContext) else (),
        tuple(map(look.value, context.after)),
    )
