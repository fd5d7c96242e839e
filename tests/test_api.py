"""The public names: there, where they say, and cheap to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import sim

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "scipy", "matplotlib", "simpy", "pydantic", "yaml", "rich", "click")

PROMISED = {
    *("Scenario", "ScenarioError", "load", "run", "check", "compare", "tune", "explore", "replay", "open_results"),
    *("Result", "Requests", "History", "Outcome", "LoopRetrier", "ScheduledRetrier", "Promises", "Call", "CallFailed"),
    *("ClientContext", "Function", "MutationContext", "mutation", "action", "InternalError"),
}
"""All of them; a new one has to earn its place."""

ROOMS = {
    "clients": {"CallTimedOut"},
    "contracts": {"Invariant", "View", "Violation", "breach", "invariant"},
    "convex": {"ActionFailed", "ConflictsExhausted", "FunctionError"},
    "explorer": {"Bounds", "CourseMisfit", "Explored", "Played", "play"},
    "guests": {"GuestRefused", "GuestRetrier", "guest_of", "transports"},
    "history": {"Cause", "Event"},
    "options": {"DurationNs", "Options"},
    "retriers": {"Fields"},
    "scenario": {"from_dict", "parse"},
}
"""Names that stand in a room of their own, for those who need them."""


def imported_by(statement: str) -> list[str]:
    """Which of the heavy packages a fresh interpreter has imported after a statement."""
    program = f"import sys; {statement}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_importing_sim_imports_nothing_heavy() -> None:
    assert imported_by("import sim") == []


def test_importing_the_command_line_imports_no_numbers() -> None:
    assert imported_by("import sim.cli.main") == ["click"]


def test_listing_the_names_imports_nothing_heavy() -> None:
    assert imported_by("import sim; dir(sim); sim.__all__") == []


def test_every_public_name_is_there() -> None:
    missing = [name for name in sim.__all__ if getattr(sim, name, None) is None]
    assert missing == []


def test_the_promised_names_are_the_public_ones() -> None:
    assert set(sim.__all__) == PROMISED


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_the_names_that_are_too_special_for_the_top(room: str) -> None:
    assert ROOMS[room] <= set(getattr(sim, room).__all__)


@pytest.mark.parametrize("name", [*sorted(PROMISED), *ROOMS])
def test_the_package_says_what_each_name_is_for(name: str) -> None:
    assert f"`{name}`" in (sim.__doc__ or "") or f"`sim.{name}`" in (sim.__doc__ or "")


def test_public_names_are_in_order_and_told_once() -> None:
    assert list(sim.__all__) == sorted(set(sim.__all__))


def test_dir_lists_the_public_names() -> None:
    assert set(sim.__all__) <= set(dir(sim))


def test_a_public_name_is_that_of_its_home() -> None:
    wrong = [name for name in sim.__all__ if getattr(sim, name).__name__ != name]
    assert wrong == []


def test_every_public_name_says_what_it_is() -> None:
    silent = [name for name in sim.__all__ if not getattr(sim, name).__doc__]
    assert silent == []


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="simulate"):
        _ = sim.simulate


def test_from_sim_import_star_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from sim import *", names)  # noqa: S102  # the only way to import a star here
    assert set(sim.__all__) == names.keys() - {"__builtins__"}


def test_a_run_in_three_lines() -> None:
    scenario = sim.scenario.parse("{retrier: helpers, requests: {count: 50}, action: {outcomes: {fail: 0.5}}}")
    result = sim.run(scenario)
    history = sim.replay(scenario, 0)
    assert len(result.requests()) == 50
    assert isinstance(history, sim.History)
    assert next(iter(history)).kind == "submit"
