"""One request's history in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing show.

The request is a process, and what goes on in it are its threads: the request itself as its retrier sees it, the
platform's jobs, waiting and running, the attempts of its action, and its effects. What overlaps in time stands on
threads of its own, as slices of one thread must nest. Arrows go from what creates a job to the job, and from the job
that runs an attempt to the attempt. The format is the one of the Chromium project's "Trace Event Format": instants
`ts` and durations `dur` in microseconds, here with the nanoseconds behind the point.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sim.history.events import Committed, Event, History, Start

Traced = dict[str, Any]

NS_PER_US: Final = 1000
REQUEST, JOBS, ATTEMPTS, EFFECTS, PLATFORM = 1, 100, 1_000_000, 2_000_000, 2_000_001
"""Numbers of threads; jobs and attempts take as many from theirs upwards as overlap."""

_MOMENTS: Final = {
    "cancel": "somebody cancels the {name}",
    "cancel_answer": "the cancel is answered",
    "callback": "the caller is told: {name}",
    "callback_lost": "the caller's callback throws: {name}",
    "resettled": "concluded again: {name}",
    "runaway": "ran into the limit of {name}",
    "conflict": "conflict: {name} runs again",
    "rolled_back": "{name} is rolled back",
    "system_error": "system error in {name}",
}
"""What happens at one instant of the request's thread."""
_WORLD: Final = {"restart": "the server goes down", "boot": "the server is back"}
_LAST: Final = frozenset({"success", "failed", "canceled"})


def trace_events(history: History, request: int, name: str) -> dict[str, Any]:
    """Return the history of one request as the JSON object format has it; `name` is that of the process.

    What had not ended when the history did ends with it, and says so. The same history gives the same object.
    """
    return _Trace(request, name).of(list(history))


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
        self.busy_ns: dict[int, list[int]] = {JOBS: [], ATTEMPTS: []}
        """Of jobs and of attempts: for each thread until when it is taken."""

    def of(self, events: list[Event]) -> dict[str, Any]:
        self.end_ns = max((event.t_ns for event in events), default=0)
        self._request(events)
        places = self._jobs(events)
        self._attempts(events, places)
        for event in events:
            if event.kind in _WORLD:
                self._moment(PLATFORM, "platform", event.t_ns, _WORLD[event.kind], {"inflight": event.name})
            elif event.kind == "effect":
                words = event.name if event.name in ("applied", "suppressed") else f"repeated ({event.name})"
                self._moment(EFFECTS, "effects", event.t_ns, f"effect {words}", {"attempt": event.subject})
        named = [self._metadata("process_name", 0, self.name)]
        for order, thread in enumerate(sorted(self.threads)):
            named.append(self._metadata("thread_name", thread, self.threads[thread]))
            named.append({**self._metadata("thread_sort_index", thread, ""), "args": {"sort_index": order}})
        ordered = sorted(self.events, key=lambda timed: timed[0])
        return {"traceEvents": [*named, *(event for _, event in ordered)], "displayTimeUnit": "ms"}

    def _request(self, events: list[Event]) -> None:
        mine = [event for event in events if event.request == self.request]
        start_ns = next((event.t_ns for event in mine if event.kind == "submit"), 0)
        settled = next((event for event in mine if event.kind == "settled"), None)
        end_ns = self.end_ns if settled is None else settled.t_ns
        ended = "not settled" if settled is None else settled.name
        self._slice(REQUEST, "request", (start_ns, end_ns), f"request {self.request}: {ended}", {"outcome": ended})
        for event in mine:
            if event.kind in _MOMENTS:
                words = _MOMENTS[event.kind].format(name=event.name or "request")
                args = {} if event.detail is None else {"detail": str(event.detail)}
                self._moment(REQUEST, "request", event.t_ns, words, args)
            elif event.kind == "sleep":
                until_ns = min(event.t_ns + event.detail, max(end_ns, event.t_ns))
                self._slice(REQUEST, "request", (event.t_ns, until_ns), "sleeps", {"asked_ns": event.detail})

    def _jobs(self, events: list[Event]) -> dict[int, int]:
        """Draw all jobs; return the thread of each."""
        commits = {event.subject: event for event in events if event.kind == "commit" and event.subject >= 0}
        created = {event.subject: event for event in events if event.kind == "job"}
        steps: dict[int, list[Event]] = {number: [] for number in created}
        creators: dict[int, Event] = {}
        new: list[int] = []
        for event in events:
            if event.kind == "job":
                new.append(event.subject)
            elif event.kind == "commit":
                creators |= dict.fromkeys(new, event)
                new = []
            elif event.kind == "state" and event.subject in steps:
                steps[event.subject].append(event)
        places: dict[int, int] = {}
        starts_ns: dict[int, int] = {}
        for number, job in created.items():
            last = next((step for step in reversed(steps[number]) if step.detail[1] in _LAST), None)
            end_ns = self.end_ns if last is None else last.t_ns
            run_ns = self._run_ns(steps[number], commits.get(number))
            starts_ns[number] = end_ns if run_ns is None else run_ns
            thread = places[number] = self._lane(JOBS, "platform jobs", job.t_ns, end_ns)
            ended = "not over" if last is None else last.detail[1]
            args = {"job": number, "ended": ended, "due_us": job.detail[0] / NS_PER_US}
            self._slice(thread, "job", (job.t_ns, starts_ns[number]), f"{job.name} (job {number}) waits", args)
            if run_ns is not None:
                self._slice(thread, "job", (run_ns, end_ns), f"{job.name} (job {number}): {ended}", args)
        for number, commit in creators.items():
            detail: Committed = commit.detail
            by = commit.subject if commit.subject >= 0 else detail.caller
            if by in places and starts_ns[by] <= detail.begin_ns:
                self._flow(places[by], detail.begin_ns, places[number], created[number].t_ns, "schedules")
            elif by < 0:
                self._flow(REQUEST, detail.begin_ns, places[number], created[number].t_ns, "schedules")
        return places

    @staticmethod
    def _run_ns(steps: list[Event], commit: Event | None) -> int | None:
        """Return when a job began to run, None where it never did."""
        began = next((step.t_ns for step in steps if step.detail[1] == "inProgress"), None)
        if began is None and commit is not None:
            detail: Committed = commit.detail
            return detail.begin_ns
        return began

    def _attempts(self, events: list[Event], places: dict[int, int]) -> None:
        ends = {event.subject: event for event in events if event.kind == "attempt_end"}
        for event in events:
            number = event.subject
            if event.kind == "attempt":
                end = ends.get(number)
                end_ns, how = (self.end_ns, "not over") if end is None else (end.t_ns, end.name)
                thread = self._lane(ATTEMPTS, "attempts", event.t_ns, end_ns)
                start: Start = event.detail
                args = {"attempt": number, "in_store": event.name, "ended": how, "job": start.job}
                self._slice(thread, "attempt", (event.t_ns, end_ns), f"attempt {number}: {how}", args)
                if start.job in places:
                    self._flow(places[start.job], event.t_ns, thread, event.t_ns, "runs")
            elif event.kind in ("timed_out", "lost"):
                words = "gives up on" if event.kind == "timed_out" else "the platform loses sight of"
                self._moment(REQUEST, "request", event.t_ns, f"{words} attempt {number}", {"attempt": number})

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
