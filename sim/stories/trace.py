"""One request's history in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing show.

The request is a process, and what goes on in it are its threads: the request itself as its retrier sees it, the
platform's jobs, waiting and running, the attempts of its action, and its effects. What overlaps in time stands on
threads of its own, as slices of one thread must nest. Arrows go from what creates a job to the job, and from the job
that runs an attempt to the attempt. The format is the one of the Chromium project's "Trace Event Format": instants
`ts` and durations `dur` in microseconds, here with the nanoseconds behind the point.
"""

from __future__ import annotations

import json
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sim.history.deployment_events import CommitRefused, FunctionThrew, ServerBooted, ServerDied, SystemErrorStruck
from sim.history.events import (
    CUT_SHORT,
    CallbackRan,
    CallbackThrew,
    CancelAnswered,
    CancelAsked,
    EffectMade,
    Event,
    GuestWoken,
    RanAway,
    Resubmitted,
    SettledAgain,
    SleepStarted,
)
from sim.history.index import Index
from sim.history.vocabulary import APPLIED, SUPPRESSED
from sim.stories.phrases import failure_words, woken_words
from sim.stories.pools import AtPool, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.history.deployment_events import MutationCommitted
    from sim.history.entities import Attempt, Job
    from sim.history.recorder import History

Traced = dict[str, Any]

NS_PER_US: Final = 1000
REQUEST, JOBS, ATTEMPTS, CALLS, EFFECTS, PLATFORM = 1, 100, 1_000_000, 1_500_000, 2_000_000, 2_000_001
SLEEPS: Final = 1_250_000
"""Numbers of threads; jobs, attempts, calls and sleeps take as many from theirs upwards as overlap."""


_MOMENTS: Final[dict[type[Event], tuple[str, str]]] = {
    CancelAsked: ("cancel of the {0.target}", ""),
    CancelAnswered: ("the cancel is answered", "answer"),
    CallbackRan: ("the caller is told: {0.result}", ""),
    CallbackThrew: ("the caller's callback throws: {0.result}", ""),
    SettledAgain: ("concluded again: {0.outcome}", ""),
    Resubmitted: ("the caller submits it again", "reason"),
    RanAway: ("ran into the limit of {0.limit}", ""),
    CommitRefused: ("conflict: {0.function} runs again", "rerun"),
    FunctionThrew: ("{0.function} is rolled back", "error"),
    SystemErrorStruck: ("system error in {0.function}", "struck"),
}
"""What happens at one instant of the request's thread: the words, and the field that tells more."""


def trace_events(history: History, request: int, name: str) -> dict[str, Any]:
    """Return the history of one request as the JSON object format has it; `name` is that of the process.

    What had not ended when the history did ends with it, and says so. The same history gives the same object.
    """
    return _Trace(request, name).of(Index(history), AtPool.of(history, request))


def trace_json(history: History, request: int, name: str) -> str:
    """Return `trace_events` as the text of a file, an event a line."""
    traced = trace_events(history, request, name)
    lines = [json.dumps(event, ensure_ascii=False, allow_nan=False) for event in traced["traceEvents"]]
    body = ",\n".join(lines)
    return f'{{"displayTimeUnit": "{traced["displayTimeUnit"]}", "traceEvents": [\n{body}\n]}}\n'


class _Trace:
    """Gathers the events of one request's process, whose number is one more than the request's: 0 means idle there."""

    def __init__(self, request: int, name: str) -> None:
        self.request = request
        self.name = name
        self.events: list[tuple[int, Traced]] = []
        self.threads: dict[int, str] = {}
        self.flows = 0
        self.end_ns = 0
        self.busy_ns: dict[int, list[int]] = {JOBS: [], ATTEMPTS: [], SLEEPS: [], CALLS: []}
        """Of jobs, attempts, sleeps and calls: for each thread until when it is taken."""
        self.slept_ns = 0
        """Until when the sleeps on the request's own thread last."""

    def of(self, index: Index, pool: AtPool) -> dict[str, Any]:
        self.end_ns = max((event.t_ns for event in index.events), default=0)
        self._request(index)
        threads = self._jobs(index)
        self._attempts(index, threads)
        self._calls(index)
        for step in (one for steps in pool.steps.values() for one in steps if isinstance(one, Step)):
            self._moment(REQUEST, "request", step.t_ns, f"the pool: {step.text}", {})
        for event in index.events:
            match event:
                case ServerDied(inflight=inflight):
                    self._moment(PLATFORM, "platform", event.t_ns, "the server goes down", {"inflight": inflight})
                case ServerBooted():
                    self._moment(PLATFORM, "platform", event.t_ns, "the server is back", {})
                case EffectMade(effect=effect, attempt=attempt):
                    words = effect if effect in {APPLIED, SUPPRESSED} else f"repeated ({effect})"
                    self._moment(EFFECTS, "effects", event.t_ns, f"effect {words}", {"attempt": attempt})
        named = [self._metadata("process_name", 0, self.name)]
        for order, thread in enumerate(sorted(self.threads)):
            named.append(self._metadata("thread_name", thread, self.threads[thread]))
            named.append({**self._metadata("thread_sort_index", thread, ""), "args": {"sort_index": order}})
        ordered = sorted(self.events, key=lambda timed: timed[0])
        return {"traceEvents": [*named, *(event for _, event in ordered)], "displayTimeUnit": "ms"}

    def _request(self, index: Index) -> None:
        """Draw the request as its retrier sees it."""
        request = index.requests.get(self.request)
        start_ns = 0 if request is None else request.submitted_ns
        settled = None if request is None else request.settled
        end_ns = self.end_ns if settled is None else settled.t_ns
        ended = "not settled" if settled is None else settled.outcome
        self._slice(REQUEST, "request", (start_ns, end_ns), f"request {self.request}: {ended}", {"outcome": ended})
        for at, event in enumerate(index.events):
            if event.request != self.request:
                continue
            if isinstance(event, SleepStarted) and request is not None:
                until_ns = min(request.slept_until_ns(at, event), max(end_ns, event.t_ns))
                asked: dict[str, Any] = {"asked_ns": event.duration_ns}
                if at in request.cuts:
                    asked["cut"] = True
                name = f"waits for a {event.awaits}" if event.awaits else "sleeps"
                self._slice(self._sleeping(event.t_ns, until_ns), "request", (event.t_ns, until_ns), name, asked)
            elif isinstance(event, GuestWoken):
                if event.reason != CUT_SHORT:
                    self._moment(REQUEST, "request", event.t_ns, woken_words(event), {})
            elif (words := _MOMENTS.get(type(event))) is not None:
                template, field = words
                detail = getattr(event, field) if field else None
                args = {} if detail is None else {"detail": str(detail)}
                self._moment(REQUEST, "request", event.t_ns, template.format(event), args)

    def _sleeping(self, start_ns: int, end_ns: int) -> int:
        """Return the thread of a sleep: that of the request, or one of its own if it overlaps another there."""
        if start_ns >= self.slept_ns:
            self.slept_ns = end_ns
            return REQUEST
        return self._lane(SLEEPS, "further sleeps", start_ns, end_ns)

    def _jobs(self, index: Index) -> dict[int, int]:
        """Draw all jobs; return the thread of each."""
        threads: dict[int, int] = {}
        for job in index.jobs.values():
            end_ns = self.end_ns if job.ended_ns is None else job.ended_ns
            thread = threads[job.id] = self._lane(JOBS, "platform jobs", job.created.t_ns, end_ns)
            ended = "not over" if job.end is None else job.end.after
            name = f"{job.name} (job {job.id})"
            args = {"job": job.id, "ended": ended, "due_us": job.asked_ns / NS_PER_US}
            waits_until_ns = end_ns if job.began_ns is None else job.began_ns
            self._slice(thread, "job", (job.created.t_ns, waits_until_ns), f"{name} waits", args)
            if job.began_ns is not None:
                self._slice(thread, "job", (job.began_ns, end_ns), f"{name}: {ended}", args)
        for job in index.jobs.values():
            if job.by is not None:
                self._scheduled(index, threads, job, job.by.event)
        return threads

    def _scheduled(self, index: Index, threads: dict[int, int], job: Job, commit: MutationCommitted) -> None:
        """Draw an arrow to a job from the run that scheduled it: a job's, or the request's own."""
        by = index.jobs.get(commit.job if commit.job >= 0 else commit.caller)
        if by is None:
            if commit.job < 0 and commit.caller < 0:
                self._flow(REQUEST, commit.begin_ns, threads[job.id], job.created.t_ns, "schedules")
        elif by.began_ns is not None and by.began_ns <= commit.begin_ns:
            self._flow(threads[by.id], commit.begin_ns, threads[job.id], job.created.t_ns, "schedules")

    def _attempts(self, index: Index, threads: dict[int, int]) -> None:
        """Draw all attempts, and when they were given up."""
        request = index.requests.get(self.request)
        attempts = [] if request is None else request.attempts
        drawn: list[tuple[int, Callable[[], None]]] = []
        for attempt in attempts:
            drawn.append((attempt.at, partial(self._attempt, attempt, threads)))
            for event, words in ((attempt.given_up, "gives up on"), (attempt.lost, "the platform loses sight of")):
                if event is not None:
                    text, args = f"{words} attempt {attempt.number}", {"attempt": attempt.number}
                    at = attempt.given_up_at if event is attempt.given_up else attempt.lost_at
                    drawn.append((at, partial(self._moment, REQUEST, "request", event.t_ns, text, args)))
        for _, draw in sorted(drawn, key=itemgetter(0)):
            draw()

    def _attempt(self, attempt: Attempt, threads: dict[int, int]) -> None:
        start_ns = attempt.start.t_ns
        end_ns, how = (self.end_ns, "not over") if attempt.end is None else (attempt.end.t_ns, attempt.how)
        thread = self._lane(ATTEMPTS, "attempts", start_ns, end_ns)
        args = {"attempt": attempt.number, "in_store": attempt.outcome, "ended": how, "job": attempt.job}
        if attempt.by_key:
            args["by_key"] = attempt.by_key
        if attempt.failure is not None:
            args["error"] = failure_words(attempt.failure)
        self._slice(thread, "attempt", (start_ns, end_ns), f"attempt {attempt.number}: {how}", args)
        if attempt.job in threads:
            self._flow(threads[attempt.job], start_ns, thread, start_ns, "runs")

    def _calls(self, index: Index) -> None:
        """Draw what services do with the calls: how long each waits, and how long it is worked on."""
        request = index.requests.get(self.request)
        for call in () if request is None else request.calls:
            left_ns = self.end_ns if call.left_ns is None else call.left_ns
            thread = self._lane(CALLS, "services", call.sent.t_ns, left_ns)
            args = {"call": call.id, "caller": call.sent.caller or "the retrier", "number": call.sent.number}
            if call.queued is not None:
                out = call.work or call.rejected or call.dropped
                until_ns = self.end_ns if out is None else out.t_ns
                name = f"{call.service}: waits behind {call.queued.ahead}"
                self._slice(thread, "call", (call.queued.t_ns, until_ns), name, args)
            if call.work is not None:
                says = {**args, "in_store": call.work.outcome, "others": call.work.others}
                self._slice(thread, "call", (call.work.t_ns, left_ns), f"{call.service}: works", says)
            if call.rejected is not None:
                self._moment(thread, "call", left_ns, f"{call.service} rejects: {call.rejected.reason}", args)
            elif call.dropped is not None:
                self._moment(thread, "call", left_ns, f"{call.service} drops it", args)

    def _lane(self, base: int, name: str, start_ns: int, end_ns: int) -> int:
        """Return the first thread of a kind that nothing takes from `start_ns` on, and take it until `end_ns`."""
        until_ns = self.busy_ns[base]
        place = next((place for place, busy_ns in enumerate(until_ns) if busy_ns <= start_ns), len(until_ns))
        until_ns[place:] = [max(end_ns, start_ns), *until_ns[place + 1 :]]
        self.threads.setdefault(base + place, name if place == 0 else f"{name} ({place + 1})")
        return base + place

    def _slice(self, thread: int, kind: str, span_ns: tuple[int, int], name: str, args: dict[str, Any]) -> None:
        start_ns, end_ns = span_ns
        self._add(thread, kind, start_ns, name, ph="X", dur=(end_ns - start_ns) / NS_PER_US, args=args)

    def _moment(self, thread: int, kind: str, t_ns: int, name: str, args: dict[str, Any]) -> None:
        self._add(thread, kind, t_ns, name, ph="i", s="t", args=args)

    def _flow(self, of: int, from_ns: int, to: int, to_ns: int, name: str) -> None:
        self.flows += 1
        self._add(of, "flow", from_ns, name, ph="s", id=self.flows)
        self._add(to, "flow", to_ns, name, ph="f", bp="e", id=self.flows)

    def _add(self, thread: int, kind: str, t_ns: int, name: str, **more: Any) -> None:
        names = {REQUEST: "request and retrier", EFFECTS: "effects", PLATFORM: "server"}
        if thread in names:
            self.threads.setdefault(thread, names[thread])
        event = {"name": name, "cat": kind, "ts": t_ns / NS_PER_US, "pid": self.request + 1, "tid": thread, **more}
        self.events.append((t_ns, event))

    def _metadata(self, what: str, thread: int, name: str) -> Traced:
        return {"name": what, "ph": "M", "ts": 0, "pid": self.request + 1, "tid": thread, "args": {"name": name}}
