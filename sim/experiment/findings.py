"""What the check of a run has found, in words and numbers that need no history: `Findings`.

They come from the parts of all chunks (`conclude`), are stored in the results file, and are told by `show` and by the
page of a report. The laws of chance are ruled over here, since one level holds for all tests of a run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sim.chance.evidence import Evidence
from sim.chance.overall import gatherers, struck
from sim.engine.world import World
from sim.experiment.plan import PILOT_REQUESTS
from sim.experiment.probe import Probed, of_the_platform, probe
from sim.experiment.terms import stated_of
from sim.history.recorder import History
from sim.promises.invariant import OVERALL, SOMETIMES
from sim.stories.violations import Told, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.evidence import Trial
    from sim.experiment.checker import CheckedPart, ToldFirst
    from sim.promises.invariant import Invariant
    from sim.scenario.cells import Cell


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that is broken in a cell, with the first request that breaks it."""

    invariant: str
    owed_by: str
    """`retrier` or `platform`."""
    claim: str
    """What the invariant says, in one sentence."""
    requests: int
    """How many requests break it; all of them if it is a law of chance that only all together can break."""
    request: int
    """The first that breaks it, as `replay` takes it; of no meaning if `overall`."""
    of_request: bool
    """Whether the first violation belongs to a request, and not to its world."""
    overall: bool
    """Whether no single history breaks it, but all of the cell together."""
    replays: bool
    """Whether the request does the same if it is simulated without the requests before it, as `replay` does."""
    requests_needed: int
    """How many requests a run needs to show it again, if it does not replay."""
    told: Told
    """The first violation in words: its sentence, the events that prove it, the story of the request."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An invariant by its name and what it says."""

    name: str
    claim: str


@dataclass(frozen=True, slots=True)
class CellFindings:
    """What the check of one cell has found."""

    id: str
    name: str
    held: tuple[str, ...]
    """The names of the invariants that its histories were checked against."""
    simulated: int
    """How many requests were simulated, including those outside the measuring window."""
    histories: int
    """How many worlds were checked: one a request, or one a replication."""
    events: int
    broken: tuple[Finding, ...]
    """The invariants that are broken, in the order of `held`."""
    unseen: tuple[Claim, ...]
    """What should be seen at least once, but no history shows it."""
    draws: int
    """How many draws stood the tests of laws of chance, each counted once."""
    tests: int
    """How many such tests there were."""

    @property
    def first(self) -> Finding | None:
        """The violation of the request with the lowest number, else one of all together; None if there is none."""
        return min(self.broken, key=lambda one: (one.overall, one.request), default=None)

    @property
    def holds(self) -> bool:
        """Whether nothing is broken, and everything that should be seen was."""
        return not (self.broken or self.unseen)


@dataclass(frozen=True, slots=True)
class ProbeFindings:
    """What the probe of the platform has found in small worlds of its own."""

    requests: int
    histories: int
    broken: tuple[str, ...]
    """The names of the invariants that are broken, each once."""
    told: Told | None
    """The first violation; None if there is none."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the check of a run has found, cell by cell, in the order of the scenario."""

    cells: tuple[CellFindings, ...]
    probe: ProbeFindings | None = None
    """None if the probe was not run: it belongs to a check of all that the platform owes."""

    @property
    def holds(self) -> bool:
        """Whether nothing is broken in any cell, nor in the worlds of the probe."""
        return all(cell.holds for cell in self.cells) and (self.probe is None or not self.probe.broken)

    @property
    def invariants(self) -> int:
        """How many invariants the histories were checked against, over all cells."""
        return len({name for cell in self.cells for name in cell.held})

    @property
    def histories(self) -> int:
        """How many histories were checked."""
        return sum(cell.histories for cell in self.cells)

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the invariants that are broken in some cell, each once."""
        return tuple(dict.fromkeys(one.invariant for cell in self.cells for one in cell.broken))

    @property
    def first(self) -> tuple[CellFindings, Finding] | None:
        """The first violation of the first cell that has one, with its cell; None if there is none."""
        return next(((cell, cell.first) for cell in self.cells if cell.first is not None), None)

    @property
    def verdict(self) -> str:
        """How much was checked and whether it holds, in one line."""
        count, histories, broken = self.invariants, self.histories, len(self.broken)
        said = "all hold" if not broken else f"{broken} {'is' if broken == 1 else 'are'} broken"
        checked = f"{count} invariant{'' if count == 1 else 's'}"
        return f"checked {checked} in {histories:,} histor{'y' if histories == 1 else 'ies'}: {said}"

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says of the check: counts, and of each broken invariant its first violation."""
        return {
            "holds": self.holds,
            "invariants": self.invariants,
            "histories": self.histories,
            "broken": [
                {
                    "cell": cell.id,
                    "invariant": one.invariant,
                    "owed_by": one.owed_by,
                    "requests": one.requests,
                    "first": None if one.overall else one.request,
                    "text": one.told.text,
                }
                for cell in self.cells
                for one in cell.broken
            ],
            "unseen": [{"cell": cell.id, "invariant": one.name} for cell in self.cells for one in cell.unseen],
            "probe": None if self.probe is None else {"broken": list(self.probe.broken)},
        }

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Findings:
        """Make findings of what `to_json` returned."""
        plain = json.loads(text)
        return cls(tuple(map(_cell_of, plain["cells"])), plain["probe"] and _probe_of(plain["probe"]))

    def __repr__(self) -> str:
        """Return the verdict."""
        return f"<{self.verdict}>"


def _told_of(plain: dict[str, Any]) -> Told:
    story = tuple((head, text) for head, text in plain["story"])
    return Told(plain["invariant"], plain["text"], tuple(plain["events"]), story)


def _cell_of(plain: dict[str, Any]) -> CellFindings:
    broken = tuple(Finding(**{**one, "told": _told_of(one["told"])}) for one in plain["broken"])
    unseen = tuple(Claim(**one) for one in plain["unseen"])
    return CellFindings(**{**plain, "held": tuple(plain["held"]), "broken": broken, "unseen": unseen})


def _probe_of(plain: dict[str, Any]) -> ProbeFindings:
    words = plain["told"] and _told_of(plain["told"])
    return ProbeFindings(**{**plain, "broken": tuple(plain["broken"]), "told": words})


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
