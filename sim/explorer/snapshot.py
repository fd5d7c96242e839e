"""One look at a world between two steps: everything that can still matter, as nested tuples of plain values.

What the state of a world has, in which order, stands here; how each part is described, in the modules of requests,
clients, deployments, policies and services, and of what timers hold. Jobs are renumbered in order of creation and
instants are relative to now, if the world allows it (see `Distinctions`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.clients.client import Client
from sim.explorer import policy_state, service_state
from sim.explorer.client_state import attributes, client_values
from sim.explorer.deployment_state import add_jobs_named, execution_values, jobs_at_work, row_values
from sim.explorer.held_values import describer
from sim.explorer.plain_values import ATOMS, PlainValues
from sim.explorer.request_state import asking_values, request_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.convex.execution import Execution
    from sim.explorer.course import Course
    from sim.explorer.distinctions import Distinctions
    from sim.kernel.clock import QueueEntry


class Snapshot:
    """One look at the world of a course; see `Look`."""

    def __init__(self, course: Course, distinct: Distinctions, settled_ns: Mapping[int, int]) -> None:
        """Look at the world; `settled_ns` has the instant at which each request settled."""
        self._course = course
        self._world = world = course.world
        self.distinct = distinct
        self.settled_ns = settled_ns
        self.clock = world.clock
        self.now_ns = world.clock.now_ns
        self.deployment = world.deployment
        self._values = values = PlainValues(distinct, self.now_ns)
        self.job = values.job
        self.plain = values.plain
        self._owners: list[tuple[Any, Any]] = []

    def state(self, observed: tuple[Any, ...]) -> Any:
        """Return the state, given what has been observed of each request. Raises NotCanonical."""
        course, world, deployment, now_ns = self._course, self._world, self.deployment, self.now_ns
        executor, store, up_to_time = deployment.executor, deployment.store, self.distinct.up_to_time
        timers = self.clock.timers()
        executions = [*(executor.running[number] for number in sorted(executor.running)), *executor.unseen]
        self._number_jobs(executions, timers)
        self._find_owners(executions)
        return (
            0 if up_to_time else now_ns,
            course.crashes_left,
            tuple(course.cancels_left),
            observed,
            tuple(request_values(self, request) for request in course.requests),
            tuple((t_ns - now_ns, urgency, self.value(timer)) for t_ns, urgency, _, timer in timers),
            tuple(row_values(self, number, orders=course.bounds.orders) for number in sorted(self._values.ranks)),
            tuple((key, self.plain(version.document)) for key, version in store.documents.items()),
            # A transaction that is lost keeps the numbers it gave away, so they can be ahead of all rows.
            0 if up_to_time else store.jobs_created,
            tuple(table.created for table in store.tables.values()),
            # The next creation comes after the last one: that tells only if it is not past.
            tuple((name, t_ns - now_ns) for name, t_ns in store.created_ns.items() if t_ns >= now_ns),
            tuple(now_ns - job.completed_ns for job in deployment.retention.completed_jobs),
            deployment.server.down,
            executor.free,
            tuple(self.job(number) for _, number, _ in sorted(executor.waiting, key=lambda entry: entry[:2])),
            tuple(self.job(number) for number in executor.starting),
            tuple(execution_values(self, execution) for execution in executions),
            tuple(self.value(call) for call in deployment.server._when_up),
            tuple(
                client_values(self, client) if isinstance(client, Client) else policy_state.run(self, client)
                for client in world.clients.values()
            ),
            policy_state.cells(self, world.cells),
            tuple(world._to_come),
            tuple(world._submitting),
            tuple(attributes(self, retrier) for _, retrier in world.retriers.deployed()),
            None if world._asking is None else asking_values(world._asking),
            tuple(service_state.service(self, receiver) for receiver in world.services.values()),
        )

    def value(self, value: Any) -> Any:
        """Describe what a timer holds. Raises NotCanonical."""
        kind = type(value)
        return value if kind in ATOMS else describer(kind)(self, value)

    def learned_by(self, learner: object) -> Any:
        """Describe all that code has learned, which says how it goes on."""
        return self.plain(self._course.witness.learned_by(learner))

    def owner(self, task: Any) -> Any:
        """Say to whom the task of a coroutine belongs; None if that is not known."""
        return next((label for one, label in self._owners if one is task), None)

    def _number_jobs(self, executions: list[Execution], timers: list[QueueEntry]) -> None:
        """Give numbers to the jobs that can still matter: live ones, and ones that a function may still look up."""
        found = jobs_at_work(self, executions, timers)
        if self.distinct.fields.jobs:
            add_jobs_named(self, found)
        elif self._course.deployed:
            found.update(self.deployment.store.jobs)
        self._values.number_jobs(found)

    def _find_owners(self, executions: list[Execution]) -> None:
        for execution in executions:
            if execution._task is not None:
                self._owners.append((execution._task, ("x", self.job(execution.job_id))))
            for at, task in enumerate(execution._tasks or ()):
                self._owners.append((task, ("x", self.job(execution.job_id), at)))
        for place, client in self._world.clients.items():
            if isinstance(client, Client):
                self._owners.append((client._task, ("c", place)))
