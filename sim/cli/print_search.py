"""Prints a search: how far it reached, how many states and executions it saw, and what is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.cli.terminal import terminal_width
from sim.contracts.catalogue import INVARIANTS
from sim.options.near_words import did_you_mean
from sim.retriers.base import ClientRetrier
from sim.stories.phrases import span_text
from sim.world.arrivals import Closed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sim.cli.terminal import Printer
    from sim.explorer.explore import Explored
    from sim.explorer.play import Played
    from sim.promises.invariant import Invariant
    from sim.scenario.cells import Cell
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

MOST_NAMED = 5
"""If there are more invariants only their number is printed."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search searches: a cell as a small world, within bounds, for courses that break invariants."""

    cell: Cell
    world: Scenario
    bounds: Bounds
    invariants: tuple[Invariant, ...]
    streams: list[str]
    """The streams of random numbers that the world draws from."""

    @property
    def name(self) -> str:
        """The name of the scenario, and of the cell if that differs."""
        name = self.world.name
        return name if self.cell.name == name else f"{name}, {self.cell.name}"


def progress_text(found: Explored) -> str:
    """Return the progress of a search in one line."""
    broken = f", {_counted(len(found.broken), 'invariant')} broken" if found.broken else ""
    return f"level {found.level}: {found.states:,} states, {found.executions:,} executions{broken}"


def print_search(search: Search, found: Explored, printer: Printer) -> None:
    """Print the bounds in force, the counts, the bounds that were hit, and the invariants that are broken."""
    reach = "; ".join(_reach(search, found))
    printer.sentence(f"{search.name}: {reach}")
    for stream in sorted(search.bounds.values.keys() - set(search.streams)):
        known = f"; the streams are {_listed(search.streams)}" if search.streams else ""
        hint = did_you_mean(stream, search.streams) or known
        printer.sentence(f"note: nothing seems to draw from the stream '{stream}'{hint}")
    printer.verbatim("")
    printer.sentence(
        f"{_counted(found.states, 'state')}, {_counted(found.executions, 'execution')}, "
        f"depth {found.depth:,} ({'step' if found.depth == 1 else 'steps'} of the longest course), "
        f"level {found.level} (most answers in which a course differs from the undisturbed one)"
    )
    for sentence in _limits(search, found):
        printer.sentence(sentence)
    verdict = f"broken: {', '.join(found.broken)}" if found.broken else "nothing is broken"
    printer.sentence(f"checked against {_invariants(search.invariants)}; {verdict}")
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


def _reach(search: Search, found: Explored) -> Iterator[str]:
    """Yield the bounds of the search as parts of a sentence."""
    bounds, world = search.bounds, search.world
    yield _counted(bounds.requests, "request")
    if bounds.attempts:
        attempts = "attempt" if bounds.attempts == 1 else f"{bounds.attempts} attempts"
        yield f"the first {attempts} of each can have any outcome"
    else:
        yield "every attempt succeeds"
    if bounds.crashes:
        down = f"is down for {span_text(bounds.down)}" if bounds.down else "is back at once"
        effects = "go on" if bounds.inflight == "continues" else "are lost"
        yield f"the server dies at most {_times(bounds.crashes)}, at any point, and {down}; effects in flight {effects}"
    elif all(isinstance(one.make(), ClientRetrier) for one in world.retriers):
        yield "the server never dies, since the retrier runs outside of it"
    else:
        yield "the server never dies"
    if world.cancel is not None and bounds.cancels:
        target = "" if world.cancel.target == "request" else f" (its {world.cancel.target})"
        yield f"each request is canceled{target} at most {_times(bounds.cancels)}, at any point"
    yield f"events due at one instant happen in {'any' if bounds.orders else 'their usual'} order"
    yield from _values(search)
    yield _recognized(search, up_to_time=found.up_to_time)


def _values(search: Search) -> Iterator[str]:
    stated = {stream: values for stream, values in search.bounds.values.items() if stream in search.streams}
    for stream, values in stated.items():
        yield f"{stream} draws {_listed([f'{value:g}' for value in values], 'or')} from [0, 1)"
    rest = [stream for stream in search.streams if stream not in stated]
    if rest:
        yield f"{_listed(rest)} {'draws' if len(rest) == 1 else 'draw'} only 0.5 from [0, 1)"


def _recognized(search: Search, *, up_to_time: bool) -> str:
    if up_to_time:
        return "states that differ only in time or in numbers of jobs count as one"
    world = search.world
    reasons = {
        "weather": any(action.weather for action in (world.action, *(one.action for one in world.callers))),
        "`until`": world.until is not None,
        "`heals_at`": world.heals_at is not None,
        "`resubmit`": world.resubmit is not None,
        "closed arrivals": isinstance(world.requests.arrivals, Closed),
    }
    known = [name for name, known in reasons.items() if known]
    if not known and world.classes is not None:
        return "states at different times count as different, because classes can have retriers of their own"
    knows = "knows" if len(known) == 1 else "know"
    why = f"{_listed(known)} {knows} the time" if known else "the retrier does not say what its fields mean (`fields`)"
    return f"states at different times count as different, because {why}"


def _limits(search: Search, found: Explored) -> Iterator[str]:
    """Yield sentences: whether anything was left out, and which bounds were hit."""
    bounds = search.bounds
    if not found.complete:
        yield f"not complete: --first or --states-at-most ended the search at level {found.level}"
    elif "steps" in found.bounds_hit:
        yield "complete, except for what comes after the bound of steps"
    else:
        yield "complete: nothing within these bounds is left out"
    budget = search.world.retrier.make().promises().attempts_at_most
    of_budget = f" (this retrier makes up to {budget})" if budget is not None and budget > bounds.attempts else ""
    beyond = f"a request was attempted more than {_times(bounds.attempts)}; later" if bounds.attempts else "all"
    texts = {
        "attempts": f"{beyond} attempts succeeded{of_budget}",
        "crashes": f"the server died {_times(bounds.crashes)}; more deaths were not tried",
        "steps": f"the course was cut after {_counted(bounds.steps, 'step')}",
        "limits": "a request ran into the scenario's limits",
    }
    for name, text in texts.items():
        if name in found.bounds_hit:
            yield f"bound {name} hit in {_counted(found.bounds_hit[name], 'execution')}: {text}"


def _invariants(invariants: Sequence[Invariant]) -> str:
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
