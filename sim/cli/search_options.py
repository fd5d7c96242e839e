"""The options of `retrysim explore` that bound a search and choose its invariants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from sim.cli import completions
from sim.contracts.catalogue import INVARIANTS, STRICTER, Invariant
from sim.explorer.play import stated_bounds
from sim.kernel.durations import parse_duration
from sim.options.near_words import did_you_mean
from sim.promises.invariant import OVERALL
from sim.retriers.base import ClientRetrier
from sim.scenario.mistakes.pydantic_words import problems_of
from sim.scenario.parts.course import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sim.scenario.schema import Scenario

KNOWN = {one.name: one for one in (*INVARIANTS, *STRICTER)}
DEATH_ONLY = ("down", "inflight")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """The options of a search."""

    given: Mapping[str, Any]
    """The bounds that are given, by name."""
    values: Mapping[str, tuple[float, ...]]
    invariants: tuple[Invariant, ...]
    workers: int
    states_at_most: int | None
    first: bool

    def bounds(self, cell: Scenario, requests: int | None) -> Bounds:
        """Return the bounds of the cell, changed by the options; raises UsageError for one that is wrong or idle."""
        own = stated_bounds(cell)
        given = {**self.given} if requests is None else {**self.given, "requests": requests}
        values = {name: getattr(own, name) for name in Bounds.model_fields}
        values |= {**given, "values": {**own.values, **self.values}}
        try:
            bounds = Bounds.model_validate(values)
        except ValidationError as error:
            found = problems_of(error, values, lambda _: ())
            raise click.UsageError(
                "; ".join(f"--{one.path.replace('.', ' ')}: {one.reason}" for one in found)
            ) from None
        return self._without_idle(bounds, cell)

    def _without_idle(self, bounds: Bounds, cell: Scenario) -> Bounds:
        outside = all(isinstance(one.make(), ClientRetrier) for one in cell.retriers)
        if outside and self.given.get("crashes"):
            raise click.UsageError(
                "--crashes: this retrier runs outside of the deployment, so deaths of the server cannot strike it"
            )
        if outside:
            bounds = bounds.model_copy(update={"crashes": 0})
        if cell.cancel is None and self.given.get("cancels"):
            raise click.UsageError("--cancels: the scenario cancels nothing; add `cancel` to it")
        if cell.cancel is None:
            bounds = bounds.model_copy(update={"cancels": 0})
        for name in DEATH_ONLY:
            if name in self.given and not bounds.crashes:
                raise click.UsageError(f"--{name}: cannot matter if the server never dies; see --crashes")
        return bounds


def _duration(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _values(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    streams = {}
    for text in texts:
        stream, _, numbers = text.partition("=")
        try:
            streams[stream] = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            reason = f"'{text}' is not STREAM=NUMBER,NUMBER,... such as backoff=0,0.5,0.9"
            raise click.BadParameter(reason) from None
    return streams


def _invariants(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> tuple[Invariant, ...]:
    for name in names:
        if name not in KNOWN:
            hint = did_you_mean(name, KNOWN) or f"; known are {', '.join(KNOWN)}"
            raise click.BadParameter(f"there is no invariant '{name}'{hint}")
        if KNOWN[name].kind == OVERALL:
            reason = "is a law of chance, and a search leaves nothing to chance; `retrysim run --check` tests it"
            raise click.BadParameter(f"'{name}' {reason}")
    return tuple(one for name, one in KNOWN.items() if name in names)


OPTIONS = (
    click.option(
        "--attempts",
        type=click.IntRange(0),
        metavar="N",
        help="The first N attempts of each request can have any outcome; later ones succeed. How many a "
        "retrier makes is a setting of the scenario (--set retrier.max_failures=2).",
    ),
    click.option("--crashes", type=click.IntRange(0), metavar="N", help="The server dies up to N times, at any point."),
    click.option(
        "--cancels", type=click.IntRange(0), metavar="N", help="Each request is canceled up to N times, at any point."
    ),
    click.option("--down", metavar="DURATION", callback=_duration, help="How long the server is down after a death."),
    click.option(
        "--inflight",
        type=click.Choice(["continues", "lost"]),
        help="What becomes of effects in flight when the server dies.",
    ),
    click.option("--steps", type=click.IntRange(1), metavar="N", help="Cut each course after N steps."),
    click.option(
        "--values",
        multiple=True,
        metavar="STREAM=U,U,...",
        callback=_values,
        help="The numbers in [0, 1) that a stream can draw, such as backoff=0,0.5,0.9; by default only 0.5. May be "
        "repeated.",
    ),
    click.option("--no-orders", is_flag=True, help="Events due at one instant happen in their usual order."),
    click.option("--workers", type=click.IntRange(1), default=1, metavar="N", help="Search in N processes."),
    click.option(
        "--states-at-most", type=click.IntRange(1), metavar="N", help="Begin no further level after N states."
    ),
    click.option("--first", is_flag=True, help="End with the first level that breaks an invariant."),
    click.option(
        "--invariant",
        "invariants",
        multiple=True,
        metavar="NAME",
        callback=_invariants,
        shell_complete=completions.invariants,
        help="Search for courses that break this invariant; may be repeated. By default: those that the scenario's "
        "`check` names, or else all that retriers and the platform owe.",
    ),
)


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a search; they reach the command as `options`."""

    @wraps(function)
    def command(
        *args: Any,
        values: dict[str, tuple[float, ...]],
        invariants: tuple[Invariant, ...],
        workers: int,
        states_at_most: int | None,
        no_orders: bool,
        first: bool,
        attempts: int | None,
        crashes: int | None,
        cancels: int | None,
        down: int | None,
        inflight: str | None,
        steps: int | None,
        **rest: Any,
    ) -> None:
        bounds = {
            "attempts": attempts,
            "crashes": crashes,
            "cancels": cancels,
            "down": down,
            "inflight": inflight,
            "steps": steps,
            "orders": False if no_orders else None,
        }
        given = {name: value for name, value in bounds.items() if value is not None}
        function(*args, SearchOptions(given, values, invariants, workers, states_at_most, first), **rest)

    decorated: Callable[..., Any] = command
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
