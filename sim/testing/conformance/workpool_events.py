"""Puts the history of a pool into the words of the recordings.

The recordings tell a step more than the history: a mutation's job is inProgress while it runs, so its start is told
before its writes. A mutation's work starts and ends in its transaction; the history has both behind the commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sim.history.deployment_events import DocumentWritten, JobCreated, JobStepped
from sim.history.events import AttemptEnded, AttemptStarted, CallbackRan, Event, NumberDrawn
from sim.history.recorder import read, unfold
from sim.history.vocabulary import DIED, FAILED, IN_PROGRESS, PENDING, SUCCESS
from sim.testing.conformance.workpool_documents import Documents
from sim.testing.conformance.works import ACTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sim.convex.jobs import Job
    from sim.history.recorder import Raw
    from sim.testing.conformance.works import Work

Told = dict[str, Any]
TOLD: Final = "told"
"""The kind of what the replay itself has done: the name of the event, and its fields."""
ON_COMPLETE: Final = "onComplete"
OF_ATTEMPTS: Final = frozenset({"attempt", "attempt_end", "effect"})


class Teller:
    """Tells a history once, from its first event to its last."""

    def __init__(self, works: Sequence[Work], epoch_ns: int, jobs: Mapping[int, Job]) -> None:
        self._works = works
        self._jobs = jobs
        self._documents = Documents(epoch_ns)
        self._callbacks: dict[int, tuple[float, str]] = {}
        self._hosts: dict[tuple[int, int], int] = {}
        """The job of each attempt."""
        self._dead: set[int] = set()
        """Jobs whose executions have died."""

    def tell(self, raws: Sequence[Raw]) -> list[Told]:
        """Return the events of the recordings."""
        told: list[Told] = []
        drawn: list[Raw] = []
        at = 0
        while at < len(raws):
            raw = raws[at]
            at += 1
            t_ns, kind, number, job_id, name, detail = raw
            match kind:
                case "told":
                    told.append({"t": t_ns / 1e6, "ev": name, **detail})
                case "draw":
                    drawn.append(raw)  # of a mutation that throws, which is said next
                case "rolled_back":
                    told += [*self._begun(t_ns, job_id, name), *self._each(drawn)]
                    drawn = []
                    if name == ON_COMPLETE:
                        self._threw(t_ns, number, job_id)
                case "commit":
                    end = at
                    while end < len(raws) and raws[end][1] in OF_ATTEMPTS and self._is_mutation(raws[end][2]):
                        end += 1
                    told += [*self._begun(t_ns, job_id, name), *self._each(raws[at:end]), *self._committed(raw)]
                    at = end
                case _:
                    told += self._each([raw])
        return told

    def _is_mutation(self, number: int) -> bool:
        """Whether this is a work whose attempts take place in a transaction, so that they follow its commit here."""
        return self._works[number].fn == "mutation"

    def _result(self, job_id: int) -> str:
        """Return the result that an onComplete is given as a job."""
        kind: str = self._jobs[job_id].args["result"]["kind"]
        return kind

    def _threw(self, t_ns: int, number: int, job_id: int) -> None:
        """Note an onComplete that threw: it ran, although it is not told."""
        self._callbacks[number] = (t_ns / 1e6, self._result(job_id))

    def last_callback(self, number: int) -> Told:
        """Return the result and the instant of a work's last onComplete, also of one that threw."""
        t_ms, kind = self._callbacks.get(number, (None, None))
        return {"result": None if kind is None else {"kind": kind}, "settled_at": t_ms}

    def _begun(self, t_ns: int, job_id: int, name: str) -> list[Told]:
        if job_id < 0:
            return []
        return [{"t": t_ns / 1e6, "ev": "state", "job": job_id, "fn": name, "from": PENDING, "to": IN_PROGRESS}]

    def _each(self, raws: Sequence[Raw]) -> Iterator[Told]:
        for raw in raws:
            yield from self._event(read(raw), job_id=-1)

    def _committed(self, raw: Raw) -> Iterator[Told]:
        self._documents.begin()
        for event in map(read, unfold(raw)):
            if isinstance(event, DocumentWritten):
                told = self._documents.written(event.document_id, event.document)
                if told is not None:
                    yield {"t": event.t_ns / 1e6, **told}
            else:
                yield from self._event(event, job_id=raw[3])

    def _event(self, event: Event, job_id: int) -> Iterator[Told]:
        told: Told = {"t": event.t_ns / 1e6}
        match event:
            case JobCreated(job=job, function=function, due_ns=due_ns):
                yield told | {"ev": "insert", "job": job, "fn": function, "at": due_ns / 1e6}
                if function == ON_COMPLETE and job_id < 0 and self._result(job) == SUCCESS:
                    self._threw(event.t_ns, event.request, job)  # within `complete`, called by an action
            case JobStepped(job=job, function=function, before=before, after=after):
                runs = (job == job_id and after == SUCCESS) or (before == PENDING and after == FAILED)
                before = IN_PROGRESS if runs else before
                yield told | {"ev": "state", "job": job, "fn": function, "from": before, "to": after}
            case AttemptStarted(request=number, attempt=attempt, job=job):
                self._hosts[number, attempt] = job
                yield told | {"ev": "action_start", **self._attempt(number, attempt)}
            case AttemptEnded(request=number, attempt=attempt, end=how):
                yield told | self._ended(number, attempt, how)
            case NumberDrawn(value=value):
                yield told | {"ev": "random", "value": value}
            case CallbackRan(request=number, result=result):
                self._callbacks[number] = (told["t"], result)
                yield told | {"ev": "on_complete", "work": number, "result": {"kind": result}}

    # Attempts.

    def _attempt(self, number: int, attempt: int) -> Told:
        fn = self._works[number].fn
        return {"work": number, "attempt": attempt - 1, **({} if fn == ACTION else {"fn": fn})}

    def _ended(self, number: int, attempt: int, how: str) -> Told:
        """Tell an end; of those that die with one execution, the first has killed it, and the others are lost."""
        job = self._hosts[number, attempt]
        if how == DIED and job in self._dead:
            return {"ev": "action_lost", "work": number, "attempt": attempt - 1}
        if how == DIED:
            self._dead.add(job)
        return {
            "ev": "action_end",
            **self._attempt(number, attempt),
            "outcome": self._works[number].outcome(attempt - 1),
        }
