"""What people do to a request, in plain words: its caller submits and cancels it, operators act on its deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.history.deployment_events import JobStepped, OperatorActed
from sim.history.events import CancelAnswered, CancelAsked, Event, Resubmitted, Submitted
from sim.history.vocabulary import CANCELED, OF_THE_REQUEST, SILENT
from sim.stories.phrases import CALLER, CANCELS, OPERATOR, operator_words, span_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.stories.telling import Telling


class ByPeople:
    """Tells what the caller of a request and the operators of its deployment do."""

    def __init__(self, telling: Telling, *, in_pool: bool) -> None:
        self._telling = telling
        self._story = telling.story
        self._in_pool = in_pool
        self.submitted = False
        self._by_hand = False
        """Whether a job has just been canceled by hand; the change of its state, if any, comes next."""
        self._operated: OperatorActed | None = None
        """What an operator has just done to the deployment; the jobs that this cancels come next."""

    def take(self, event: Event) -> None:
        """Take an event; those that no person causes are left to others."""
        tell = self._tells.get(type(event))
        if tell is not None:
            tell(self, event)

    def who_cancels(self, function: str) -> str:
        """Return who cancels the job of a function by what was done just before; empty if no person does."""
        operated = self._operated
        by_operator = operated is not None and function in operated.detail.get("functions", ())
        by_hand, self._by_hand = self._by_hand, False
        return OPERATOR if by_operator else CALLER if by_hand else ""

    def operator_is_done(self) -> None:
        """Note that what comes next is none of an operator's doing."""
        self._operated = None

    def nothing_more_to_cancel(self, following: Event | None) -> None:
        """Tell that a cancel by hand cancels nothing, if what follows (None: nothing) is not the cancel of a job."""
        if self._by_hand and not (isinstance(following, JobStepped) and following.after == CANCELED):
            self._by_hand = False
            if self._telling.line is not None:
                self._telling.line.text += "; nothing to cancel"

    def _submit(self, event: Submitted) -> None:
        self.submitted = True
        story = self._story
        story.retrier, story.submitted_ns = event.retrier, event.t_ns
        story.restarts = [span for span in story.restarts if span[1] is None or span[1] > event.t_ns]
        into = f", {span_text(event.t_ns)} into the run" if event.t_ns else ""
        who = f" for client {event.client}" if event.client >= 0 else ""
        of = "" if event.caller_class is None else f" of class {event.caller_class}"
        text = f"submits request {event.request}{of}{who} to {event.retrier}{into}"
        self._telling.say(event.t_ns, CALLER, text)

    def _resubmit(self, event: Resubmitted) -> None:
        self._story.settled = None
        why = "has heard nothing" if event.reason == SILENT else "was told of a failure"
        text = f"{why}, submits the request again (submission {event.submission})"
        self._telling.say(event.t_ns, CALLER, text)

    def _cancel(self, event: CancelAsked) -> None:
        self._story.cancels.append((event.t_ns, event.target))
        self._by_hand = event.target != OF_THE_REQUEST and bool(self._story.jobs)
        self._telling.say(event.t_ns, CALLER, CANCELS[event.target])

    def _cancel_answer(self, event: CancelAnswered) -> None:
        if event.answer is not None:
            self._telling.add(event.t_ns, CALLER, f"cancel answers {str(event.answer).lower()}")

    def _operator(self, event: OperatorActed) -> None:
        self._operated = event
        story = self._story
        if self.submitted and (story.jobs or self._in_pool) and story.settled is None:
            self._telling.say(event.t_ns, OPERATOR, operator_words(event.name, event.detail))
            if self._in_pool:
                story.end_ns = max(story.end_ns, event.t_ns)  # the work may wait for ever for what this has stopped

    _tells: ClassVar[dict[type[Event], Callable[..., None]]] = {
        Submitted: _submit,
        Resubmitted: _resubmit,
        CancelAsked: _cancel,
        CancelAnswered: _cancel_answer,
        OperatorActed: _operator,
    }
