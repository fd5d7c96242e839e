"""Puts the parts of a check together and rules over them: `CellCheck`, `conclude`.

The laws of chance are ruled over here, since one level holds for all tests of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.chance.evidence import Evidence
from sim.chance.overall import gatherers, struck
from sim.engine.world import World
from sim.experiment.findings import CellFindings, Claim, Finding, Findings, ProbeFindings
from sim.experiment.plan import PILOT_REQUESTS
from sim.experiment.probe import Probed, of_the_platform, probe
from sim.experiment.terms import stated_of
from sim.history.recorder import History
from sim.promises.invariant import OVERALL, SOMETIMES
from sim.stories.violations import Told, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.evidence import Trial
    from sim.experiment.checked_part import CheckedPart, ToldFirst
    from sim.promises.invariant import Invariant
    from sim.scenario.cells import Cell


class CellCheck:
    """The check of one cell, put together from its parts."""

    def __init__(self, cell: Cell, held: Sequence[Invariant]) -> None:
        self.cell = cell
        self.held = tuple(held)
        self.gatherers = gatherers(held, stated_of(cell.scenario))
        self.simulated = self.histories = self.events = 0
        self.broken: dict[str, int] = {}
        self.firsts: dict[str, ToldFirst] = {}
        self.seen: set[str] = set()
        self._promises: Any = None

    def add(self, part: CheckedPart) -> None:
        """Add the part of the next chunk, in order."""
        if self._promises is None:
            self._promises = World(self.cell.scenario).retriers.promises_of_scenario
        self.simulated += part.simulated
        self.histories += part.histories
        self.events += part.events
        for name, count in part.broken.items():
            self.broken[name] = self.broken.get(name, 0) + count
            self.firsts.setdefault(name, part.firsts[name])
        self.seen.update(part.seen)
        for gatherer, state in zip(self.gatherers, part.gathered, strict=True):
            gatherer.add(state, self._promises)


def trials_of(gathering: Sequence[Any], held: Sequence[Invariant]) -> tuple[Evidence, list[Trial]]:
    """Return what gatherers of a cell have found, and the tests of the invariants that are asked for."""
    evidence = Evidence()
    for gatherer in gathering:
        gatherer.close(evidence)
    asked = {one.name for one in held if one.kind == OVERALL}
    return evidence, [trial for trial in evidence.trials() if trial.invariant in asked]


def conclude(checks: Sequence[CellCheck]) -> Findings:
    """Rule over all cells of a run whose parts are all there, and run the probe of the platform if it belongs here."""
    closed = [trials_of(check.gatherers, check.held) for check in checks]
    tests = sum(len(trials) for _, trials in closed)
    cells = tuple(
        _concluded(check, evidence.draws, trials, tests)
        for check, (evidence, trials) in zip(checks, closed, strict=True)
    )
    if not any(of_the_platform(check.held) for check in checks):
        return Findings(cells)
    return Findings(cells, probe_findings(probe(checks[0].cell.scenario.seed)))


def _concluded(check: CellCheck, draws: int, trials: Sequence[Trial], tests: int) -> CellFindings:
    overall = struck(trials, tests)
    broken = []
    for one in check.held:
        if one.name in overall:
            words = told(overall[one.name], History([]), None)
            broken.append(finding(check.cell, one, check.simulated, words))
        elif one.name in check.broken:
            first = check.firsts[one.name]
            broken.append(finding(check.cell, one, check.broken[one.name], first.told, first))
    unseen = tuple(
        Claim(one.name, one.doc) for one in check.held if one.kind == SOMETIMES and one.name not in check.seen
    )
    return CellFindings(
        check.cell.id,
        check.cell.name,
        tuple(one.name for one in check.held),
        check.simulated,
        check.histories,
        check.events,
        tuple(broken),
        unseen,
        draws,
        len(trials),
    )


def finding(cell: Cell, one: Invariant, requests: int, words: Told, first: ToldFirst | None = None) -> Finding:
    """Return what is said of an invariant that is broken; `first` is None if all requests together break it."""
    number = 0 if first is None else first.request
    return Finding(
        one.name,
        one.owed_by,
        one.doc,
        requests,
        number,
        of_request=first is not None and first.of_request,
        overall=first is None,
        replays=first is not None and first.replays,
        requests_needed=requests_needed(cell, number),
        told=words,
    )


def requests_needed(cell: Cell, request: int) -> int:
    """Return how many requests a run needs to show a request that does not replay: those of the pilot came before."""
    return min(max(request + 1, PILOT_REQUESTS), cell.scenario.requests.count)


def probe_findings(probed: Probed) -> ProbeFindings:
    """Put what the probe has found into words."""
    words = None if probed.broken_in is None else told(probed.violations[0], probed.broken_in, None)
    return ProbeFindings(probed.requests, probed.histories, probed.broken, words)
