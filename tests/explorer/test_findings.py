"""What the search finds by itself about the ports: each finding is minimal, and gone if the fault is mended."""

from functools import cache
from pathlib import Path

import pytest

from sim.contracts.catalogue import PLATFORM
from sim.explorer.explore import Explored, explore
from sim.scenario.cells import cells
from sim.scenario.load import load, parse
from sim.scenario.parts.invariants import invariants_named
from sim.scenario.schema import Scenario

PROVED = Path(__file__).parents[2] / "scenarios" / "findings" / "proved"

FOUND: dict[tuple[str, str], dict[str, tuple[int, int]]] = {
    ("callback-contention", "callback-contention"): {"no-retry-after-success": (0, 73)},
    ("callback-lost", "callback-lost"): {"callback-once": (0, 4)},
    ("crash-after-effect", "article"): {"effect-once": (1, 15)},
    ("crash-after-effect", "helpers"): {"effect-once": (1, 11)},
    ("crash-after-effect", "component"): {"effect-once": (1, 6)},
    ("crash-after-effect", "repaired"): {"effect-once": (1, 7)},
    ("poll-canceled", "article"): {"settles": (1, 5)},
    ("poll-canceled", "helpers"): {"settles": (1, 3)},
    ("poll-fails", "article"): {"settles": (0, 27)},
    ("poll-fails", "helpers"): {"settles": (0, 21)},
    ("second-crash", "as shipped"): {"settles": (2, 4), "callback-comes": (2, 4)},
    ("second-crash", "repaired"): {},
    ("stale-attempt", "as shipped"): {"newest-attempt-decides": (1, 8)},
    ("stale-attempt", "repaired"): {},
}
"""By scenario and cell: what is broken, by a course with how many answers that differ, and how many steps."""


@cache
def searched(name: str) -> dict[str, Explored]:
    """Search the cells of a scenario, each within its bounds and for what it checks; return what is found, by cell."""
    return {cell.name: searched_cell(cell.scenario) for cell in cells(load(PROVED / f"{name}.yaml"))}


def searched_cell(scenario: Scenario) -> Explored:
    return explore(scenario, scenario.explore, invariants=invariants_named(scenario.check))


@pytest.mark.parametrize("name", sorted({name for name, _ in FOUND}))
def test_a_search_finds_what_is_proved_by_a_course_of_its_size(name: str) -> None:
    sizes = {
        (name, cell): {broken: one.size[:2] for broken, one in found.broken.items()}
        for cell, found in searched(name).items()
    }
    assert sizes == {cell: expected for cell, expected in FOUND.items() if cell[0] == name}


def test_every_proved_finding_is_held_against_what_is_found() -> None:
    assert {path.stem for path in PROVED.glob("*.yaml")} == {name for name, _ in FOUND}


@pytest.mark.parametrize("name", sorted({name for name, _ in FOUND}))
def test_nothing_within_its_bounds_is_left_out(name: str) -> None:
    assert [cell for cell, found in searched(name).items() if not found.complete] == []


# A death of the server at every commit and around every effect, for every port.

EVERYTHING = (
    "{fail: 0.1, ack_lost: 0.1, crash_before_effect: 0.1, crash_after_effect: 0.1, lost_contact: 0.1, hang: 0.1}"
)
AT_ONCE = "{action_time_limit: 3s}"
SLOW = "{mutation_latency: {constant: 1ms}, commit_window: {constant: 2ms}, dispatch_latency: {constant: 1ms}}"
WORLDS = {
    "every outcome": f"action: {{latency: {{constant: 1s}}, effect_at: 0.5, outcomes: {EVERYTHING}}}\n"
    f"platform: {AT_ONCE}",
    "slow writes": f"action: {{latency: {{constant: 1s}}}}\nplatform: {SLOW}",
    "canceled": "action: {latency: {constant: 1s}, outcomes: {fail: 0.1}}\ncancel: {share: 1, after: {constant: 1s}}",
    "canceled behind its back": "action: {latency: {constant: 1s}}\n"
    "cancel: {share: 1, after: {constant: 1s}, target: action}",
    "one slot": "world: shared\naction: {latency: {constant: 1s}}\nplatform: {profile: ideal, parallelism: 1}",
    "system errors": "world: shared\naction: {latency: {constant: 1s}}\nplatform: {profile: ideal}\n"
    "faults: [{system_error: {share: 0.1}}]",
}
BOUNDS = {
    "every outcome": "{attempts: 1, crashes: 1}",
    "slow writes": "{attempts: 1, crashes: 1}",
    "canceled": "{attempts: 1, crashes: 1}",
    "canceled behind its back": "{attempts: 1, crashes: 1}",
    "one slot": "{requests: 2, attempts: 1, crashes: 1}",
    "system errors": "{attempts: 1, crashes: 1, steps: 40}",
}


@pytest.mark.parametrize(
    "world", [pytest.param(name, marks=pytest.mark.slow if name == "system errors" else ()) for name in WORLDS]
)
@pytest.mark.parametrize("kind", ["article", "helpers", "component", "component-repaired"])
def test_no_death_anywhere_breaks_what_the_platform_owes(kind: str, world: str) -> None:
    text = f"retrier: {{kind: {kind}, max_failures: 1}}\nexplore: {BOUNDS[world]}\n{WORLDS[world]}\n"
    scenario = parse(text)
    found = explore(scenario, scenario.explore, invariants=PLATFORM, states_at_most=3000)
    assert {name: broken.violation.text for name, broken in found.broken.items()} == {}
    assert found.bounds_hit.get("crashes", 0) > 0
