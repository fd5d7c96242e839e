"""Gathers how attempts go, and holds that against the shares and laws of the scenario.

An attempt counts by what it has in store as it starts, so that nothing that befalls it later chooses it. Whether there
is another attempt was decided before it, so the attempts of each number have their shares exactly. Two things hang
together in time: weather, and requests that fail for good. Where a scenario has one, only first attempts meet it with a
share that is known; of the others, those that do not fail are told apart by what they do instead.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.chance import latencies
from sim.chance.evidence import Evidence, Trial
from sim.chance.latencies import APART, AT, CODES, DIFFER, NUMBER, OUTCOME, OUTCOMES, REQUEST, WORLD
from sim.chance.overall import overall
from sim.history.vocabulary import AT_SERVICE, FAIL, OWN, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.chance.stated import Stated, Way
    from sim.history.entities import Attempt
    from sim.promises.promises import Promises
    from sim.promises.view import View

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
"""Attempts, shape (attempts, columns)."""

LATER: Final = 4
"""Attempts with this number and all later ones are tested together."""
WEATHER: Final = "weather-apart"


class Attempts:
    """Attempts, what their errors say, and when requests come."""

    def __init__(self, stated: Stated) -> None:
        self._stated = stated
        self._rows: list[tuple[int, int, int, int, int, int]] = []
        self._errors: list[latencies.Said] = []
        self._gaps_ns: list[int] = []
        self._worlds = 0
        ways = (*stated.outcomes, *(way for source in stated.weather for way in source.ways))
        self._told = any(way.is_told for way in ways)
        """Whether errors say anything that is left to chance."""
        self._services = {name: Attempts(work) for name, work in stated.services}
        """The work of each service: a call counts by what its service has in store for it as the work begins."""

    def look(self, view: View) -> None:
        """Take the attempts of a history, and the work on calls."""
        for name, service in self._services.items():
            service.look_at_work(view, name)
        here, stated, codes = self._worlds, self._stated, CODES
        self._worlds += 1
        for request in view.requests.values():
            if view.terms_of(request).own_action:
                continue
            number, no_law = request.number, view.terms_of(request).promises.takes_no_time
            self._rows += [
                (here, number, one.number, codes[one.start.outcome], -1 if no_law else one.latency_ns, one.start.t_ns)
                for one in request.attempts
                if one.start.outcome != AT_SERVICE and self._is_left_to_chance(one)
            ]
            if self._told:
                self._take_errors(request.attempts)
        if stated.mean_gap_ns is not None and view.terms.drained:
            asked = (request for request in view.requests.values() if request.number >= 0)
            submitted = sorted(request.submitted_ns for request in asked)
            self._gaps_ns += [later - sooner for sooner, later in pairwise([0, *submitted])]

    def _is_left_to_chance(self, attempt: Attempt) -> bool:
        """Tell whether its shares decide how an attempt goes, and not what its receiver knows of its key.

        A receiver that knows the first answer lets some outcomes pass: of these attempts only the first have shares.
        """
        return not attempt.by_key and (attempt.number == 1 or not self._stated.repeats_answers)

    def look_at_work(self, view: View, service: str) -> None:
        """Take the work that a service begins in a history."""
        here = self._worlds
        self._worlds += 1
        first: set[int] = set()
        for call in sorted(view.calls.values(), key=lambda one: one.work_at):
            work = call.work
            if work is None or work.outcome == OWN or call.service != service:
                continue
            if self._stated.repeats_answers:
                # Of what the key may decide, only the work that begins first is left to chance.
                if call.request.number in first:
                    continue
                first.add(call.request.number)
            code = CODES[work.outcome]
            self._rows.append((here, call.request.number, call.sent.number, code, work.latency_ns, work.t_ns))
            says = None if call.attempt is None else call.attempt.failure
            if self._told and says is not None and work.outcome == FAIL:
                self._errors.append((says.final, says.retry_after_ns, says.kind, work.t_ns))

    def _take_errors(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            says = attempt.failure
            if says is not None and attempt.outcome == FAIL and self._is_left_to_chance(attempt):
                self._errors.append((says.final, says.retry_after_ns, says.kind, attempt.start.t_ns))

    def state(self) -> Any:
        """Return all that was gathered; see `Gatherer`."""
        services = {name: service.state() for name, service in self._services.items()}
        return [self._worlds, self._rows, self._errors, self._gaps_ns, services]

    def add(self, state: Any, promises: Promises) -> None:
        """Take what was gathered from the histories behind these; see `Gatherer`."""
        worlds, rows, errors, gaps_ns, services = state
        before = self._worlds
        self._rows += [(before + world, *rest) for world, *rest in rows]
        self._errors += [(final, wait_ns, kind, at_ns) for final, wait_ns, kind, at_ns in errors]
        self._gaps_ns += gaps_ns
        self._worlds += worlds
        for name, service in self._services.items():
            service.add(services[name], promises)

    def close(self, evidence: Evidence) -> None:
        """Hold all attempts, and the work on calls, against what the scenario states."""
        for name, service in self._services.items():
            found = Evidence()
            service.close(found)
            evidence.add(found.named(f" at {name}"))
        if not self._rows:
            latencies.hold_gaps(evidence, self._stated, self._gaps_ns)
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
        latencies.hold(evidence, stated, rows, live)
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
        self._good = (False,) * len(stated.outages_ns)

    def _of_first(self, down: Sequence[bool]) -> Floats:
        """Return the share of each outcome among first attempts, while these outages are down."""
        return _by_outcome(self._stated.ways(down))

    def _of_others(self, down: Sequence[bool]) -> Floats | None:
        """Return the share of each outcome among attempts that do not fail; None if it is not known.

        What comes in turns takes an unknown share of the attempts. If it only lets them fail, and nothing else that is
        down does more, the others share the rest as in good weather.
        """
        stated = self._stated
        outages = iter(down)
        at_work = [source for source in stated.weather if source.outage_ns is None or next(outages)]
        if stated.turns and not all(source.only_fails for source in at_work):
            return None
        shares = _by_outcome(stated.ways(down, anywhere=False))
        shares[CODES[FAIL]] = 0.0
        total = shares.sum()
        return shares / total if total else shares

    @property
    def _hangs_together(self) -> bool:
        return bool(self._stated.turns or self._stated.permanent)

    def hold(self, evidence: Evidence, rows: Rows) -> None:
        """Hold the outcomes of attempts against their shares, number by number."""
        stated = self._stated
        for down, in_it in latencies.by_outages(stated, rows[:, AT]):
            for number in range(1, LATER + 1):
                of_number = in_it & (rows[:, NUMBER] == number if number < LATER else rows[:, NUMBER] >= number)
                name = f"attempts {number}" if number < LATER else f"attempts {number} and later"
                if latencies.is_known(stated, number):
                    what = f"{name} in an outage" if any(down) else name
                    self._count(evidence, what, rows[of_number], self._of_first(down))
                elif (shares := self._of_others(down)) is not None:
                    unfailed = rows[of_number & (rows[:, OUTCOME] != CODES[FAIL])]
                    self._count(evidence, f"{name} that do not fail", unfailed, shares)

    @staticmethod
    def _count(evidence: Evidence, what: str, rows: Rows, shares: Floats) -> None:
        hits = np.bincount(rows[:, OUTCOME], minlength=len(CODES))
        for outcome, code in CODES.items():
            if shares[code] > 0.0 or hits[code]:
                evidence.count((OUTCOMES, f"'{outcome}' among {what}"), int(hits[code]), len(rows), float(shares[code]))

    def hold_apart(self, evidence: Evidence, rows: Rows) -> None:
        """Hold the outcomes of one request against those of the next, and of one replication against the next."""
        stated = self._stated
        good = rows[latencies.is_good(stated, rows[:, AT])]
        first = good[good[:, NUMBER] == 1]
        if stated.alone or not stated.turns:
            name = WEATHER if stated.turns else APART
            alike = float(np.square(self._of_first(self._good)).sum())
            for start in (0, 1):
                one, other = first[start:-1:2], first[start + 1 :: 2]
                same = int(np.count_nonzero(one[: len(other), OUTCOME] == other[:, OUTCOME]))
                evidence.count((name, "first attempts that go as that of the request before"), same, len(other), alike)
        if not stated.alone:
            self._hold_replications(evidence, good)

    def _hold_replications(self, evidence: Evidence, rows: Rows) -> None:
        shares = self._of_first(self._good)
        if self._hangs_together:
            others = self._of_others(self._good)
            if others is None:
                return
            rows, shares = rows[rows[:, OUTCOME] != CODES[FAIL]], others
        alike = float(np.square(shares).sum())
        parts = [rows[rows[:, WORLD] == world] for world in np.unique(rows[:, WORLD])]
        for here, there in pairwise(parts):
            one, other = (part[:, REQUEST] * (1 << 32) + part[:, NUMBER] for part in (here, there))
            _, at, behind = np.intersect1d(one, other, assume_unique=True, return_indices=True)
            same = int(np.count_nonzero(here[at, OUTCOME] == there[behind, OUTCOME]))
            what = "attempts that go as in the replication before"
            evidence.count((DIFFER, what), same, len(at), alike)


def _by_outcome(ways: Sequence[tuple[float, Way]]) -> Floats:
    shares = np.zeros(len(CODES))
    for share, way in ways:
        shares[CODES[way.outcome]] += share
    return np.clip(shares, 0.0, 1.0)


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
