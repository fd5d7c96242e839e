"""The only place that composes a world: weather and action, deployment or clients, retrier, cancels and faults."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from sim.clients.around import Around
from sim.clients.cells import Cells
from sim.clients.place import Place
from sim.convex.deployment import Deployment
from sim.convex.functions import ACTION, ConflictsExhausted, Function, mutation
from sim.convex.server import Server
from sim.engine.asking import Asking
from sim.engine.own_requests import OwnRequests, keep_logs
from sim.engine.planned_faults import PlannedFaults
from sim.engine.resubmissions import Resubmissions
from sim.engine.retriers import Retriers
from sim.engine.services import compose
from sim.engine.unended import count_unended, end_of_observation
from sim.history.request import Request
from sim.history.traffic import NO_SERVICE
from sim.history.vocabulary import CANCEL, NEVER, OF_THE_ACTION, OF_THE_REQUEST, Outcome
from sim.kernel.choices import WORLD, Choices
from sim.kernel.clock import Clock
from sim.kernel.draws import Draws
from sim.retriers.base import ClientRetrier, Retrier, ScheduledRetrier
from sim.world import faults
from sim.world.action_model import ActionModel
from sim.world.fates import Fates
from sim.world.hosts import ByClass
from sim.world.services.callers import Callers
from sim.world.services.surroundings import Surroundings
from sim.world.weather import WeatherPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sim.clients.client import Client
    from sim.clients.policy.machine import Run
    from sim.convex.contexts import MutationContext
    from sim.history.recorder import Recorder
    from sim.history.request import Resubmission
    from sim.history.traffic import CallLog, Traffic
    from sim.promises.promises import Promises
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
        around = Surroundings(
            clock,
            choices,
            Callers([one.name for one in cell.callers], [one.priority for one in cell.callers]),
            calls=calls,
            recorder=recorder,
            witness=witness,
            heals_at_ns=cell.heals_at,
            names=tuple(cell.services),
        )
        self.cells = Cells()
        """State that requests share."""
        self._around_clients = Around(
            clock,
            choices,
            cells=self.cells,
            calls=calls,
            recorder=recorder,
            witness=witness,
            calls_at_most=cell.limits.polls_per_request,
            stand_alone=cell.world == "isolated",
        )
        self.services = compose(cell.services, around, self.cells)
        """By their names."""
        self.model = self._model_for(cell.action)
        self._actions = [one.action for one in cell.callers] or [cell.action]
        """By class."""
        models = [self.model if action == cell.action else self._model_for(action) for action in self._actions]
        server = Server(
            clock,
            cell.platform,
            choices,
            recorder=recorder,
            witness=witness,
            system_error_share=sum(fault.share for fault in cell.faults if isinstance(fault, faults.SystemError)),
            heals_at_ns=cell.heals_at,
            polls_per_request=cell.limits.polls_per_request,
        )
        self.deployment = Deployment(server)
        self._external = external = models[0] if len(set(map(id, models))) == 1 else ByClass(models)
        self.retriers = Retriers(cell, Function("action", ACTION, external=external), self.deployment.store, retrier)
        self._faults = PlannedFaults(cell, clock, choices, self.deployment, self.retriers)
        self._submit = mutation("submit", self._ask_to_submit)
        self._cancel = mutation(CANCEL, self._ask_to_cancel)
        self._resubmissions = (
            None if cell.resubmit is None else Resubmissions(cell.resubmit, clock, choices, self._submit_again)
        )
        self._own: OwnRequests | None = None
        self._asking: Asking | None = None
        """Who asks in a world that is shared or was opened."""
        self.until_ns: int | None = cell.until if isinstance(cell.until, int) else None
        self._cancel_after = None if cell.cancel is None else choices.delays(cell.cancel.after, "cancel_after")
        self._to_come: dict[int, None] = {}
        """Requests that a cancel to come could still settle."""
        self._submitting: dict[tuple[int, int], None] = {}
        """(request, submission) of the submissions that have not committed yet."""
        self.clients: dict[tuple[int, int], Client | Run] = {}
        """By request and submission."""
        self._places: dict[tuple[int, int], Place] = {}
        """By class and client."""
        self.planned: int | None = None
        """How many requests a deployment that was opened is to have; None if that is not known before."""
        self.drained = False
        """Whether only background work remained when the simulation ended."""
        self._weather: dict[int, WeatherPath] = {}
        """The weather of a shared world, by its entity: of the scenario's action, or of a class with its own."""
        self._progress: Callable[[int], None] | None = None

    @property
    def retrier(self) -> Retrier:
        """The scenario's own retrier: of the request at hand; in a shared world of all whose class has none."""
        return self.retriers.scenarios

    @property
    def promises(self) -> Promises:
        """What the scenario's own retrier promises."""
        return self.retriers.promises_of_scenario

    def _model_for(self, action: ActionOptions) -> External:
        """Return what plays an action: the service that it calls, or a model of its own."""
        if action.service is not None:
            return self.services[action.service]
        return ActionModel(
            self.clock,
            self.choices,
            Fates(self.choices, action, heals_at_ns=self.cell.heals_at),
            effect_at=action.effect_at,
            memory=action.memory,
            recorder=self.recorder,
            witness=self._witness,
            calls=self._calls,
        )

    # Isolated worlds.

    def isolated(self, numbers: Sequence[int], progress: Callable[[int], None] | None = None) -> list[Request]:
        """Simulate requests, each alone from t = 0; `progress` is called now and then with how many are done."""
        with self.around():
            try:
                return self._isolated(numbers, progress)
            except BaseException:
                self._drop()
                raise

    def _isolated(self, numbers: Sequence[int], progress: Callable[[int], None] | None) -> list[Request]:
        finished = []
        resubmissions, sources = self._resubmissions, self.cell.action.weather
        lends = self._needing is not None and self._is_alone
        for done, number in enumerate(numbers):
            self.clock.reset()
            self.deployment.reset()
            self._to_come.clear()
            self._submitting.clear()
            self.clients.clear()
            self.cells.clear()
            if resubmissions is not None:
                resubmissions.reset()
            self.retriers.renew()
            self._start_crons()
            request = Request(number)
            if isinstance(self.retrier, ScheduledRetrier):
                self.retrier.stand_alone(partial(self._uniform_of, number))
            if sources:
                request.weather = WeatherPath(sources, self.choices, number, random_phase=True)
            if lends:
                self.clock.lend(self.until_ns, self._most_steps)
            try:
                self._start(request)
            finally:
                self.clock.take_back()  # also of code that is stopped because of an error
            self.go_on()
            self._conclude([request])
            self._end([request])
            finished.append(request)
            if progress is not None and done % REPORT_EVERY == 0:
                progress(done)
        return finished

    @property
    def _is_alone(self) -> bool:
        """Whether nothing comes between a request and its action, so that it may run the world while it waits."""
        return (
            self._resubmissions is None
            and self.cell.cancel is None
            and self._witness is None
            and isinstance(self._external, ActionModel)
        )

    # Shared worlds.

    def shared(self, progress: Callable[[int], None] | None = None, *, at_most: int | None = None) -> list[Request]:
        """Simulate one replication: all requests in one deployment (or the first few), with the scenario's faults."""
        with self.around():
            try:
                requests = self.open(progress, at_most=at_most)
                self.go_on()
                self._conclude(requests)
                self._end(requests)
            except BaseException:
                self._drop()
                raise
        return requests

    def around(self) -> AbstractContextManager[Any]:
        """Return what is to be entered while anything happens: what its retriers need around them."""
        return nullcontext() if self._needing is None else self._needing.around_world()

    @cached_property
    def _needing(self) -> type[Retrier] | None:
        """The first kind of retrier that needs something around the world; None if none does, as is usual."""
        return next((type(one) for one in self._all_retriers() if type(one).needs_around), None)

    def _all_retriers(self) -> Iterator[Retrier]:
        """Yield the retriers made so far, those of services too."""
        yield from self.retriers.all()
        for service in self.services.values():
            for layer in getattr(service, "layers", ()):
                yield layer.retrier

    def open(self, progress: Callable[[int], None] | None = None, *, at_most: int | None = None) -> list[Request]:
        """Plan the requests and faults of one deployment; the list returned fills as requests are submitted."""
        asking = self._asking = Asking(self.cell, self.clock, self.choices, self._take, at_most=at_most)
        self._progress = progress
        self.planned = asking.planned
        self._own = own = OwnRequests(self.retriers, keep_jobs=self.cell.cancel is not None)
        if self._calls is not None:
            keep_logs(self.retriers, self.cell.named.pools, self._calls, self.clock)
        self._start_crons()
        for service in self.services.values():
            service.start()
        asking.start()
        self._faults.plan(own)
        return asking.requests

    def _uniform_of(self, number: int, stream: str) -> float:
        return self.choices.uniform(stream, number)

    def _take(self, request: Request) -> None:
        """Take a request at the instant of its submission."""
        request.namespace = self.retriers.namespace_of(request.caller_class)
        request.weather = self._weather_of(request)
        if self.cell.world == "isolated" and isinstance(self.retrier, ClientRetrier):
            self.retriers.renew()  # a client stands alone even if the deployment is one for all
        self._start(request)
        if self._progress is not None and request.number % REPORT_EVERY == 0:
            self._progress(request.number)

    def _weather_of(self, request: Request) -> WeatherPath | None:
        """Return the weather of the request's action: of all requests whose action has it, unless each is alone."""
        if self.cell.world == "isolated":  # such a world can be opened too, for a few requests at once
            sources = self.cell.action.weather
            return WeatherPath(sources, self.choices, request.number, random_phase=True) if sources else None
        sources = self._actions[request.caller_class].weather
        if not sources:
            return None
        place = WORLD if sources == self.cell.action.weather else WORLD - 1 - request.caller_class
        if place not in self._weather:
            self._weather[place] = WeatherPath(sources, self.choices, place, random_phase=False)
        return self._weather[place]

    def _start_crons(self) -> None:
        for namespace, retrier in self.retriers.deployed():
            for interval_ns, function in retrier.crons():
                self.deployment.every(interval_ns, function, namespace)

    # Both.

    def _start(self, request: Request) -> None:
        cell, number = self.cell, request.number
        request.retrier = self.retriers.serving(request)
        action = self._actions[request.caller_class]
        if action.permanent_failure:
            request.permanent = self.choices.uniform("permanent", number) < action.permanent_failure
        if self.recorder is not None:
            client = request.client if cell.clients is not None and cell.clients.count > 1 else -1
            name = cell.callers[request.caller_class].name if cell.callers else None
            self.recorder.add((self.clock.now_ns, "submit", number, client, request.retrier.kind, name))
        if cell.cancel is not None and self._cancel_after is not None:
            request.jobs = []
            if self._schedules_cancels and self.choices.uniform("cancel_share", number) < cell.cancel.share:
                if self._cancel_settles(request):
                    self._to_come[number] = None
                self.clock.call_after(self._cancel_after(number, 0, 0), lambda: self.cancel(request), urgent=True)
        if self._resubmissions is not None or (self._asking is not None and self._asking.closed):
            request.told = self._told
        self._submit_to_retrier(request)
        if self._resubmissions is not None:
            self._resubmissions.submitted(request, 1)

    def _submit_again(self, request: Resubmission, reason: str) -> None:
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, "resubmit", request.number, request.submission, reason, None))
        self._submit_to_retrier(request)

    def _told(self, request: Request, outcome: Outcome) -> None:
        """Let the caller of a request hear a conclusion that counts."""
        leaves = self._resubmissions is None or self._resubmissions.told(request, outcome)
        if leaves and self._asking is not None:
            self._asking.over(request)

    def _submit_to_retrier(self, request: Request) -> None:
        retrier, place = request.retrier, (request.number, request.submission)
        if isinstance(retrier, ClientRetrier):
            client = retrier.client(self._around_clients, self._external, request, self._place_of(request))
            self.clients[place] = client
            client.start()
        else:
            self._submitting[place] = None
            self._call_submit(request)

    def _call_submit(self, request: Request) -> None:
        """Submit a request to its deployment."""
        self.deployment.call(self._submit, None, request, lambda handle, error: self._submitted(request, handle, error))

    def _place_of(self, request: Request) -> Place:
        """Return where the client of a request stands."""
        if self.cell.world == "isolated":
            return Place(request.namespace, request.number, "", NO_SERVICE)  # each is alone, even if several are opened
        found = self._places.get((request.caller_class, request.client))
        if found is None:
            service = self._actions[request.caller_class].service
            position = NO_SERVICE if service is None else self.services[service].position
            found = Place(request.namespace, request.client, service or "", position)
            self._places[request.caller_class, request.client] = found
        return found

    def _submitted(self, request: Request, handle: Any, error: Exception | None) -> None:
        if isinstance(error, ConflictsExhausted):
            self._call_submit(request)  # a client outside asks until it is served
            return
        if error is not None:
            raise error
        del self._submitting[request.number, request.submission]
        request.handle = handle

    def _submissions(self, request: Request) -> list[Request]:
        """Return the submissions of a request, the newest first."""
        further = () if self._resubmissions is None else self._resubmissions.further.get(request.number, ())
        return [*reversed(further), request]

    def _ask_to_submit(self, ctx: MutationContext, _: Any) -> Any:
        retrier = ctx.request.retrier
        assert isinstance(retrier, ScheduledRetrier)  # noqa: S101  # no other has mutations
        return retrier.submit(ctx)

    def _ask_to_cancel(self, ctx: MutationContext, request: Request) -> Any:
        """Call the retrier's own cancel; False before the submission commits: the request has no name yet."""
        if (request.number, request.submission) in self._submitting:
            return False
        retrier = request.retrier
        assert isinstance(retrier, ScheduledRetrier)  # noqa: S101  # no other has mutations
        return retrier.cancel(ctx, request.handle)

    def _cancel_settles(self, request: Request) -> bool:
        """Tell whether the scenario's cancel can settle a request at which nothing else looks anymore."""
        retrier, cancel = request.retrier, self.cell.cancel
        if not isinstance(retrier, ScheduledRetrier):
            return True
        own = type(retrier).cancel is not ScheduledRetrier.cancel
        return own and cancel is not None and cancel.target == OF_THE_REQUEST

    def cancel(self, request: Request) -> None:
        """Carry out the scenario's cancel of a request: of all its submissions, if its caller cancels it."""
        cancel, number = self.cell.cancel, request.number
        assert cancel is not None  # noqa: S101  # it was when this was scheduled
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, "cancel", number, -1, cancel.target, None))
        retrier = request.retrier
        if isinstance(retrier, ClientRetrier):
            self._to_come.pop(number, None)
            request.canceled = True
            newest, *older = (self.clients[number, one.submission] for one in self._submissions(request))
            newest.cancel()
            for client in older:
                client.stop()
        elif cancel.target == OF_THE_REQUEST:
            request.canceled = True
            for submission in self._submissions(request):
                self._cancel_submission(submission)
        elif isinstance(retrier, ScheduledRetrier):
            if cancel.target == OF_THE_ACTION:
                self.deployment.cancel_from_dashboard(request, retrier.action_jobs)
            else:
                own = None if self._own is None else self._own.of(request.namespace)
                self.deployment.cancel_from_dashboard(request, retrier.poll_jobs, own)

    def _cancel_submission(self, submission: Request) -> None:
        self.deployment.call(
            self._cancel, submission, submission, lambda answer, error: self._canceled(submission, answer, error)
        )

    def _canceled(self, request: Request, answer: Any, error: Exception | None) -> None:
        if isinstance(error, ConflictsExhausted):
            self._cancel_submission(request)  # as above
            return
        self._to_come.pop(request.number, None)
        self.deployment.server.record("cancel_answer", request.number, -1, OF_THE_REQUEST, answer)

    def go_on(self) -> None:
        """Let happen what is due, until nothing is left, `until` is past, or the limit of steps is reached."""
        self.drained = self.clock.drain(self.until_ns, self._most_steps)

    @property
    def _most_steps(self) -> int:
        """How many timers fire at most."""
        limits = self.cell.limits
        return limits.polls_per_request * STEPS_PER_POLL if self.cell.world == "isolated" else limits.events

    def conclude(self, requests: Sequence[Request]) -> None:
        """Give every request that has not settled the outcome that the world proves: nothing more will happen."""
        self.drained = self.clock.drained
        self._conclude(requests)
        with self.around():
            self._end(requests)

    def deal_out(self, requests: Sequence[Request]) -> None:
        """Deal out among requests what was done for several at once so far."""
        if self._own is not None:
            self._own.deal_out(requests)

    def traffic(self) -> Traffic:
        """Return what the calls of this replication met; only of a world that was composed with `calls`."""
        assert self._calls is not None  # noqa: S101  # see above
        end_ns = end_of_observation(self.clock, self.until_ns)
        return self._calls.traffic(self.replication, self.clock.now_ns if end_ns is None else end_ns)

    def _end(self, requests: Sequence[Request]) -> None:
        """Count the time of what still runs, and stop it: nothing of it may go on in the next world."""
        end_ns = end_of_observation(self.clock, self.until_ns)
        executor = self.deployment.executor
        count_unended(executor, self.clients.values(), end_ns)
        for client in self.clients.values():
            client.end()
        if self._needing is not None:
            for retrier in self._all_retriers():
                retrier.end()
        for service in self.services.values():
            service.stop()
        if executor.running or executor.unseen:
            for execution in executor.executions:
                execution.stop()
                execution.let_go()
        self.deal_out(requests)
        if self._own is not None:
            self._own.let_go()
        for request in requests:
            request.let_go()

    def leave(self) -> None:
        """Stop what still runs, if this world goes no further: code of guests would go on as long as it is there."""
        if self._needing is not None:
            with self.around():
                self._drop()

    def _drop(self) -> None:
        """Stop all that still runs, since an error has ended the simulation; further errors are of no concern."""
        for client in self.clients.values():
            with suppress(Exception):
                client.end()
        for retrier in self._all_retriers():
            with suppress(Exception):
                retrier.end()

    def clear(self) -> None:
        """Forget all that has been simulated: a world itself is full of cycles, so that only the collector frees it."""
        self.clock.reset()
        self.deployment.reset()
        self.clients.clear()
        self.cells.clear()
        self._asking = self._resubmissions = None
        if self._calls is not None:
            self._calls.clear()
        if isinstance(self.choices, Draws):
            self.choices.clear()

    def _conclude(self, requests: Sequence[Request]) -> None:
        open_ones = [request for request in requests if request.settled_ns == NEVER]
        if not open_ones:
            return
        cut = not self.drained
        out_of_time = cut and self.until_ns is None
        open_numbers = self._looked_at() if cut else set()
        served = self._faults.pools_to_come() if cut else set()
        ran_away: set[str] = set()
        if self._own is not None:
            served |= self._own.looked_at(open_numbers)
            ran_away = self._own.ran_away()
        open_numbers.update(request.number for request in open_ones if request.namespace in served)
        for request in open_ones:
            if request.runaway or out_of_time or request.namespace in ran_away:
                request.outcome = Outcome.runaway
            else:
                request.outcome = Outcome.open if request.number in open_numbers else Outcome.stuck

    def _looked_at(self) -> set[int]:
        """Return the numbers of the requests at which something may still look: they are not stuck."""
        found = {*self._to_come, *(number for number, _ in self._submitting)}
        if self._resubmissions is not None:
            found |= self._resubmissions.to_come()
        found.update(number for (number, _), client in self.clients.items() if client.busy)
        for namespace, retrier in self.retriers.deployed():
            found |= self.deployment.requests_looked_at(retrier.watchers, namespace)
        return found
