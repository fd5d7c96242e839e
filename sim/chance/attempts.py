"""Gathers how attempts go, and holds that against the shares and laws of the scenario.

An attempt counts by what it has in store as it starts, so that nothing that befalls it later chooses it. Whether there
is another attempt was decided before it, so the attempts of each number have their shares exactly. Two things hang
together in time: weather, and requests that fail for good. Where a scenario has one, only first attempts meet it with a
share that is known; of the others, those that do not fail are told apart by what they do instead.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sim.chance import latencies
from sim.chance.evidence import Trial
from sim.chance.overall import overall
from sim.history.vocabulary import AT_SERVICE, ATTEMPT_OUTCOMES, FAIL, SUCCESS

if TYPE_CHECKING:
    from sim.chance.evidence import Evidence
    from sim.chance.stated import Stated
    from sim.history.entities import Attempt
    from sim.promises.view import View

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
"""Attempts, shape (attempts, columns)."""

CODES: Final = {name: code for code, name in enumerate(ATTEMPT_OUTCOMES)}
WORLD, REQUEST, NUMBER, OUTCOME, LATENCY, AT = range(6)
"""Columns: its history, its request, its number, what it has in store, its latency and its start in ns."""
LATER: Final = 4
"""Attempts with this number and all later ones are tested together."""
OUTCOMES: Final = "outcomes-as-stated"
APART: Final = "streams-apart"
WEATHER: Final = "weather-apart"
DIFFER: Final = "replications-differ"


class Attempts:
    """Attempts, what their errors say, and when requests come."""

    def __init__(self, stated: Stated) -> None:
        self._stated = stated
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._errors: list[tuple[bool, int]] = []
        """(marked as final, ns it asks to wait)."""
        self._gaps_ns: list[int] = []
        self._worlds = 0

    def look(self, view: View) -> None:
        """Take the attempts of a history."""
        here, stated = self._worlds, self._stated
        self._worlds += 1
        codes, told = CODES, stated.final or stated.retry_after is not None
        for request in view.requests.values():
            if view.terms_of(request).own_action:
                continue
            number = request.number
            self._rows += [
                (here, number, one.number, codes[one.start.outcome], one.latency_ns, one.start.t_ns)
                for one in request.attempts
                if one.start.outcome != AT_SERVICE
            ]
            if told:
                self._take_errors(request.attempts)
        if stated.mean_gap_ns is not None and view.terms.drained:
            submitted = sorted(request.submitted_ns for request in view.requests.values())
            self._gaps_ns += [later - sooner for sooner, later in pairwise([0, *submitted])]

    def _take_errors(self, attempts: list[Attempt]) -> None:
        says = [attempt.failure for attempt in attempts if attempt.outcome == FAIL]
        self._errors += [(one.final, one.retry_after_ns) for one in says if one is not None]

    def close(self, evidence: Evidence) -> None:
        """Hold all attempts against what the scenario states."""
        if not self._rows:
            return
        rows = np.array(self._rows, np.int64)
        rows = rows[np.lexsort((rows[:, NUMBER], rows[:, REQUEST], rows[:, WORLD]))]
        evidence.draws += len(rows)
        stated, heals_at_ns = self._stated, self._stated.heals_at_ns
        healed = np.zeros(len(rows), np.bool_) if heals_at_ns is None else rows[:, AT] >= heals_at_ns
        _hold_healed(evidence, stated, rows[healed])
        if stated.script:
            _hold_script(evidence, stated, rows[~healed])
            return
        shares = Shares(stated)
        live = rows[~healed]
        shares.hold(evidence, live)
        shares.hold_apart(evidence, live)
        latencies.hold(evidence, stated, rows)
        latencies.hold_errors(evidence, stated, self._errors)
        latencies.hold_gaps(evidence, stated, self._gaps_ns)


def _hold_healed(evidence: Evidence, stated: Stated, rows: Rows) -> None:
    """After the world has healed attempts succeed, and those of requests that fail for good fail."""
    wrong = rows[:, OUTCOME] != CODES[SUCCESS]
    if stated.permanent and not stated.script:
        wrong &= rows[:, OUTCOME] != CODES[FAIL]
    if np.any(wrong):
        finding = f"do not all succeed: {np.count_nonzero(wrong):,} do not"
        evidence.others.append(Trial(OUTCOMES, "attempts after the world has healed", finding, len(rows), 0.0))


def _hold_script(evidence: Evidence, stated: Stated, rows: Rows) -> None:
    """Attempts go as the script says."""
    script = np.array([CODES[outcome] for outcome in stated.script])
    wrong = rows[:, OUTCOME] != script[np.minimum(rows[:, NUMBER], len(script)) - 1]
    if np.any(wrong):
        finding = f"do not all go by it: {np.count_nonzero(wrong):,} do not"
        evidence.others.append(Trial(OUTCOMES, "attempts with a script", finding, len(rows), 0.0))


class Shares:
    """The shares of outcomes that a scenario states, under its weather."""

    def __init__(self, stated: Stated) -> None:
        self._stated = stated
        self._fair = np.zeros(len(CODES))
        """The share of each outcome in good weather."""
        for outcome, share, _ in stated.outcomes:
            self._fair[CODES[outcome]] = share
        self._fair[CODES[SUCCESS]] = max(1.0 - self._fair.sum(), 0.0)
        down = [(fail, up.mean_ns, down.mean_ns) for up, down, fail in stated.turns]
        self._turns = 1.0 - prod(1.0 - fail * off_ns / (on_ns + off_ns) for fail, on_ns, off_ns in down)
        """The share that fails by weather that comes in turns, at any instant of a world that meets it at any phase."""

    def _bad(self, rows: Rows) -> Floats:
        """Return for each attempt the share that fails by the weather that is known."""
        spared = np.ones(len(rows))
        for from_ns, to_ns, fail in self._stated.outages:
            spared[(rows[:, AT] >= from_ns) & (rows[:, AT] < to_ns)] *= 1.0 - fail
        return 1.0 - spared

    def _of_first(self, bad: float) -> Floats:
        """Return the share of each outcome among first attempts, if so many fail by the weather that is known."""
        good = (1.0 - bad) * (1.0 - self._turns) * (1.0 - self._stated.permanent)
        shares = self._fair * good
        shares[CODES[FAIL]] += 1.0 - good
        return np.clip(shares, 0.0, 1.0)

    def _of_others(self) -> Floats:
        """Return the share of each outcome among attempts that do not fail."""
        shares = self._fair.copy()
        shares[CODES[FAIL]] = 0.0
        total = shares.sum()
        return shares / total if total else shares

    @property
    def _hangs_together(self) -> bool:
        return bool(self._stated.turns or self._stated.permanent)

    def hold(self, evidence: Evidence, rows: Rows) -> None:
        """Hold the outcomes of attempts against their shares, number by number."""
        stated = self._stated
        bad = self._bad(rows)
        for number in range(1, LATER + 1):
            of_number = rows[:, NUMBER] == number if number < LATER else rows[:, NUMBER] >= number
            name = f"attempts {number}" if number < LATER else f"attempts {number} and later"
            known = (number == 1 and (stated.alone or not stated.turns)) or not self._hangs_together
            if known:
                for share in np.unique(bad[of_number]).tolist():
                    what = f"{name} in an outage" if share else name
                    self._count(evidence, what, rows[of_number & (bad == share)], self._of_first(share))
            else:
                unfailed = rows[of_number & (rows[:, OUTCOME] != CODES[FAIL])]
                self._count(evidence, f"{name} that do not fail", unfailed, self._of_others())

    @staticmethod
    def _count(evidence: Evidence, what: str, rows: Rows, shares: Floats) -> None:
        hits = np.bincount(rows[:, OUTCOME], minlength=len(CODES))
        for outcome, code in CODES.items():
            if shares[code] > 0.0 or hits[code]:
                evidence.count((OUTCOMES, f"'{outcome}' among {what}"), int(hits[code]), len(rows), float(shares[code]))

    def hold_apart(self, evidence: Evidence, rows: Rows) -> None:
        """Hold the outcomes of one request against those of the next, and of one replication against the next."""
        stated = self._stated
        first = rows[(rows[:, NUMBER] == 1) & (self._bad(rows) == 0.0)]
        if stated.alone or not stated.turns:
            name = WEATHER if stated.turns else APART
            alike = float(np.square(self._of_first(0.0)).sum())
            for start in (0, 1):
                one, other = first[start:-1:2], first[start + 1 :: 2]
                same = int(np.count_nonzero(one[: len(other), OUTCOME] == other[:, OUTCOME]))
                evidence.count((name, "first attempts that go as that of the request before"), same, len(other), alike)
        if not stated.alone:
            self._hold_replications(evidence, rows[self._bad(rows) == 0.0])

    def _hold_replications(self, evidence: Evidence, rows: Rows) -> None:
        shares = self._of_first(0.0)
        if self._hangs_together:
            rows, shares = rows[rows[:, OUTCOME] != CODES[FAIL]], self._of_others()
        alike = float(np.square(shares).sum())
        parts = [rows[rows[:, WORLD] == world] for world in np.unique(rows[:, WORLD])]
        for here, there in pairwise(parts):
            one, other = (part[:, REQUEST] * (1 << 32) + part[:, NUMBER] for part in (here, there))
            _, at, behind = np.intersect1d(one, other, assume_unique=True, return_indices=True)
            same = int(np.count_nonzero(here[at, OUTCOME] == there[behind, OUTCOME]))
            what = "attempts that go as in the replication before"
            evidence.count((DIFFER, what), same, len(at), alike)


outcomes_as_stated = overall(
    OUTCOMES, "platform", "Attempts have their outcomes as often as the scenario says.", Attempts
)
latencies_as_stated = overall(
    latencies.LATENCIES,
    "platform",
    "Latencies, gaps between submissions and times to wait follow their laws.",
    Attempts,
)
streams_apart = overall(
    APART, "platform", "What befalls one attempt or request says nothing of what befalls another.", Attempts
)
weather_apart = overall(
    WEATHER, "platform", "Requests that are alone in their worlds meet the weather at phases of their own.", Attempts
)
replications_differ = overall(DIFFER, "platform", "One replication says nothing of the next.", Attempts)
