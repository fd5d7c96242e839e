"""What a history cannot say of itself: promises, limits, and how it came to its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.history.vocabulary import FAILED, NEVER
from sim.promises.promises import Promises

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sim.history.failure import Failure
    from sim.history.recorder import History
    from sim.history.records import Requests
    from sim.history.request import Request
    from sim.promises.policy import PolicyTerms
    from sim.promises.services import ServiceTerms


Span = tuple[int, int]
NO_PROMISES: Final = Promises()
NOT_FINAL: Final = frozenset({False})


class KeyRules(NamedTuple):
    """How the receiver of the action remembers keys."""

    window_ns: int
    renews: bool = False
    """Whether the window counts from the last effect that came, not from the last one that was applied."""
    first: bool = False
    """Whether a repeated key gets the first answer again."""
    rejects: bool = False
    """Whether a call is rejected while another has its key."""


class Said(NamedTuple):
    """What errors of one kind may say."""

    kind: str = FAILED
    """The answer."""
    finals: frozenset[bool] = NOT_FINAL
    """Whether they are marked as final."""
    wait_ns: Span | None = None
    """The least and the most that they ask to wait; None if they do not ask."""

    def allows(self, failure: Failure | None) -> bool:
        """Tell whether an error may say this; None if it says nothing."""
        kind, final, wait_ns = (FAILED, False, NEVER) if failure is None else (failure[2], failure[0], failure[1])
        low_ns, high_ns = (NEVER, NEVER) if self.wait_ns is None else self.wait_ns
        return kind == self.kind and final in self.finals and low_ns <= wait_ns <= high_ns


@dataclass(frozen=True, slots=True)
class Terms:
    """What a history cannot say of itself: promises, limits, and how it came to its end."""

    promises: Promises = NO_PROMISES
    drained: bool = True
    """Whether nothing was left to happen; otherwise the history was cut somewhere."""
    end_ns: int | None = None
    """The instant at which it was cut, if at one: what was due then has still happened."""
    alone: Callable[[int], History] | None = None
    """Simulates a request alone in the same world, so that its history can be compared with that."""
    idempotency_ns: int | None = None
    """For how long the receiver recognizes a repeated effect, 0 for never; None: not said, so not checked."""
    keys: KeyRules | None = None
    """How the receiver remembers keys; None: not said, or not at all."""
    action_time_limit_ns: int | None = None
    """After which time in the deployment an attempt is cut off; None: not said, so not checked."""
    retention_ns: int | None = None
    """For how long the row of a job is kept after its end; None: not said, so not checked."""
    parallelism: int | None = None
    """How many jobs run at the same time; None: not said, so not checked."""
    collection_batch: int | None = None
    """How many rows are collected at once; None: not said, so not checked."""
    occ_reruns: int | None = None
    """How often a mutation that is called runs again when it is refused; None: not said, so not checked."""
    scheduled_occ_backoff_ns: tuple[int, int] | None = None
    """(initial, max) of the waits between the runs of a scheduled mutation; None: not said, so not checked."""
    crash_detection_ns: int | None = None
    """From the death of an execution to the end of its job; None: not said, so not checked."""
    effect_at: float | None = None
    """The share of an attempt's latency after which its effect comes; None: not said, so not checked."""
    outages_ns: tuple[tuple[int, int, frozenset[str]], ...] = ()
    """Intervals [from, to) in which no attempt that starts succeeds, with the outcomes that it can have."""
    in_order: bool = False
    """Whether jobs start in the order in which they are due: only the lack of a slot delays a start."""
    tells_backoffs: bool = False
    """Whether the history says when the platform backs off."""
    records: Requests | Sequence[Request] | None = None
    """The records of the requests, to be held to the history, live or as a table; None: not said, so not checked."""
    replication: int = 0
    """The replication that the records belong to."""
    endless: bool = True
    """Whether the world goes on until nothing is left to happen, so that only a limit of steps can cut it."""
    concluded: bool = True
    """Whether what has not settled has been given the outcome that the end of the world proves."""
    stopped_ns: int | None = None
    """The instant at which the clock stood in the end; None: that of the last event."""
    polling: frozenset[str] | None = None
    """The functions whose executions count as polls; None: not said, so not counted."""
    polls_per_request: int | None = None
    """How many polls, calls or sleeps a request may make; None: not said, so not checked."""
    watchers: tuple[str, ...] | None = None
    """The functions that can still settle a request; None: not said, so open is not told from stuck."""
    cancels: bool = False
    """Whether requests are canceled: a cancel to come could still settle one."""
    dispatch_latency_ns: Span | None = None
    """The least and the most from the time a job is due to its start; None: not said, so not checked."""
    mutation_latency_ns: Span | None = None
    """The least and the most from a mutation's start to its snapshot; None: not said, so not checked."""
    commit_window_ns: Span | None = None
    """The least and the most from a mutation's snapshot to its commit; None: not said, so not checked."""
    latencies_ns: tuple[Mapping[str, Span], ...] = ()
    """The least and the most that an attempt with an outcome takes: of all attempts, or (a script) one by one."""
    errors: tuple[tuple[Said, ...], ...] = ()
    """What errors of failures may say: of all attempts, or (a script) one by one; empty: not said, so not checked."""
    script: tuple[str, ...] = ()
    """What attempts have in store, one after the other, the last again and again; empty if that is drawn."""
    requests: int | None = None
    """How many requests are planned; None: not said, so not checked."""
    arrivals_ns: tuple[int, ...] | None = None
    """When requests are submitted, by their numbers; None: not said, so not checked."""
    cancel_after_ns: Span | None = None
    """The least and the most from a submission to its cancel; None: not said, so not checked."""
    restarts_ns: frozenset[int] | None = None
    """When the server dies; None: not said, so not checked."""
    heals_at_ns: int | None = None
    """From which instant on attempts succeed and nothing strikes; None: never."""
    some_fail_permanently: bool = False
    """Whether some requests fail whatever the weather, and in a world that has healed too."""
    collection_pause_ns: int | None = None
    """The pause after a full batch of collected rows; None: not said, so not checked."""
    resubmits: bool = False
    """Whether callers may submit a request again: one to come could still settle it."""
    classes: Mapping[str, Terms] = field(default_factory=dict)
    """The terms of each class of callers by its name, in their order: promises and actions of their own."""
    own_action: bool = False
    """Of a class: whether its action is not the scenario's."""
    own_retrier: bool = False
    """Of a class: whether its retrier is not the scenario's."""
    draws_differ: bool = False
    """Whether numbers drawn at different addresses differ: not if a script or a search gives them."""
    services: Mapping[str, ServiceTerms] = field(default_factory=dict)
    """What is stated of each service; of one that is not there only what holds for any is checked."""
    priorities: Mapping[str, int] = field(default_factory=dict)
    """Of the classes of requests, by their names."""
    policy: PolicyTerms | None = None
    """What is stated of the policy that serves the requests; None if none does."""
