"""The stories of a report: a stuck, a duplicated and the slowest request, simulated again with their histories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.api.replay import replayed
from sim.kernel.errors import InternalError
from sim.pictures.data.story import timeline_data
from sim.report.charts.markup import Html
from sim.report.charts.story import StoryChart
from sim.retriers.registry import KINDS
from sim.scenario.cells import NotInScenario
from sim.stories.lines import timeline_lines

if TYPE_CHECKING:
    from sim.experiment.cell_result import CellResult
    from sim.results.result import Result
    from sim.scenario.schema import Scenario

KINDS_OF_STORIES: Final = {
    "stuck": "A stuck request",
    "duplicated": "A repeated effect",
    "slowest": "The slowest request",
}
"""What `CellResult.examples` names, in the order of `retrysim run`."""
WIDTH: Final = 100
MOST_SHARED: Final = 200_000
"""A request of a shared world is simulated with its whole replication; of larger ones no story is told."""


@dataclass(frozen=True, slots=True)
class Story:
    """One request."""

    title: str
    cell: str
    request: int
    chart: Html
    """Its time line; empty if it cannot be simulated again."""
    lines: tuple[str, ...]
    """Its story in words."""
    reason: str = ""
    """Why there is no time line."""


def stories(result: Result) -> list[Story]:
    """Return the stories that a run offers, each from the first cell that has one; the slowest of all cells."""
    found = []
    for kind, title in KINDS_OF_STORIES.items():
        having = [cell for cell in result.cells if kind in cell.examples]
        if kind == "slowest":
            having.sort(key=lambda cell: -cell.slowest_ns)
        if having:
            found.append(_story(title, having[0], having[0].examples[kind]))
    return found


def needs_own_code(scenario: Scenario) -> bool:
    """Say whether a retrier or a service of a scenario is code of the user's own, which saved results do not hold."""
    layers = [layer.retrier for service in scenario.services.values() for layer in getattr(service, "calls", ())]
    return any(one.kind not in KINDS for one in (*scenario.retriers, *layers)) or any(
        ":" in str(getattr(service, "kind", "")) for service in scenario.services.values()
    )


def _story(title: str, cell: CellResult, request: int) -> Story:
    scenario = cell.cell.scenario
    if needs_own_code(scenario):
        reason = "Its retrier or service is code of your own, which results do not hold: replay it with that code."
        return Story(title, cell.cell.name, request, Html(""), (), reason)
    if scenario.world == "shared" and scenario.requests.count > MOST_SHARED:
        reason = f"Its replication has {scenario.requests.count:,} requests, which would all be simulated again."
        return Story(title, cell.cell.name, request, Html(""), (), reason)
    try:
        again = replayed(scenario, request)
    except (NotInScenario, InternalError) as error:
        return Story(title, cell.cell.name, request, Html(""), (), f"It cannot be simulated again: {error}.")
    data = timeline_data(again.history, again.number, again.outcome)
    chart = StoryChart(title=data.title, note=data.note, level=4, data=data).html()
    lines = timeline_lines(again.history, again.number, again.outcome, width=WIDTH)
    return Story(title, cell.cell.name, request, chart, tuple(lines))
