"""Weather: failures that hang together in time, the reason to wait before a retry at all.

A source of bad weather is down during some intervals [from, to). It has outcomes of its own for the attempts that start
meanwhile: as a rule all fail. One number decides how an attempt goes: the sources that are down take their shares of
it, in their order, each of what those before it have left, and the action's own outcomes divide the rest. An outage has
its interval from the scenario. An on/off source alternates between intervals up and down whose lengths follow two laws.

In an isolated world each request meets an on/off source at a random phase, as if it had run for ever: it is down with
the share of time that it spends down, the interval that runs at 0 has the length-biased law, and 0 lies anywhere in it
(the stationary alternating renewal process; Cox, "Renewal Theory", chapters 5 and 7). In a shared world it starts up.

A poll can come years after a request began. To skip the weather in between, time is cut into epochs of `EPOCH_CYCLES`
mean cycles, and every epoch but the first begins anew at a random phase: the law stays the same, but intervals do not
go on from one epoch to the next.

Addresses, for the source at position i of the list: stream `weather.i`, index the number of the interval, 0 the first,
plus `EPOCH_INTERVALS` for each epoch before. At a random phase the first interval comes from stream `phase` instead:
index 3i its state, 3i + 1 its length, 3i + 2 how much of it has passed, plus `EPOCH_PHASES` for each epoch before. So
the same request meets the same weather whatever the policy does.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from math import fsum
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from typing_extensions import TypeAliasType

from sim.kernel.choices import Choices, owned
from sim.laws.distributions import Empirical, Law
from sim.options.model import DurationNs, Options
from sim.options.share import Share
from sim.options.single_key import SingleKey
from sim.world.outcomes import Branch, FailOptions, FailShare, OutcomesOptions

EPOCH_CYCLES = 256
EPOCH_INTERVALS = 1 << 20
"""The most intervals of one source in one epoch; in the mean there are 512."""
EPOCH_PHASES = 3 * 1024


class WeatherTooFine(ValueError):  # named for what it is
    """An on/off source would have changed more than `EPOCH_INTERVALS` times in one epoch."""


class Source(Options):
    """How attempts go that start while a source of bad weather is down; success takes the rest."""

    fail: FailShare | None = Field(
        default=None,
        description="Short for `outcomes: {fail: ...}`; all fail if there are no outcomes either.",
        json_schema_extra={"default": 1.0},
    )
    outcomes: OutcomesOptions | None = Field(default=None, description="How attempts end, in the place of `fail`.")
    latency: Law | None = Field(
        default=None, description="Of its outcomes that name none of their own; as a rule that of the action."
    )
    final: Share | None = Field(
        default=None, description="Share marked as not worth a retry, of its failures that state none."
    )
    retry_after: Law | None = Field(
        default=None, description="How long its failures that state none ask to wait before a retry."
    )

    @model_validator(mode="after")
    def _is_one_form(self) -> Self:
        if self.fail is not None and self.outcomes is not None:
            raise ValueError("has fail and outcomes, but fail is short for `outcomes: {fail: ...}`; write one of them")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_left_out(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}

    @cached_property
    def shares(self) -> OutcomesOptions:
        """The share of attempts that end in each way."""
        if self.outcomes is not None:
            return self.outcomes
        return OutcomesOptions(fail=FailOptions(share=1.0) if self.fail is None else self.fail)

    @property
    def share(self) -> float:
        """The share of attempts that it spoils."""
        return min(fsum(options.share for _, options in self.shares.listed()), 1.0)

    def branches(self, latency: Law) -> tuple[Branch, ...]:
        """Return the ways in which attempts can go, besides success; `latency` is that of the action."""
        own = latency if self.latency is None else self.latency
        return self.shares.branches(own, self.final, self.retry_after)


class Outage(Source):
    """One interval of bad weather, known in advance."""

    from_ns: DurationNs = Field(validation_alias="from", serialization_alias="from", description="Begin of the outage.")
    to_ns: DurationNs = Field(
        validation_alias="to", serialization_alias="to", description="The first instant after the outage."
    )
    """The first instant at which it is over."""

    @field_validator("to_ns")
    @classmethod
    def _after_from(cls, to_ns: int, info: ValidationInfo) -> int:
        if to_ns <= info.data.get("from_ns", -1):
            raise ValueError("an outage must end after it begins")
        return to_ns


class OnOff(Source):
    """A source that is up and down in turns."""

    up: Law = Field(description="How long good weather lasts.")
    down: Law = Field(description="How long bad weather lasts.")

    @field_validator("up", "down")
    @classmethod
    def _finite_mean(cls, law: Law) -> Law:
        if _is_read(law) and not law.mean_ns < math.inf:
            raise ValueError("intervals with an infinite mean have no stationary state; use a law with a finite mean")
        return law

    @model_validator(mode="after")
    def _takes_time(self) -> Self:
        if _is_read(self.up) and _is_read(self.down) and not self.up.mean_ns + self.down.mean_ns > 0:
            raise ValueError("up and down cannot both last 0")
        return self

    @cached_property
    def epoch_ns(self) -> int:
        """How long an epoch of this source is."""
        return max(1, round(EPOCH_CYCLES * (self.up.mean_ns + self.down.mean_ns)))

    @cached_property
    def down_share(self) -> float:
        """The share of time spent down in the long run."""
        return self.down.mean_ns / (self.up.mean_ns + self.down.mean_ns)


def _is_read(law: Law) -> bool:
    return not isinstance(law, Empirical) or bool(law.values_ns)


Weather = TypeAliasType(
    "Weather",
    Annotated[
        Outage | OnOff,
        SingleKey("source of weather", "{outage: {from: 30s, to: 45s}}", {"outage": Outage, "on_off": OnOff}),
    ],
)
"""One source of bad weather, written `outage: {...}` or `on_off: {...}`."""


class WeatherPath:
    """The weather that one request of an isolated world meets, or a whole shared world (entity `WORLD`).

    Numbers are drawn only when they are asked for; a later question for an earlier instant gets the same answer.
    """

    __slots__ = ("_choices", "_entity", "_owner", "_random_phase", "_sources", "_turns")

    def __init__(
        self, sources: Sequence[Weather], choices: Choices, entity: int, *, random_phase: bool, owner: str = ""
    ) -> None:
        """Take the sources that the entity meets; `owner` is the service whose weather it is, empty for the action."""
        self._sources = sources
        self._owner = owner
        self._choices = choices
        self._entity = entity
        self._random_phase = random_phase
        self._turns: dict[tuple[int, int], _Turns] = {}

    def down(self, at_ns: int) -> int:
        """Return which sources are down at an instant: bit i is set if source i is. Raises WeatherTooFine."""
        down = 0
        for position, source in enumerate(self._sources):
            if isinstance(source, Outage):
                if source.from_ns <= at_ns < source.to_ns:
                    down |= 1 << position
            elif self._turns_of(position, source, at_ns // source.epoch_ns).is_down(at_ns):
                down |= 1 << position
        return down

    def intervals(self, until_ns: int) -> list[tuple[int, int, float]]:
        """Return (from ns, to ns, share that it spoils) of each interval down before an instant; sources can overlap.

        They are in order. Raises WeatherTooFine.
        """
        found: list[tuple[int, int, float]] = []
        for position, source in enumerate(self._sources):
            if isinstance(source, Outage):
                spans = [(source.from_ns, source.to_ns)]
            else:
                spans = [
                    span
                    for epoch in range(until_ns // source.epoch_ns + 1)
                    for span in self._turns_of(position, source, epoch).down_until(until_ns)
                ]
            found += [(from_ns, min(to_ns, until_ns), source.share) for from_ns, to_ns in spans if from_ns < until_ns]
        return sorted(found)

    def _turns_of(self, position: int, source: OnOff, epoch: int) -> "_Turns":
        turns = self._turns.get((position, epoch))
        if turns is None:
            random_phase = self._random_phase or epoch > 0
            streams = owned(f"weather.{position}", self._owner), owned("phase", self._owner)
            turns = _Turns(position, source, epoch, self._choices, self._entity, streams, random_phase=random_phase)
            self._turns[position, epoch] = turns
        return turns


class _Turns:
    """The intervals of one on/off source in one epoch, drawn as far as they were asked for."""

    __slots__ = ("_delays", "_end_ns", "_ends_ns", "_entity", "_first_down", "_first_index", "_start_ns")

    def __init__(  # noqa: PLR0917  # the source, and what its numbers are drawn by
        self,
        position: int,
        source: OnOff,
        epoch: int,
        choices: Choices,
        entity: int,
        streams: tuple[str, str],
        *,
        random_phase: bool,
    ) -> None:
        """Take the epoch of a source, and the streams of its intervals and of its phases."""
        stream, of_phases = streams
        up, down = choices.delays(source.up, stream), choices.delays(source.down, stream)
        self._entity = entity
        self._start_ns = start_ns = epoch * source.epoch_ns
        self._end_ns = start_ns + source.epoch_ns
        self._first_index = epoch * EPOCH_INTERVALS
        if random_phase:
            phase = epoch * EPOCH_PHASES + 3 * position
            self._first_down = choices.uniform(of_phases, entity, phase) < source.down_share
            law = source.down if self._first_down else source.up
            length_ns = choices.delays(law.length_biased, of_phases)(entity, phase + 1, 0)
            passed_ns = int(choices.uniform(of_phases, entity, phase + 2) * length_ns)
            self._ends_ns = [start_ns + length_ns - min(passed_ns, length_ns)]
        else:
            self._first_down = False
            self._ends_ns = [start_ns + up(entity, 0, 0)]
        self._delays = (down, up) if self._first_down else (up, down)

    def is_down(self, at_ns: int) -> bool:
        self._extend(at_ns)
        return (bisect_right(self._ends_ns, at_ns) & 1 == 0) == self._first_down

    def down_until(self, until_ns: int) -> list[tuple[int, int]]:
        until_ns = min(until_ns, self._end_ns)
        self._extend(until_ns)
        edges = [self._start_ns, *self._ends_ns]
        first = 0 if self._first_down else 1
        spans = zip(edges[first::2], edges[first + 1 :: 2], strict=False)
        return [(from_ns, min(to_ns, self._end_ns)) for from_ns, to_ns in spans if from_ns < min(to_ns, until_ns)]

    def _extend(self, beyond_ns: int) -> None:
        ends_ns = self._ends_ns
        while ends_ns[-1] <= beyond_ns:
            number = len(ends_ns)
            if number >= EPOCH_INTERVALS:
                raise WeatherTooFine("on/off weather changes far too often for its mean; give it longer intervals")
            ends_ns.append(ends_ns[-1] + self._delays[number & 1](self._entity, self._first_index + number, 0))
