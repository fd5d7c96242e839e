"""The server: the ground that all parts of a deployment stand on.

It holds the clock, chance, the platform's numbers, the store and the history, and knows whether it is up. It draws the
platform's own delays and system errors. Whatever began in an older epoch died with the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sim.convex.store import Store
from sim.kernel.durations import NS_PER_S, RUNAWAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.convex.jobs import Job
    from sim.convex.platform import Backoff, Platform
    from sim.history.recorder import Recorder
    from sim.history.request import Request
    from sim.kernel.choices import Choices, DelayOf, Law
    from sim.kernel.clock import Clock
    from sim.world.witness import Witness

RUNS_WITHOUT_PROGRESS: Final = 200_000
"""Runs of a retrier's own functions in a row that lead to nothing: more than while a pool waits for a long action."""
LONGEST_WITHOUT_PROGRESS_NS: Final = 6 * 60 * 60 * NS_PER_S
RUNS_OF_A_LONG_TIME: Final = 1_000
"""So many, if they have taken so long, are enough: a pool without slots looks for dead jobs every minute, for ever."""
RUNS_AT_ONE_INSTANT: Final = 20_000
"""Such runs at one instant: time does not go on if a function that takes none schedules itself without end."""
UNLIMITED: Final = 1 << 62
"""The slots of a platform without a limit."""
LARGEST_EXPONENT: Final = 62


@dataclass(frozen=True, slots=True)
class Reruns:
    """How often a refused mutation runs again (None: until it commits), and the backoff before each rerun."""

    limit: int | None
    backoff: Backoff


class Server:
    """What the parts of a deployment have in common; `reset` makes it new for the next world.

    If the platform takes no time (no latencies, no system errors), a mutation begins and commits within one step and
    cannot conflict: the server is then `immediate`. From `heals_at_ns` on no system error strikes.
    """

    def __init__(
        self,
        clock: Clock,
        platform: Platform,
        choices: Choices,
        *,
        recorder: Recorder | None = None,
        witness: Witness | None = None,
        system_error_share: float = 0.0,
        heals_at_ns: int | None = None,
        polls_per_request: int = 1_000_000,
        horizon_ns: int = RUNAWAY_NS,
        store: Store | None = None,
    ) -> None:
        self.clock = clock
        self.platform = platform
        self.choices = choices
        self.recorder = recorder
        self.witness = witness
        self.store = Store() if store is None else store
        """Outlives every restart."""
        self.system_error_share = system_error_share
        self._system_error = (system_error_share,)
        self.heals_at_ns = horizon_ns if heals_at_ns is None else heals_at_ns
        self.polls_per_request = polls_per_request
        self.horizon_ns = horizon_ns
        """A job that is due later is never timed: its request runs away."""
        self.parallelism = UNLIMITED if platform.parallelism is None else platform.parallelism
        self.action_time_limit_ns: int | None = platform.action_time_limit
        self.called_reruns = Reruns(platform.occ_reruns, platform.occ_backoff)
        """Of mutations that clients and actions call."""
        self.scheduled_reruns = Reruns(None, platform.scheduled_occ_backoff)
        """Of scheduled mutations."""
        self.immediate = platform.mutation_latency is None and platform.commit_window is None and not system_error_share
        self.dispatches = platform.dispatch_latency is not None
        """Whether a job takes time from its slot to its start."""
        self._mutation_latency = self._bind(platform.mutation_latency, "mutation_latency")
        self._commit_window = self._bind(platform.commit_window, "commit_window")
        self._dispatch_latency = self._bind(platform.dispatch_latency, "dispatch_latency")
        self.polling: set[str] = set()
        """The names of the functions scheduled so far whose executions count as polls, if a history is recorded."""
        self.requests: dict[tuple[int, int], Request] = {}
        """By number and submission, those whose retrier serves many with one function."""
        self.cancels_children = True
        """Whether the jobs that a canceled action schedules are canceled from birth; Convex' own test double lets them
        live, so replays of its recordings say no."""
        self.progress = 0
        """Grows with every attempt that begins beside others, and every conclusion."""
        self._seen_progress = 0
        self._runs_since = self._runs_before = 0
        self._seen_ns = -1
        self._progress_ns = 0
        self.epoch = 0
        """Grows with every restart; what began in an older epoch is gone."""
        self.down = False
        self._when_up: list[Callable[[], None]] = []

    def _bind(self, law: Law | None, stream: str) -> DelayOf | None:
        return None if law is None else self.choices.delays(law, stream)

    def reset(self) -> None:
        """Forget everything but the tables."""
        self.store.reset()
        self.requests.clear()
        self.progress = self._seen_progress = self._runs_since = self._runs_before = self._progress_ns = 0
        self.epoch = 0
        self.down = False
        self._when_up.clear()

    # Up and down.

    def go_down(self) -> None:
        """End the epoch: the server dies."""
        self.epoch += 1
        self.down = True

    def come_up(self) -> None:
        """Start again."""
        self.down = False

    def when_up(self, call: Callable[[], None]) -> None:
        """Call when the server is back."""
        self._when_up.append(call)

    def call_waiting(self) -> None:
        """Make the calls that have waited for the server."""
        waiting, self._when_up = self._when_up, []
        for call in waiting:
            call()

    # The history.

    def record(self, kind: str, request: int, subject: int, name: str, detail: Any = None) -> None:
        """Add an event to the history, if there is one."""
        if self.recorder is not None:
            self.recorder.add((self.clock.now_ns, kind, request, subject, name, detail))

    def run_away(self, request: Request, limit: str) -> None:
        """Note that a request ran into a limit: none of its pending jobs runs anymore."""
        if not request.runaway:
            request.runaway = limit
            self.record("runaway", request.number, -1, limit)

    def gives_up(self, own: Request, goes_on: Callable[[], bool]) -> bool:
        """Tell whether a retrier is stopped that serves many requests; ask before each run of its own functions.

        Such a retrier polls for all its requests, so no number of polls is too large in itself. But a long row of runs
        without an attempt or a conclusion leads nowhere: a function schedules itself without end, or a loop waits for
        a thing that is lost. `goes_on` tells whether an action still runs, which may take long.
        """
        now_ns = self.clock.now_ns
        if self.progress != self._seen_progress:
            self._seen_progress, self._runs_since, self._runs_before = self.progress, 0, 0
            self._progress_ns = now_ns
        if now_ns != self._seen_ns:
            self._seen_ns, self._runs_before = now_ns, self._runs_since
        self._runs_since += 1
        since, now = self._runs_since, self._runs_since - self._runs_before
        takes_long = since > RUNS_OF_A_LONG_TIME and now_ns > self._progress_ns + LONGEST_WITHOUT_PROGRESS_NS
        if takes_long and goes_on():
            self._progress_ns = now_ns  # what runs may still end, and then the pool needs time to go on
            takes_long = False
        if since > RUNS_WITHOUT_PROGRESS or now > RUNS_AT_ONE_INSTANT or takes_long:
            self._runs_since = self._runs_before = 0
            self.run_away(own, "progress")
        return bool(own.runaway)

    # Delays.

    def mutation_delay(self, request: Request, index: int) -> int:
        """Draw the time from a mutation's start to its snapshot, in ns."""
        return 0 if self._mutation_latency is None else self._mutation_latency(request.number, index, 0)

    def commit_delay(self, request: Request, index: int, rerun: int) -> int:
        """Draw the time from a mutation's snapshot to its commit, in ns."""
        return 0 if self._commit_window is None else self._commit_window(request.number, index, rerun)

    def dispatch_delay(self, request: Request) -> int:
        """Draw the time from a job's admission to its start, in ns."""
        if self._dispatch_latency is None:
            return 0
        request.executions += 1
        return self._dispatch_latency(request.number, request.executions - 1, 0)

    def full_jitter(
        self, backoff: Backoff, stream: str, request: Request, failures: int, *, job_id: int = -1, name: str = ""
    ) -> int:
        """Draw U[0,1) * min(initial * 2^k, max) in ns, k = failures so far (0 first); sync_types/src/backoff.rs.

        `job_id` and `name` say in the history what backs off.
        """
        ceiling_ns = min(backoff.initial << min(failures, LARGEST_EXPONENT), backoff.max)
        index = request.executions
        request.executions = index + 1
        delay_ns = round(self.choices.uniform(stream, request.number, index, failures) * ceiling_ns)
        if self.recorder is not None:
            self.record("backoff", request.number, job_id, name, (stream, delay_ns))
        return delay_ns

    # System errors.

    def strikes(self, job: Job, what: str) -> bool:
        """Draw whether a system error strikes this step of a job."""
        request = job.request
        request.executions += 1
        if self.clock.now_ns >= self.heals_at_ns:
            return False
        if self.choices.choose(self._system_error, "system_error", request.number, request.executions - 1):
            return False
        self.record("system_error", request.number, job.id, job.function.name, what)
        return True

    def strike_of(self, job: Job) -> float | None:
        """Draw whether a system error kills an action's execution: the share of the attempt after which, or None."""
        if not self.strikes(job, "execution"):
            return None
        return self.choices.uniform("system_error_moment", job.request.number, job.request.executions)
