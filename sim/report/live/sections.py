"""The parts of the live page that change with the numbers: those of a report, as HTML by their ids.

The curves of before stand pale behind the new ones, on axes that hold both; the table tells what a value was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.report.charts.markup import Html, element, html_of
from sim.report.pictures import of_requests, of_sweeps, of_time
from sim.report.report import answer, pictures, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.report.live.stages import Stage
    from sim.report.pictures import Group
    from sim.results.result import Result
    from sim.scenario.schema import Scenario

TITLES = {
    "over-time": "Over time",
    "requests": "What becomes of requests",
    "answer": "Answer",
    "table": "Values with their intervals",
    "sweep": "Over the swept keys",
}


def ids_of(scenario: Scenario) -> list[str]:
    """Return the ids of the sections that a scenario has, in the order of the page: the curves first."""
    left_out = {"over-time" if scenario.timeline is None else "", "sweep" if not scenario.sweep else ""}
    return [key for key in TITLES if key not in left_out]


def bodies(stage: Stage, before: Result | None) -> Iterator[tuple[str, Html]]:
    """Yield the ids of the sections and their bodies, the curves first; `before` is what stands behind them."""
    result = stage.result
    for key in ids_of(result.scenario):
        match key:
            case "over-time":
                yield key, _pictures(of_time(result, before))
            case "requests":
                yield key, _pictures(of_requests(result, before))
            case "answer":
                size = element("p", f"From {stage.size}.", class_="note size")
                yield key, Html(html_of(size) + answer(result))
            case "table":
                yield key, table(result, before, complete=False)
            case _:
                yield key, _pictures(of_sweeps(result))


def _pictures(group: Group) -> Html:
    nothing = "Nothing that is drawn differs between the cells."
    return pictures(group) if group.charts else html_of(element("p", nothing, class_="note"))
