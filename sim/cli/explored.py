"""What `explore` prints: how far the search reached, what it went through, and what is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.cli.output import terminal_width
from sim.contracts.catalogue import INVARIANTS
from sim.retriers.base import LoopRetrier
from sim.scenario.mistakes.problems import did_you_mean
from sim.stories.phrases import span_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.cli.output import Printer
    from sim.contracts.invariant import Invariant
    from sim.explorer.explore import Explored
    from sim.explorer.play import Played
    from sim.scenario.cells import Cell
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

MOST_NAMED = 5
"""Of more invariants only the number is printed."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched: a cell, as a small world, within bounds, for what breaks invariants."""

    cell: Cell
    world: Scenario
    bounds: Bounds
    held: tuple[Invariant, ...]
    streams: list[str]
    """The streams of numbers that are drawn from."""

    @property
    def name(self) -> str:
        """The scenario, and the cell where it has another name."""
        name = self.world.name
        return name if self.cell.name == name else f"{name}, {self.cell.name}"


def progress_text(found: Explored) -> str:
    """Say in a line how far a search is."""
    broken = f", {_counted(len(found.broken), 'invariant')} broken" if found.broken else ""
    return f"level {found.level}: {found.states:,} states, {found.executions:,} executions{broken}"


def print_searched(searched: Searched, found: Explored, printer: Printer) -> None:
    """Print the bounds in force, the counts, which bounds were hit, and how many invariants are broken."""
    reach = "; ".join(_reach(searched, found))
    printer.sentence(f"{searched.name}: {reach}")
    for stream in sorted(searched.bounds.values.keys() - set(searched.streams)):
        known = f"; drawn from are {_listed(searched.streams)}" if searched.streams else ""
        hint = did_you_mean(stream, searched.streams) or known
        printer.sentence(f"note: nothing seems to draw from a stream '{stream}'{hint}")
    printer.verbatim("")
    printer.sentence(
        f"{_counted(found.states, 'state')}, {_counted(found.executions, 'execution')}, "
        f"depth {found.depth:,} ({'step' if found.depth == 1 else 'steps'} of the longest), "
        f"level {found.level} (most answers that differ from the undisturbed course)"
    )
    for sentence in _limits(searched, found):
        printer.sentence(sentence)
    verdict = f"broken: {', '.join(found.broken)}" if found.broken else "nothing is broken"
    printer.sentence(f"held against {_held(searched.held)}; {verdict}")
    if found.unseen:
        printer.sentence(f"never seen: {', '.join(found.unseen)}")


def print_counterexamples(courses: Sequence[Played], printer: Printer) -> None:
    """Print the smallest counterexample with its story, and a line for each other."""
    first, *others = courses
    printer.verbatim("")
    for line in first.lines(terminal_width()):
        printer.verbatim(line)
    if others:
        printer.verbatim("\nbroken as well")
    for other in others:
        violation = other.violations[0]
        count = _counted(len(other.answers), "answer")
        course = "by the same course" if other.answers == first.answers else f"by {count}"
        printer.sentence(f"{violation.invariant}, {course}: {violation.text}", indent="  ")


def _reach(searched: Searched, found: Explored) -> Iterator[str]:
    """Say how far the search reaches, in parts of a sentence."""
    bounds, world = searched.bounds, searched.world
    yield _counted(bounds.requests, "request")
    if bounds.attempts:
        attempts = "attempt" if bounds.attempts == 1 else f"{bounds.attempts} attempts"
        yield f"outcomes are free of the first {attempts} of each"
    else:
        yield "no outcome is free"
    if bounds.crashes:
        down = f"is down for {span_text(bounds.down)}" if bounds.down else "is back at once"
        effects = "go on" if bounds.inflight == "continues" else "are lost"
        yield f"the server dies at most {_times(bounds.crashes)}, at any point, and {down}; effects in flight {effects}"
    elif isinstance(world.retrier.make(), LoopRetrier):
        yield "no deaths of the server, for the retrier runs outside of it"
    else:
        yield "no deaths of the server"
    if world.cancel is not None and bounds.cancels:
        target = "" if world.cancel.target == "request" else f" (its {world.cancel.target})"
        yield f"each request is canceled{target} at most {_times(bounds.cancels)}, at any point"
    yield f"what is due at one instant goes in {'any' if bounds.orders else 'its usual'} order"
    yield from _values(searched)
    yield _recognized(searched, up_to_time=found.up_to_time)


def _values(searched: Searched) -> Iterator[str]:
    stated = {stream: values for stream, values in searched.bounds.values.items() if stream in searched.streams}
    for stream, values in stated.items():
        yield f"{stream} takes {_listed([f'{value:g}' for value in values], 'or')} on [0, 1)"
    rest = [stream for stream in searched.streams if stream not in stated]
    if rest:
        yield f"{_listed(rest)} {'takes' if len(rest) == 1 else 'take'} {'0.5'} alone on [0, 1)"


def _recognized(searched: Searched, *, up_to_time: bool) -> str:
    if up_to_time:
        return "states are recognized up to time and numbers of jobs"
    world = searched.world
    reasons = {
        "weather": bool(world.action.weather),
        "`until`": world.until is not None,
        "`heals_at`": world.heals_at is not None,
    }
    known = [name for name, known in reasons.items() if known]
    why = f"{_listed(known)} knows the time" if known else "the retrier does not say what its fields mean (`fields`)"
    return f"states count as different at different times, for {why}"


def _limits(searched: Searched, found: Explored) -> Iterator[str]:
    """Say whether anything was left out, and which bounds were hit."""
    bounds = searched.bounds
    if not found.complete:
        yield f"not complete: ended at level {found.level}, as --first or --states-at-most asks"
    elif "steps" in found.bounds_hit:
        yield "complete but for what comes behind the bound of steps"
    else:
        yield "complete: nothing within these bounds is left out"
    budget = searched.world.retrier.make().promises().attempts_at_most
    of_budget = f" (this retrier makes up to {budget})" if budget is not None and budget > bounds.attempts else ""
    beyond = f"a request was attempted more than {_times(bounds.attempts)}, then" if bounds.attempts else "attempts end"
    told = {
        "attempts": f"{beyond} with success{of_budget}",
        "crashes": f"the server died {_times(bounds.crashes)}, more often it was not tried",
        "steps": f"the course was cut after {_counted(bounds.steps, 'step')}",
        "limits": "a request ran into the scenario's limits",
    }
    for name, text in told.items():
        if name in found.bounds_hit:
            yield f"bound {name} hit in {_counted(found.bounds_hit[name], 'execution')}: {text}"


def _held(invariants: Sequence[Invariant]) -> str:
    if tuple(invariants) == INVARIANTS:
        return "all that retriers and the platform owe"
    if len(invariants) <= MOST_NAMED:
        return _listed([one.name for one in invariants])
    return _counted(len(invariants), "invariant")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _listed(texts: Sequence[str], word: str = "and") -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
