"""The fixture `simulate` of the pytest plugin: it simulates a scenario and checks every history."""

from __future__ import annotations

import copy
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sim.api.check import Broken, Checked, CheckedCell, check
from sim.contracts.catalogue import INVARIANTS
from sim.experiment.plan import refuse_course
from sim.guests.refused import GuestRefused
from sim.options.model import Options
from sim.retriers.base import ClientRetrier, Retrier
from sim.scenario.checks import Surroundings
from sim.scenario.data_files import DataFiles
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario, scenario_of
from sim.testing.failures import broken_lines, probe_lines
from sim.testing.saved import Named, Saved, named, save
from sim.testing.stash import FAILURE_SAYS_ALL

if TYPE_CHECKING:
    from sim.promises.invariant import Invariant
    from sim.results.result import Result

FEW = 100
"""The number of requests if the scenario does not say."""
UNNAMED = "scenario"
"""The name of a scenario that has none."""

Source = Scenario | Mapping[str, Any] | str | Path


class Simulate:
    """The fixture: call it with a scenario."""

    def __init__(self, node: pytest.Item, seed: int | None) -> None:
        config = node.config
        self._node = node
        self._folder = node.path.parent
        self._start = config.invocation_params.dir
        self._directory = config.rootpath / str(config.getini("retrysim_dir"))
        self._roots = [Path(root).resolve() for root in config.getini("pythonpath")]
        self._test = f"{os.path.relpath(node.path, self._start)}::{node.nodeid.partition('::')[2]}"
        self._stem = _slug(getattr(node, "originalname", None) or node.name)
        self._seed = seed
        self._last: _Run | None = None

    def __call__(
        self,
        scenario: Source,
        *,
        retrier: str | type[Retrier] | Retrier | Callable[[Any], Any] | None = None,
        requests: int | None = None,
        invariants: Sequence[Invariant] = INVARIANTS,
    ) -> Result:
        """Simulate a scenario. Fail the test if an invariant is broken, otherwise return the result.

        `scenario` is a path relative to the test's folder (as text it must end in .yaml), the text of a file, its
        values, or a `Scenario`. `retrier` replaces the scenario's own, which may then be missing: a class, an instance,
        a kind, `module:Class`, or a plain function that takes `call`, which is a guest (`sim.guests`). `requests` is
        how many there are; the default is the scenario's own number, or 100. The seed comes from the marker `retrysim`,
        or else from the scenario. The invariants that the scenario names itself are checked too. Its expectations are
        not judged; scenario files as tests do that.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        try:
            run = self._prepared(scenario, retrier, requests)
            self._last = run
            checked = check(run.scenario, invariants=invariants, retrier=run.make)
        except (GuestRefused, ScenarioError) as error:  # its text says where, and the simulation's lines help no one
            raise error.with_traceback(None) from None
        if not checked.holds:
            text = "\n".join(self._failure(run, checked))
            self._last = None
            self._node.stash[FAILURE_SAYS_ALL] = True
            pytest.fail(text, pytrace=False)
        return checked.result

    def line_again(self) -> str | None:
        """Return the command that repeats the last simulation; None if there was none or its failure has printed it."""
        return None if self._last is None else self._command(self._last, "run")

    # The scenario.

    def _prepared(
        self, source: Source, retrier: str | type[Retrier] | Retrier | Callable[[Any], Any] | None, requests: int | None
    ) -> _Run:
        if retrier is None and isinstance(source, Scenario) and source.retrier.trusted:
            options = source.retrier.options.model_dump(mode="json", by_alias=True, exclude_unset=True)
            name: Named | None = Named(source.retrier.kind, options)
        else:
            name = None if retrier is None else named(retrier)
        if retrier is not None and not isinstance(retrier, (str, type, Retrier)):
            from sim.guests.retrier import guest_of

            retrier = guest_of(retrier)
        make = _maker(retrier) if isinstance(retrier, Retrier) or (retrier is not None and name is None) else None
        stated = None if retrier is None else _stand_in(retrier) if name is None else name.kind
        tree, surroundings = self._read(source, stated)
        if name is not None:
            tree["retrier"] = name.tree
            if name.is_code:
                surroundings = replace(surroundings, trusted={**surroundings.trusted, name.kind: name.kind})
        elif retrier is not None:
            tree["retrier"] = stated
        if retrier is not None and _every_cell_sets_retrier(tree):
            raise ValueError("the scenario's sweep or variants set the retrier in every cell")
        if self._seed is not None:
            tree["seed"] = self._seed
        if requests is not None or not _says_how_many(tree):
            tree["requests"] = _with_count(tree.get("requests"), FEW if requests is None else requests)
        if tree.get("name", UNNAMED) == UNNAMED:
            tree["name"] = self._stem
        scenario = scenario_of(tree, surroundings)
        refuse_course(scenario)
        return _Run(
            scenario,
            name if name is not None and name.is_code else None,
            make,
            replays=retrier is None or name is not None,
        )

    def _read(self, source: Source, retrier: str | None) -> tuple[dict[str, Any], Surroundings]:
        """Return the values of a scenario and its surroundings; `retrier` is used if the file has none."""
        if isinstance(source, Mapping):
            return dict(source), Surroundings(DataFiles(self._folder), from_file=True)
        if isinstance(source, Path) or (isinstance(source, str) and re.fullmatch(r"\S+\.ya?ml", source)):
            source = load(self._folder / source, retrier=retrier)
        elif isinstance(source, str):
            source = parse(source, self._folder, retrier=retrier)
        return dict(source.written), source.surroundings

    # The text of a failure.

    def _failure(self, run: _Run, checked: Checked) -> list[str]:
        several = len(checked.cells) > 1
        broken = next((cell for cell in checked.cells if not cell.holds), None)
        if broken is None:
            return [] if checked.probed is None else [*probe_lines(checked.probed)]
        return [
            *([f"cell {broken.cell.name}"] if several else []),
            *broken_lines(broken),
            "",
            "to see it again",
            f"  {self._again(run, broken, several=several)}",
        ]

    def _again(self, run: _Run, cell: CheckedCell, *, several: bool) -> str:
        first: Broken | None = cell.first
        if first is None or first.overall:
            return self._command(run, "run", *(["--check"] if first is not None else []))
        if not first.replays:
            return self._command(run, "run", "--requests", str(first.requests_needed), "--check")
        place = ["--cell", cell.cell.id] if several else []
        return self._command(run, "replay", "--request", str(first.request), *place)

    def _command(self, run: _Run, command: str, *words: str) -> str:
        """Return a command line for the scenario, or if there is none the one that runs the test again."""
        saved: Saved | None = None
        if run.replays:
            saved = save(run.scenario, run.retrier, self._directory, self._stem)
        if saved is None:
            return shlex.join(["pytest", self._test])
        before, names = saved.words(self._start, self._roots)
        return before + shlex.join(["retrysim", command, *names, *words])


@dataclass(frozen=True, slots=True)
class _Run:
    """One simulation of a test."""

    scenario: Scenario
    retrier: Named | None
    """The retrier that the scenario names, if no file can."""
    make: Callable[[], Retrier] | None
    """Makes the retrier, if the scenario does not."""
    replays: bool
    """Whether the command line can make the same retrier."""


def _maker(retrier: str | type[Retrier] | Retrier) -> Callable[[], Retrier]:
    """Return a function that makes retriers like the given one."""
    if isinstance(retrier, type):
        return retrier
    assert isinstance(retrier, Retrier)  # noqa: S101  # a text is a name, which makes its own
    return lambda: copy.deepcopy(retrier)


def _stand_in(retrier: str | type[Retrier] | Retrier) -> str:
    """Return a retrier of the same shape, for the scenario to name instead of one that it cannot name."""
    cls = retrier if isinstance(retrier, type) else type(retrier)
    return "none" if issubclass(cls, ClientRetrier) else "article"


def _every_cell_sets_retrier(tree: Mapping[str, Any]) -> bool:
    variants = (tree.get("variants") or {}).values()
    return "retrier" in (tree.get("sweep") or {}) or bool(
        variants and all("retrier" in (one or {}) for one in variants)
    )


def _says_how_many(tree: Mapping[str, Any]) -> bool:
    requests = tree.get("requests")
    if isinstance(requests, Options):
        return "count" in requests.model_fields_set
    changes = [tree.get("sweep") or {}, *(tree.get("variants") or {}).values()]
    return "count" in (requests or {}) or any(key.startswith("requests") for change in changes for key in change or {})


def _with_count(requests: Any, count: int) -> Any:
    if isinstance(requests, Options):
        return type(requests)(
            **{**{name: getattr(requests, name) for name in requests.model_fields_set}, "count": count}
        )
    return {**(requests or {}), "count": count}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-")[:50] or "test"
