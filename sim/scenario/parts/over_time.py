"""Results over time: `timeline`, which keeps quantities in bins, and `recovery`, which says what it means to recover.

    timeline: {every: 1s}
    recovery: {after: 25s, within: 60s, goodput: 95%, window: 10s}

Both change what is said of a run, but none of its numbers, so the digest covers neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from sim.expect.expectations import Expectation, number_of, wrong_currency
from sim.expect.targets import Target
from sim.kernel.durations import format_duration
from sim.measure.paths import Named, metric_of, problem_with
from sim.measure.recovery import RecoveryTerms
from sim.measure.timeline import MOST_BINS, bins_of
from sim.options.model import DurationNs, Options
from sim.scenario.mistakes.problems import Problem
from sim.scenario.mistakes.pydantic_words import expected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sim.measure.prices import Prices
    from sim.scenario.mistakes.problems import Path
    from sim.scenario.parts.classes import ClassOptions


def _percentage(value: Any) -> Any:
    """Read `95%` as 0.95; a number is a share of 1 already."""
    if isinstance(value, str) and value.strip().endswith("%"):
        digits = number_of(value.strip().removesuffix("%").rstrip())
        if digits is not None:
            return float(digits / 100)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("share", "{reason}", {"reason": expected("a share such as 95% or 0.95", value)})
    return float(value)


def _of_what_is_offered(share: float) -> float:
    if share > 1:
        raise ValueError("goodput cannot exceed what is offered: at most 100%")
    if share <= 0:
        raise ValueError("must be more than 0%: no goodput at all is no recovery")
    return share


Percentage = Annotated[
    float,
    BeforeValidator(_percentage),
    AfterValidator(_of_what_is_offered),
    PlainSerializer(lambda share: f"{100 * share:.12g}%", return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?%$"},
            ]
        }
    ),
]
"""A share above 0, as a number or in per cent."""


class TimelineOptions(Options):
    """Keep quantities over time, in bins of equal width."""

    every: Annotated[DurationNs, Field(gt=0)] = Field(description="The width of a bin.")


class RecoveryOptions(Options):
    """What it means that a replication recovers.

    From some instant no later than `after` + `within` on, goodput over every window is at least that share of the
    offered rate.
    """

    after: DurationNs = Field(description="When the trigger is over.")
    within: DurationNs = Field(description="How long after that the system may take.")
    goodput: Percentage = Field(default=0.95, description="The share of the offered rate that goodput reaches.")
    window: Annotated[DurationNs, Field(gt=0)] = Field(
        default=10_000_000_000, description="Over how long both are counted."
    )

    @property
    def terms(self) -> RecoveryTerms:
        """The same in the form in which recovery is measured."""
        return RecoveryTerms(self.after, self.within, self.goodput, self.window)


def problems_over_time(
    timeline: TimelineOptions | None, recovery: RecoveryOptions | None, until_ns: int | None
) -> list[Problem]:
    """Find what asks for more bins than there can be, and a recovery that no replication lives to see."""
    found = []
    if timeline is not None and until_ns is not None and bins_of(until_ns, timeline.every) > MOST_BINS:
        least = format_duration(-(-until_ns // MOST_BINS))
        reason = f"makes {bins_of(until_ns, timeline.every):,} bins up to `until`, more than {MOST_BINS:,}"
        found.append(Problem(("timeline", "every"), f"{reason}; write {least} or more"))
    if recovery is not None and until_ns is not None:
        if recovery.after >= until_ns:
            reason = f"lies behind the end of the simulation: `until` is {format_duration(until_ns)}"
            found.append(Problem(("recovery", "after"), reason))
        elif recovery.terms.from_ns + recovery.window > until_ns:
            needed = format_duration(recovery.terms.from_ns + recovery.window)
            reason = f"leaves no window to judge: after + within + window is {needed}"
            found.append(Problem(("recovery", "within"), f"{reason}, but `until` is {format_duration(until_ns)}"))
    return found


def named_in(
    services: Iterable[str],
    classes: Mapping[str, ClassOptions] | None,
    clients: int | None,
    prices: Prices | None = None,
    pools: Iterable[str] = (),
) -> Named:
    """Return what metrics can name, given the services and classes of a scenario by name, prices and pools."""
    classes = classes or {}
    deadlines_ns = tuple(one.deadline for one in classes.values())
    return Named(tuple(services), tuple(classes), deadlines_ns, clients, prices, tuple(pools))


Stated = Expectation | Target | str
"""What names a metric: an expectation, a target of precision, or its path alone."""


def problems_of_metrics(
    stated: Iterable[tuple[Path, Stated]], named: Named, *, shared: bool, has_recovery: bool
) -> list[Problem]:
    """Find metrics that a scenario does not have, and money in another currency; each comes with its place."""
    found = []
    for keys, one in stated:
        metric, text = (metric_of(one), one) if isinstance(one, str) else (one.metric, one.text)
        problem, at = problem_with(metric, named, shared=shared, has_recovery=has_recovery), metric.path
        if not isinstance(one, str) and (wrong := wrong_currency(one.currency, named.currency)):
            problem, at = wrong, one.currency
        if problem:
            found.append(Problem(keys, problem, offset=max(0, text.find(at))))
    return found
