"""Services as they are played, in generated worlds, keep what they owe."""

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from serving import maker, served_worlds

from sim.contracts.catalogue import PLATFORM, check_view
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.recorder import History, Recorder
from sim.promises.view import View
from sim.scenario.schema import Scenario
from sim.testing.histories import simulated


@settings(max_examples=12, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(served_worlds(count=15))
def test_services_keep_what_they_owe_in_any_world(scenario: Scenario) -> None:
    for one in simulated(scenario, maker(scenario)):
        assert check_view(one.view, PLATFORM) == []


@settings(max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(served_worlds(count=6))
def test_what_must_hold_always_holds_wherever_a_history_is_cut(scenario: Scenario) -> None:
    always = tuple(one for one in PLATFORM if one.search.__module__.startswith("sim.contracts.services"))
    recorder = Recorder()
    world = World(scenario, retrier=maker(scenario), recorder=recorder)
    world.shared()
    terms = replace(terms_of(world), drained=False, end_ns=None)
    raw = recorder.history()._raw  # noqa: SLF001  # a history is cut here as nothing else does
    for length in range(0, len(raw), 7):
        assert check_view(View(History(raw[:length]), terms), always) == []
