"""What the check of a run has found, in words and numbers that need no history: `Findings`.

They come from the parts of all chunks (`sim.experiment.rulings`), are stored in the results file, and are told by
`show` and by the page of a report, for which nothing that checks is needed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from sim.stories.violations import Told


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
