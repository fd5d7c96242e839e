"""Keys that every delay takes: jitter, cap, bounds and rounding, as text around the formula of a law."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from sim.clients.policy.delay_law import DelayLaw
from sim.clients.policy.delay_names import ENTRY, NAMES
from sim.kernel.durations import RUNAWAY_NS, format_duration
from sim.laws.formulas import parse
from sim.options.model import DurationNs, Options
from sim.options.share import Share  # noqa: TC001  # pydantic reads the annotations
from sim.options.single_key import SingleKey

MOST_ENTRIES: Final = 1000
Then = Annotated[
    Literal["repeat", "stop"],
    Field(description="Behind the last entry of a table: it repeats, or there is no further retry."),
]
Positive = Annotated[DurationNs, Field(gt=0)]


class NoJitter(Options):
    """The delay as it is."""


class FullJitter(Options):
    """From 0 to the delay."""


class EqualJitter(Options):
    """From half the delay to the delay."""


class SpreadJitter(Options):
    """A share of the delay less or more."""

    share: Share


class PlusJitter(Options):
    """Up to so much more, whatever the delay is."""

    most: DurationNs


Jitter = Annotated[
    NoJitter | FullJitter | EqualJitter | SpreadJitter | PlusJitter,
    SingleKey(
        "jitter",
        "{spread: 0.2}, or the bare full or equal",
        {"none": NoJitter, "full": FullJitter, "equal": EqualJitter, "spread": SpreadJitter, "plus": PlusJitter},
        scalars={"spread": "share", "plus": "most"},
        bare=("none", "full", "equal"),
    ),
]
"""How a delay is spread, evenly; drawn once a retry."""


class BoundKeys(Options):
    """What is done to a delay when all else is: bounds, rounding, and a first delay of its own."""

    at_least: DurationNs | None = Field(default=None, description="The shortest delay.")
    floor: Positive | None = Field(default=None, description="The delay is cut to a multiple of this.")
    round: Positive | None = Field(default=None, description="The delay is rounded to a multiple of this, halves up.")
    first: DurationNs | None = Field(
        default=None, description="The delay before the first retry, whatever the law says."
    )
    overflow: DurationNs | None = Field(
        default=None,
        description="In place of a delay that is infinite or no number; otherwise the cap, if there is one.",
    )

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return self.without_defaults(handler(self))

    def without_defaults(self, written: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is not given and changes nothing."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in written.items()
            if fields[name].is_required() or getattr(self, name) != fields[name].default
        }

    def bounded(self, text: str) -> str:
        """Put these bounds around the text of a formula."""
        if self.at_least is not None:
            text = f"max({text}, {format_duration(self.at_least)})"
        if self.floor is not None:
            text = f"floor({text}, {format_duration(self.floor)})"
        if self.round is not None:
            text = f"round({text}, {format_duration(self.round)})"
        return text


class ShapedDelay(BoundKeys):
    """A delay by a formula of its own, which is spread and has a cap."""

    cap: DurationNs | None = Field(default=None, description="The longest delay.")
    cap_applies: Literal["before", "after"] = Field(default="before", description="Before the jitter or after it.")
    jitter: Jitter = Field(
        default=NoJitter(), description="How the delay is spread.", json_schema_extra={"default": "none"}
    )

    def without_defaults(self, written: dict[str, Any]) -> dict[str, Any]:
        """Write a jitter without options as its name."""
        kept = super().without_defaults(written)
        if isinstance(self.jitter, FullJitter | EqualJitter):
            (kept["jitter"],) = written["jitter"]
        return kept

    @model_validator(mode="after")
    def _has_a_cap_to_apply(self) -> Self:
        if self.cap_applies == "after" and self.cap is None:
            raise ValueError("cap_applies needs a cap")
        return self

    def plain(self) -> str:
        """Return the formula of the law, without the keys that all laws take."""
        raise NotImplementedError

    def draw(self) -> str:
        """Return the name of what the jitter draws."""
        return "u"

    def formula(self) -> tuple[dict[str, str], str]:
        """Return the lets and the formula of the delay, all keys but `first` included."""
        text, lets = self.plain(), {}
        if self.cap is not None and self.cap_applies == "before":
            text = self._capped(text)
        match self.jitter:
            case FullJitter():
                text = f"({text}) * {self.draw()}"
            case EqualJitter():
                lets = {"d": text}
                text = f"d / 2 + {self.draw()} * (d / 2)"
            case SpreadJitter(share=share):
                text = f"({text}) * (1 - {share!r} + {self.draw()} * (2 * {share!r}))"
            case PlusJitter(most=most):
                text = f"{text} + {self.draw()} * {format_duration(most)}"
        if self.cap is not None and self.cap_applies == "after":
            text = self._capped(text)
        return lets, self.bounded(text)

    def law(self, place: str) -> DelayLaw:
        """Return the law that these options say."""
        lets, text = self.formula()
        overflow_ns = self.cap if self.overflow is None else self.overflow
        return DelayLaw(
            body=parse(text, {*NAMES, ENTRY, *lets}),
            lets=tuple((name, parse(value, {*NAMES, ENTRY})) for name, value in lets.items()),
            first_ns=self.first,
            overflow_ns=RUNAWAY_NS if overflow_ns is None else overflow_ns,
            place=place,
            **self.more(),
        )

    def more(self) -> dict[str, Any]:
        """Return what else the law has."""
        return {}

    def _capped(self, text: str) -> str:
        return text if self.cap is None else f"min({text}, {format_duration(self.cap)})"
