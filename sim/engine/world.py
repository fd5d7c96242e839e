"""The only place that composes a world: weather and action, deployment or clients, retrier, cancels and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.clients.client import Client
from sim.convex.deployment import Deployment
from sim.convex.functions import ACTION, Function, mutation
from sim.convex.server import Server
from sim.engine.services import compose
from sim.engine.unended import count_unended, end_of_observation
from sim.history.request import Request
from sim.history.vocabulary import CANCEL, NEVER, OF_THE_ACTION, OF_THE_REQUEST, Outcome
from sim.kernel.choices import WORLD, Choices
from sim.kernel.clock import Clock
from sim.kernel.draws import Draws
from sim.kernel.durations import NS_PER_S
from sim.laws.distributions import Exponential
from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier, promises_of
from sim.world import faults
from sim.world.action_model import ActionModel
from sim.world.fates import Fates
from sim.world.services.callers import Callers
from sim.world.services.service import Surroundings
from sim.world.weather import WeatherPath
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.convex.contexts import MutationContext
    from sim.history.recorder import Recorder
    from sim.history.traffic import CallLog, Traffic
    from sim.scenario.schema import Scenario
    from sim.world.actions import ActionOptions
    from sim.world.hosts import External
    from sim.world.witness import Witness


STEPS_PER_POLL: Final = 20
"""Timers that may fire for each poll a request may make; with more it counts as running for ever at one instant."""


REPORT_EVERY: Final = 256
"""Requests from one report of progress to the next."""


class World:
    """One cell put together: ready to simulate isolated requests, or one replication of a shared world."""

    def __init__(
        self,
        cell: Scenario,
        *,
        replication: int = 0,
        retrier: Callable[[], Retrier] | Retrier | None = None,
        recorder: Recorder | None = None,
        choices: Choices | None = None,
        witness: Witness | None = None,
        calls: CallLog | None = None,
        schedules_cancels: bool = True,
    ) -> None:
        """Compose the world of `cell`; `retrier` and `choices` take the place of the scenario's own.

        `retrier` makes retriers: a deployment has one, so each isolated request gets a new one, and a shared world one
        for all its requests. A retrier itself, given in place of what makes it, serves all requests of any world.
        `calls` gathers what the calls of a shared world met. Without `schedules_cancels` the scenario's cancels do not
        come at their times: the caller calls `cancel`.
        """
        self.cell = cell
        self.replication = replication
        self.recorder = recorder
        if recorder is not None and recorder.polls is None:
            recorder.polls = set()
        self._witness = witness
        self._calls = calls
        self._schedules_cancels = schedules_cancels
        self.clock = clock = Clock()
        self.choices = choices = Draws(cell.seed, replication) if choices is None else choices
        self._make = cell.retrier.maker() if retrier is None else retrier
        self.retrier = self._make if isinstance(self._make, Retrier) else self._make()
        """The retrier of the request at hand; in a shared world of all."""
        self._renews = cell.world == "isolated" and not (isinstance(self._make, Retrier) or self.retrier.stateless)
        self._is_used = False
        """Whether a request has met the present retrier."""
        self.promises = promises_of(self.retrier)
        """Asked for before anything happens: what a retrier does to its own fields later does not change them."""
        action = cell.action
        around = Surroundings(
            clock,
            choices,
            Callers(),
            calls=calls,
            recorder=recorder,
            witness=witness,
            heals_at_ns=cell.heals_at,
            names=tuple(cell.services),
        )
        self.services = compose(cell.services, around)
        """By their names."""
        self.model: External = self._action_model(action) if action.service is None else self.services[action.service]
        system_errors = [fault.share for fault in cell.faults if isinstance(fault, faults.SystemError)]
        server = Server(
            clock,
            cell.platform,
            choices,
            recorder=recorder,
            witness=witness,
            system_error_share=system_errors[0] if system_errors else 0.0,
            heals_at_ns=cell.heals_at,
            polls_per_request=cell.limits.polls_per_request,
        )
        self.deployment = Deployment(server)
        self._action = Function("action", ACTION, external=self.model)
        if isinstance(self.retrier, ScheduledRetrier):
            self._deploy(self.retrier)
        self.until_ns: int | None = cell.until if isinstance(cell.until, int) else None
        self._cancel_after = None if cell.cancel is None else choices.delays(cell.cancel.after, "cancel_after")
        self._to_come: dict[int, None] = {}
        """Requests that a cancel to come could still settle."""
        self._submitting: dict[int, None] = {}
        """Requests whose submission has not committed yet."""
        self.clients: dict[int, Client] = {}
        self.planned: int | None = None
        """How many requests a deployment that was opened is to have."""
        self.drained = False
        """Whether only background work remained when the simulation ended."""

    def _action_model(self, action: ActionOptions) -> ActionModel:
        """Make the model of an action that calls no service."""
        return ActionModel(
            self.clock,
            self.choices,
            Fates(self.choices, action, heals_at_ns=self.cell.heals_at),
            effect_at=action.effect_at,
            window_ns=action.window_ns,
            recorder=self.recorder,
            witness=self._witness,
            calls=self._calls,
        )

    def _deploy(self, retrier: ScheduledRetrier) -> None:
        retrier.bind(self._action)
        for name, indexes in retrier.tables.items():
            self.deployment.store.define(name, indexes)
        self._submit = mutation("submit", self._ask_to_submit)
        self._cancel = mutation(CANCEL, self._ask_to_cancel)

    def _renew(self) -> None:
        """Make the retrier of the next request, unless the present one is new or keeps nothing between requests."""
        if self._renews and self._is_used:
            assert not isinstance(self._make, Retrier)  # noqa: S101  # such a one is never renewed
            self.retrier = retrier = self._make()
            if isinstance(retrier, ScheduledRetrier):
                retrier.bind(self._action)
        self._is_used = True

    # Isolated worlds.

    def isolated(self, numbers: Sequence[int], progress: Callable[[int], None] | None = None) -> list[Request]:
        """Simulate requests, each alone from t = 0; `progress` is called now and then with how many are done."""
        finished = []
        sources = self.cell.action.weather
        for done, number in enumerate(numbers):
            self.clock.reset()
            self.deployment.reset()
            self._to_come.clear()
            self._submitting.clear()
            self.clients.clear()
            self._renew()
            self._start_crons()
            request = Request(number)
            if sources:
                request.weather = WeatherPath(sources, self.choices, number, random_phase=True)
            self._start(request)
            self.go_on()
            self._conclude([request])
            self._end()
            finished.append(request)
            if progress is not None and done % REPORT_EVERY == 0:
                progress(done)
        return finished

    # Shared worlds.

    def shared(self, progress: Callable[[int], None] | None = None, *, at_most: int | None = None) -> list[Request]:
        """Simulate one replication: all requests in one deployment (or the first few), with the scenario's faults."""
        requests = self.open(progress, at_most=at_most)
        self.go_on()
        self._conclude(requests)
        self._end()
        return requests

    def open(self, progress: Callable[[int], None] | None = None, *, at_most: int | None = None) -> list[Request]:
        """Plan the requests and faults of one deployment; the list returned fills as requests are submitted."""
        count = self.cell.requests.count
        self.planned = count if at_most is None else min(count, at_most)
        arrivals = arrival_times_ns(self.cell.requests, self.choices)[:at_most]
        sources = self.cell.action.weather
        alone = self.cell.world == "isolated"  # such a world can be opened too, for a few requests at once
        weather = WeatherPath(sources, self.choices, WORLD, random_phase=False) if sources and not alone else None
        requests: list[Request] = []

        def arrive() -> None:
            number = len(requests)
            request = Request(number, self.clock.now_ns)
            if sources and alone:
                request.weather = WeatherPath(sources, self.choices, number, random_phase=True)
            else:
                request.weather = weather
            requests.append(request)
            if isinstance(self.retrier, LoopRetrier):
                self._renew()  # a client stands alone even if the deployment is one for all
            self._start(request)
            if progress is not None and number % REPORT_EVERY == 0:
                progress(number)
            if number + 1 < len(arrivals):
                self.clock.call_after(arrivals[number + 1] - self.clock.now_ns, arrive)

        self._start_crons()
        for service in self.services.values():
            service.start()
        self.clock.call_after(arrivals[0], arrive)
        for position, fault in enumerate(self.cell.faults):
            if isinstance(fault, faults.Restart):
                self._plan_restarts(fault, position)
        return requests

    def _start_crons(self) -> None:
        if isinstance(self.retrier, ScheduledRetrier):
            for interval_ns, function in self.retrier.crons():
                self.deployment.every(interval_ns, function)

    def _plan_restarts(self, fault: faults.Restart, position: int) -> None:
        cell, clock = self.cell, self.clock

        def restart() -> None:
            if self.deployment.server.down:
                return
            if cell.heals_at is None or clock.now_ns < cell.heals_at:
                self.deployment.restart(fault.down, fault.inflight)

        for at_ns in fault.at or ():
            clock.call_in_background(at_ns, restart)
        if fault.rate is not None:
            gap = self.choices.delays(Exponential(mean_ns=round(NS_PER_S / fault.rate)), f"restart.{position}")

            def gap_ns(count: int) -> int:
                return gap(WORLD, count, 0)

            def again(count: int) -> None:
                restart()
                clock.call_in_background(gap_ns(count), lambda: again(count + 1))

            clock.call_in_background(gap_ns(0), lambda: again(1))

    # Both.

    def _start(self, request: Request) -> None:
        cell, number = self.cell, request.number
        if cell.action.permanent_failure:
            request.permanent = self.choices.uniform("permanent", number) < cell.action.permanent_failure
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, "submit", number, -1, self.retrier.kind, None))
        if cell.cancel is not None and self._cancel_after is not None:
            request.jobs = []
            if self._schedules_cancels and self.choices.uniform("cancel_share", number) < cell.cancel.share:
                if self._cancel_settles():
                    self._to_come[number] = None
                self.clock.call_after(self._cancel_after(number, 0, 0), lambda: self.cancel(request), urgent=True)
        if isinstance(self.retrier, LoopRetrier):
            self.clients[number] = client = Client(
                self.clock,
                self.choices,
                self.model,
                self.retrier,
                request,
                recorder=self.recorder,
                witness=self._witness,
                calls_at_most=cell.limits.polls_per_request,
            )
            client.start()
        else:
            self._submitting[number] = None
            self.deployment.call(
                self._submit, None, request, lambda handle, error: self._submitted(request, handle, error)
            )

    def _submitted(self, request: Request, handle: Any, error: Exception | None) -> None:
        if error is not None:
            raise error
        del self._submitting[request.number]
        request.handle = handle

    def _ask_to_submit(self, ctx: MutationContext, _: Any) -> Any:
        assert isinstance(self.retrier, ScheduledRetrier)  # noqa: S101  # no other has mutations
        return self.retrier.submit(ctx)

    def _ask_to_cancel(self, ctx: MutationContext, request: Request) -> Any:
        """Call the retrier's own cancel; False before the submission commits: the request has no name yet."""
        if request.number in self._submitting:
            return False
        assert isinstance(self.retrier, ScheduledRetrier)  # noqa: S101  # no other has mutations
        return self.retrier.cancel(ctx, request.handle)

    def _cancel_settles(self) -> bool:
        """Tell whether the scenario's cancel can settle a request at which nothing else looks anymore."""
        retrier, cancel = self.retrier, self.cell.cancel
        if not isinstance(retrier, ScheduledRetrier):
            return True
        own = type(retrier).cancel is not ScheduledRetrier.cancel
        return own and cancel is not None and cancel.target == OF_THE_REQUEST

    def cancel(self, request: Request) -> None:
        """Carry out the scenario's cancel of a request."""
        cancel, number = self.cell.cancel, request.number
        assert cancel is not None  # noqa: S101  # it was when this was scheduled
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, "cancel", number, -1, cancel.target, None))
        retrier = self.retrier
        if isinstance(retrier, LoopRetrier):
            self._to_come.pop(number, None)
            self.clients[number].cancel()
        elif cancel.target == OF_THE_REQUEST:
            self.deployment.call(self._cancel, request, request, lambda answer, _: self._canceled(request, answer))
        elif isinstance(retrier, ScheduledRetrier):
            names = retrier.action_jobs if cancel.target == OF_THE_ACTION else retrier.poll_jobs
            self.deployment.cancel_from_dashboard(request, names)

    def _canceled(self, request: Request, answer: Any) -> None:
        self._to_come.pop(request.number, None)
        self.deployment.server.record("cancel_answer", request.number, -1, OF_THE_REQUEST, answer)

    def go_on(self) -> None:
        """Let happen what is due, until nothing is left, `until` is past, or the limit of steps is reached."""
        clock, limits = self.clock, self.cell.limits
        isolated = self.cell.world == "isolated"
        steps = limits.polls_per_request * STEPS_PER_POLL if isolated else limits.events
        self.drained = clock.drain(self.until_ns, steps)

    def conclude(self, requests: Sequence[Request]) -> None:
        """Give every request that has not settled the outcome that the world proves: nothing more will happen."""
        self.drained = self.clock.drained
        self._conclude(requests)
        self._end()

    def traffic(self) -> Traffic:
        """Return what the calls of this replication met; only of a world that was composed with `calls`."""
        assert self._calls is not None  # noqa: S101  # see above
        end_ns = end_of_observation(self.clock, self.until_ns)
        return self._calls.traffic(self.replication, self.clock.now_ns if end_ns is None else end_ns)

    def _end(self) -> None:
        """Count the time of what still runs, and stop it: nothing of it may go on in the next world."""
        end_ns = end_of_observation(self.clock, self.until_ns)
        executor = self.deployment.executor
        count_unended(executor, self.clients.values(), end_ns)
        for client in self.clients.values():
            client.stop()
        for service in self.services.values():
            service.stop()
        if executor.running or executor.unseen:
            for execution in executor.executions:
                execution.stop()

    def _conclude(self, requests: Sequence[Request]) -> None:
        open_ones = [request for request in requests if request.settled_ns == NEVER]
        if not open_ones:
            return
        cut = not self.drained
        out_of_time = cut and self.until_ns is None
        looked_at: set[int] = set()
        if cut and isinstance(self.retrier, ScheduledRetrier):
            looked_at = self.deployment.requests_looked_at(self.retrier.watchers) | {*self._to_come, *self._submitting}
        for request in open_ones:
            if request.runaway or out_of_time:
                request.outcome = Outcome.runaway
            elif not cut:
                request.outcome = Outcome.stuck
            elif isinstance(self.retrier, LoopRetrier):
                busy = self.clients[request.number].busy or request.number in self._to_come
                request.outcome = Outcome.open if busy else Outcome.stuck
            else:
                request.outcome = Outcome.open if request.number in looked_at else Outcome.stuck
