"""The bug zoo: bugs planted in retriers and in the platform, each to be caught by the invariant that is meant for it.

A bug is a change in the source text of the real code: `mutated` makes a changed class, `planted` puts a changed method
in place for a while. A hunt counts the generated examples until the invariant is broken. The report of all hunts is
`golden/report.txt`: that is what `simulate` and property tests see. `golden/means.txt` says of other bugs whether
`--check`, the probe that it runs, or `explore` catches them. RETRYSIM_UPDATE_GOLDEN=1 (without parallel workers) writes
both anew; read the diff.
"""

import __future__

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from sim.contracts.catalogue import INVARIANTS, check_view
from sim.convex.jobs import IllegalStep
from sim.engine.world import World
from sim.experiment.probe import probe
from sim.history.recorder import History, Recorder
from sim.promises.invariant import Invariant
from sim.retriers.base import Retrier
from sim.scenario.load import from_dict
from sim.scenario.schema import Scenario
from sim.testing.histories import simulated
from sim.testing.sightings import Sightings

REPORT = Path(__file__).parent / "golden" / "report.txt"
MEANS = REPORT.with_name("means.txt")
"""Which means catches the bugs of `test_means.py`."""
NAMES = 62
"""Of the names of bugs in the reports."""
SEEDS = (1, 2, 3, 4, 5)
MOST = 200
"""Examples within which a bug must be caught."""
LOOKS = 120
"""Examples in which something must be seen."""
CONTROLS = 25
"""Examples in which the original must not be caught."""

Change = tuple[str, str]
"""The text in the source, and the text that makes it a bug."""
Kind = type[Retrier]


def changed(source: str, changes: tuple[Change, ...], where: str) -> str:
    """Return the source with each change made; the text that a change looks for must stand there once."""
    for old, new in changes:
        count = source.count(old)
        if count != 1:
            raise moved(f"{where} has this text {count} times, not once", old)
        source = source.replace(old, new)
    return source


def moved(what: str, text: str) -> LookupError:
    """Make the error of a bug whose source text a refactoring has moved or reworded."""
    longest = max(text.splitlines(), key=len).strip()
    return LookupError(
        f"{what}: {text!r}. A refactoring moved or reworded the source that this planted bug changes; "
        f"`git log -S{shlex.quote(longest)} -- sim` names its commit. Give the bug's row its new place."
    )


def compiled(source: str, module: str, name: str, **others: Any) -> Any:
    """Run the source of one class or function in its own module's names, and return what it defines."""
    names = {**vars(sys.modules[module]), **others}
    code = compile(dedent(source), f"<broken {name}>", "exec", flags=__future__.annotations.compiler_flag)
    exec(code, names)  # noqa: S102  # the source is ours
    return names[name]


def mutated(original: type, *changes: Change, **others: Any) -> type:
    """Return a class that differs from the original by some text; `others` take the place of names that it uses."""
    source = changed(getsource(original), changes, original.__name__)
    made: type = compiled(source, original.__module__, original.__name__, **others)
    return made


@contextmanager
def planted(*places: tuple[Any, str, Change]) -> Iterator[None]:
    """Change functions, each (class or module, name, change), until the end of the block."""
    with ExitStack() as stack:
        # What the platform's probe has found in this process is not true of a broken platform, nor the reverse.
        probe.cache_clear()
        stack.callback(probe.cache_clear)
        for owner, name, change in places:
            where = f"{owner.__name__}.{name}"
            original = vars(owner).get(name)
            if original is None:
                raise moved(f"{where} is gone, which had this text", change[0])
            function = compiled(changed(getsource(original), (change,), where), original.__module__, name)
            setattr(owner, name, function)
            stack.callback(setattr, owner, name, original)
        yield


def maker(scenario: Scenario, retrier: Kind | None) -> Callable[[], Retrier] | None:
    """Return a function that makes retriers of this class, with the options of the scenario if they fit."""
    if retrier is None:
        return None
    options = scenario.retrier.options
    return lambda: retrier(options if isinstance(options, retrier.Options) else None)


def history_alone(scenario: Scenario, retrier: Kind | None) -> Callable[[int], History]:
    """Return a function that gives the history of a request in an isolated world."""
    lonely = from_dict({**scenario.written, "world": "isolated"})

    def alone(number: int) -> History:
        recorder = Recorder()
        make = maker(scenario, retrier)
        World(lonely, retrier=None if make is None else make(), recorder=recorder).isolated([number])
        return recorder.history()

    return alone


def breaks(scenario: Scenario, invariants: Sequence[Invariant], retrier: Kind | None) -> bool:
    """Whether one of these invariants is broken in a scenario."""
    for one in simulated(scenario, maker(scenario, retrier)):
        if any(invariant.name == "no-leak" for invariant in invariants):
            one.view.terms = replace(one.view.terms, alone=history_alone(scenario, retrier))
        if check_view(one.view, invariants):
            return True
    return False


class Caught(Exception):
    """The invariant is broken."""


def examples_needed(
    worlds: st.SearchStrategy[Scenario], invariants: Sequence[Invariant], retrier: Kind | None, number: int, most: int
) -> int | None:
    """Return how many examples it takes until one breaks an invariant, None if none does."""
    looked_at: list[bool] = []

    @seed(number)
    @settings(
        max_examples=most,
        phases=[Phase.generate],
        database=None,
        derandomize=False,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds)
    def look(scenario: Scenario) -> None:
        # Hypothesis replays the example that is caught once, which does not count.
        if True not in looked_at:
            looked_at.append(False)
        try:
            caught = breaks(scenario, invariants, retrier)
        except (KeyError, TypeError, IllegalStep):
            return  # a bug can make the simulation fail instead of misbehave; that is no catch of the invariant
        if caught:
            looked_at[-1] = True
            raise Caught

    try:
        look()
    except Caught:
        return len(looked_at)
    return None


def invariant_named(name: str) -> Invariant:
    return next(invariant for invariant in INVARIANTS if invariant.name == name)


class Zoo:
    """Hunts bugs, and compares each hunt with its row in the report."""

    mutated = staticmethod(mutated)
    planted = staticmethod(planted)

    def hunt(self, name: str, worlds: st.SearchStrategy[Scenario], meant: str, broken: Kind | None = None) -> None:
        """Catch a bug with each of the seeds, within the allowed examples; the report must list it with this invariant.

        The number of examples is only reported, since another version of Hypothesis draws others.
        """
        invariants = [invariant_named(meant)]
        needed = [examples_needed(worlds, invariants, broken, number, MOST) for number in SEEDS]
        title = f"{name:<{NAMES}} {meant:<26} "
        row = title + " ".join(f"{'-' if n is None else n:>4}" for n in needed)
        if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
            self._write(name, row)
        assert None not in needed, row
        assert self.rows().get(name, "").startswith(title), "RETRYSIM_UPDATE_GOLDEN=1 writes the report anew"

    def report(self, name: str, meant: str, needed: int | None) -> None:
        """Take the size of the run that catches a bug; the report must list it with this invariant."""
        title = f"{name:<{NAMES}} {meant:<26} "
        row = title + ("-" if needed is None else f"a run of {needed:,} requests")
        if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
            self._write(name, row)
        assert needed is not None, row
        assert self.rows().get(name, "").startswith(title), "RETRYSIM_UPDATE_GOLDEN=1 writes the report anew"

    def spares(self, worlds: st.SearchStrategy[Scenario], meant: Iterable[str], original: Kind | None = None) -> None:
        """Check that the original breaks none of these invariants in the same worlds."""
        invariants = [invariant_named(name) for name in meant]
        assert examples_needed(worlds, invariants, original, 0, CONTROLS) is None

    @staticmethod
    def unseen(worlds: st.SearchStrategy[Scenario], retrier: Kind) -> set[str]:
        """Return the ends of its laws that the waits of a retrier never come near in these worlds."""
        sightings = Sightings()

        @settings(max_examples=LOOKS, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(worlds)
        def look(scenario: Scenario) -> None:
            sightings.look(scenario, maker(scenario, retrier))

        look()
        return set(sightings.unseen)

    def is_all_of(self, names: Iterable[str], *families: str) -> None:
        """Check that the report has exactly these bugs of these families."""
        assert sorted(names) == sorted(name for name in self.rows() if name.partition(":")[0] in families)

    @staticmethod
    def rows() -> dict[str, str]:
        """Return the rows of the report by the names of their bugs."""
        lines = REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []
        return {line[:NAMES].rstrip(): line for line in lines[2:]}

    def meant(self) -> set[str]:
        """Return the invariants that catch a bug in the report."""
        return {row[NAMES:].split()[0] for row in self.rows().values()}

    @staticmethod
    def means() -> dict[str, str]:
        """Return the rows of the report on which means catches which bug, by the names of their bugs."""
        lines = MEANS.read_text(encoding="utf-8").splitlines() if MEANS.exists() else []
        return {line[:NAMES].rstrip(): line[NAMES:] for line in lines[2:]}

    def _write(self, name: str, row: str) -> None:
        rows = {**self.rows(), name: row}
        head = f"{'planted bug':<{NAMES}} {'invariant':<26} examples needed, seeds 1 to 5"
        REPORT.write_text(
            "\n".join([head, "-" * len(head), *(rows[key] for key in sorted(rows)), ""]), encoding="utf-8"
        )


@pytest.fixture(scope="session")
def zoo() -> Zoo:
    """Return the zoo."""
    return Zoo()
