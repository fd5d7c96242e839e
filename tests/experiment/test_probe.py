"""The probe of the platform: what its worlds reach, and that check and explore run it."""

from collections.abc import Iterator
from typing import Any

import pytest

from sim.api.check import check
from sim.contracts.catalogue import INVARIANTS, PROBED
from sim.contracts.platform.probe import PROBED as NOTE
from sim.engine.world import World
from sim.experiment.probe import STOPS, WORLDS, probe
from sim.explorer.explore import explore
from sim.history.deployment_events import CommitRefused, Noted, RowsCollected, ServerDied, SystemErrorStruck
from sim.history.events import EffectMade
from sim.history.recorder import Recorder
from sim.kernel.errors import InternalError
from sim.retriers.probe import Probe
from sim.scenario.load import from_dict

SCENARIO = {"retrier": "none", "requests": {"count": 2}, "action": {"latency": {"constant": "1ms"}}}


def history(name: str, seed: int = 1) -> list[Any]:
    recorder = Recorder()
    cell = from_dict({"world": "shared", "retrier": "helpers", "seed": seed, **WORLDS[name]})
    World(cell, retrier=Probe(), recorder=recorder).shared()
    return recorder.history().events


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    """Forget what the probe has found: these tests break the platform, or look at one that is whole."""
    probe.cache_clear()
    yield
    probe.cache_clear()


@pytest.mark.parametrize("seed", range(8))
def test_the_platform_as_it_is_keeps_what_it_owes(seed: int) -> None:
    assert probe(seed).violations == ()


def test_the_same_seed_probes_the_same() -> None:
    assert probe(5) == probe(5)
    assert probe(5).events != probe(6).events


def test_all_words_of_the_probe_are_asked() -> None:
    words: set[str] = set()
    for event in history("transactions"):
        if isinstance(event, Noted) and event.what == NOTE:
            words.update(asked[0] for asked, _ in event.detail)
    assert words == {"get", "query", "job", "insert", "patch", "replace", "delete", "cancel", "sub", "seen"}


def test_its_transactions_meet_in_all_that_they_read() -> None:
    refused = [event for event in history("transactions") if isinstance(event, CommitRefused)]
    assert len(refused) > 30
    assert {event.function for event in refused} >= {"step", "look"}


def test_everything_strikes_in_the_world_of_faults() -> None:
    events = history("faults")
    kinds = {type(event) for event in events}
    assert {ServerDied, RowsCollected, SystemErrorStruck, CommitRefused} <= kinds
    assert {event.effect for event in events if isinstance(event, EffectMade)} >= {"applied", "suppressed"}


def test_check_runs_the_probe_if_it_checks_all_that_the_platform_owes() -> None:
    scenario = from_dict(SCENARIO)
    checked = check(scenario).probed
    assert checked is not None
    assert (checked.holds, checked.requests) == (True, 34)
    assert check(scenario, invariants=INVARIANTS[:3]).probed is None


def test_explore_runs_the_probe_too() -> None:
    found = explore(from_dict({**SCENARIO, "explore": {"requests": 1, "attempts": 1}}))
    assert found.probed is not None
    assert found.probed.holds


def test_what_the_probe_finds_breaks_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.convex.store.Store.overlaps", lambda _store, _transaction: False)
    checked = check(from_dict(SCENARIO))
    assert (checked.holds, checked.cells[0].holds) == (False, True)
    assert checked.probed is not None
    assert "serializable" in checked.probed.broken


def test_a_platform_that_contradicts_itself_is_reported_with_the_history_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def contradict(*_: Any, **__: Any) -> bool:
        raise InternalError("no")

    monkeypatch.setattr("sim.convex.store.Store.overlaps", contradict)
    found = probe(1)
    assert STOPS in found.broken
    assert any("the simulation cannot go on: no" in violation.text for violation in found.violations)


def test_what_it_is_checked_against_is_owed_by_the_platform_or_about_its_instants() -> None:
    retrier = [one.name for one in PROBED if one.owed_by == "retrier"]
    assert retrier == ["draws-are-fresh", "settles-at-its-commit", "result-never-changes"]
