"""`policy`: a retrier outside of the deployment that is all data: tries, a timeout for each, and a delay between them.

It is what most retry libraries do at their plainest: call, and after a failure sleep and call again, until the tries
are used up or an error is marked as final. Delays and their jitter are those of M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015. Stream `delay`, index the number of the retry, 1 first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from sim.clients.client import CallFailed
from sim.kernel.durations import NS_PER_MS, RUNAWAY_NS
from sim.options.model import DurationNs, Options
from sim.options.single_key import SingleKey
from sim.promises.promises import Promises
from sim.promises.waits import Uniform
from sim.retriers.base import LoopRetrier

if TYPE_CHECKING:
    from sim.clients.client import Call, ClientContext

MOST_ATTEMPTS: Final = 100_000
SHARES: Final = {"none": (1.0, 1.0), "full": (0.0, 1.0), "equal": (0.5, 1.0)}
"""The least and the most of its delay that a retry waits, by the name of the jitter."""

Jitter = Annotated[
    Literal["none", "full", "equal"],
    Field(description="Spread evenly: `full` from 0 to the delay, `equal` from half of it to it."),
]
Cap = Annotated[DurationNs | None, Field(description="The longest delay, before the jitter.")]


class NoDelay(Options):
    """The next try begins at once."""

    def bounds_ms(self, retry: int) -> tuple[float, float]:
        """Return the least and the most ms before a retry, 1 first."""
        del retry
        return 0.0, 0.0


class ConstantDelay(Options):
    """Always the same delay."""

    delay: DurationNs

    def bounds_ms(self, retry: int) -> tuple[float, float]:
        """Return the least and the most ms before a retry, 1 first."""
        del retry
        return self.delay / NS_PER_MS, self.delay / NS_PER_MS


class LinearDelay(Options):
    """Each delay is longer by one step."""

    initial: DurationNs
    step: DurationNs
    cap: Cap = None
    jitter: Jitter = "none"

    def bounds_ms(self, retry: int) -> tuple[float, float]:
        """Return the least and the most ms before a retry, 1 first."""
        return _bounds_ms(self.initial + self.step * (retry - 1), self.cap, self.jitter)


class ExponentialDelay(Options):
    """Each delay is a multiple of the one before."""

    initial: DurationNs
    factor: Annotated[float, Field(ge=1, le=1000)] = 2.0
    cap: Cap = None
    jitter: Jitter = "none"

    def bounds_ms(self, retry: int) -> tuple[float, float]:
        """Return the least and the most ms before a retry, 1 first."""
        try:
            grown_ns = self.initial * self.factor ** (retry - 1)
        except OverflowError:
            grown_ns = float("inf") if self.initial else 0.0
        return _bounds_ms(grown_ns, self.cap, self.jitter)


def _bounds_ms(delay_ns: float, cap_ns: int | None, jitter: str) -> tuple[float, float]:
    # A delay beyond the last instant makes a request run away, however long it is.
    capped_ms = min(delay_ns, RUNAWAY_NS if cap_ns is None else cap_ns) / NS_PER_MS
    low, high = SHARES[jitter]
    return (capped_ms * low if low else 0.0), capped_ms * high


Delay = TypeAliasType(
    "Delay",
    Annotated[
        NoDelay | ConstantDelay | LinearDelay | ExponentialDelay,
        SingleKey(
            "delay",
            "{exponential: {initial: 100ms, factor: 2, cap: 20s, jitter: full}}",
            {"none": NoDelay, "constant": ConstantDelay, "linear": LinearDelay, "exponential": ExponentialDelay},
            scalars={"constant": "delay"},
            bare=("none",),
        ),
    ],
)
"""The delay before a retry, written as one key and its options, or `none`."""


class PolicyOptions(Options):
    """A policy; nothing is on unless stated."""

    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS, description="Tries, the first included.")] = 1
    delay: Delay = Field(default=NoDelay(), description="Before each retry.", json_schema_extra={"default": "none"})
    timeout: Annotated[DurationNs, Field(gt=0)] | None = Field(
        default=None, description="Of one try: after it the caller gives up on the call, which goes on."
    )


class Policy(LoopRetrier):
    """Calls until a try succeeds, the tries are used up, or an error is final."""

    kind: ClassVar[str] = "policy"
    Options: ClassVar[type[Options]] = PolicyOptions
    stateless: ClassVar[bool] = True
    options: PolicyOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._timeout_ms = None if self.options.timeout is None else self.options.timeout / NS_PER_MS

    def promises(self) -> Promises:
        """State the tries, the timeout and the law of the delays."""
        return Promises(
            attempts_at_most=self.options.attempts,
            backoff_ms=lambda failure: Uniform(*self.options.delay.bounds_ms(failure)),
            timeout_ms=self._timeout_ms,
        )

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        """Call until done."""
        options = self.options
        for retry in range(1, options.attempts):
            try:
                return await call(self._timeout_ms)
            except CallFailed as error:
                if error.final:
                    raise
            low_ms, high_ms = options.delay.bounds_ms(retry)
            delay_ms = low_ms if low_ms == high_ms else low_ms + ctx.uniform("delay", retry) * (high_ms - low_ms)
            if delay_ms:
                await ctx.sleep(delay_ms)
        return await call(self._timeout_ms)
