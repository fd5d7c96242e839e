"""Compares a replay with a recording, line by line."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

TRACES = Path(__file__).parent / "traces"
OVER = frozenset({"success", "failed", "canceled"})
ACTIONS = frozenset({"action", "execute"})
CLOSE_MS = 0.001

Line = tuple[str | float | bool | None, ...]
"""What happened and when; every float is a time in ms or a drawn number."""


def names() -> list[str]:
    """Name all recordings."""
    return sorted(path.stem for path in TRACES.glob("*.json"))


@cache
def recording(name: str) -> Any:
    """Read a recording."""
    return json.loads((TRACES / f"{name}.json").read_text())


def story(events: list[dict[str, Any]]) -> Iterator[Line]:  # noqa: C901  # one case a kind of event
    """Put a recording or a replay into lines, without what was undone and what only the test double does."""
    for event in events:
        if event.get("rolled_back"):
            continue
        at_ms = float(event["t"])
        match event["ev"]:
            case "insert":
                yield at_ms, "schedules", str(event["job"]), event["fn"], float(event["at"])
            case "state" if event["from"] not in OVER and (event["to"] in OVER or event["fn"] in ACTIONS):
                yield at_ms, "job", str(event["job"]), event["fn"], event["to"]
            case "action_start":
                yield at_ms, "attempt", str(event["attempt"]), "starts"
            case "action_end":
                yield at_ms, "attempt", str(event["attempt"]), "ends", event["outcome"]
            case "random":
                yield at_ms, "draws", float(event["value"])
            case "run":
                yield at_ms, "run", *run(event)
            case "on_complete":
                yield at_ms, "onComplete", event["result"]["type"]
            case "cancel_return" if event.get("value") is not None:
                yield at_ms, "cancel answers", event["value"]


def run(written: Mapping[str, Any]) -> Line:
    """Put the document of a run into a line."""
    state = written["state"]
    moment = float(state.get("startTime", state.get("completedAt", -1)))
    result = state.get("result", {}).get("type")
    return str(written["numFailures"]), state["type"], moment, str(state.get("job")), result


def last_states(events: list[dict[str, Any]]) -> dict[str, str]:
    """Return the last state of every job that exists in the end."""
    states = {}
    for line in story(events):
        if line[1] == "schedules":
            states[str(line[2])] = "pending"
        elif line[1] == "job":
            states[str(line[2])] = str(line[4])
    return states


def outlook(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the case ended."""
    final = told["final"]
    end = {"attempts": final["attempts"], "draws": final["draws"], "jobs": last_states(told["events"])}
    if final.get("run") is not None:
        status = final["status"]
        end["run"] = [*run(final["run"])[:2], status["type"], status.get("result", {}).get("type")]
    return end


def is_close(one: Line, other: Line) -> bool:
    """Tell whether two lines are equal, times within a thousandth of a millisecond."""
    return len(one) == len(other) and all(
        abs(a - b) <= CLOSE_MS + 1e-9 * abs(a) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in zip(one, other, strict=True)
    )


def differences(recorded: Mapping[str, Any], replayed: Mapping[str, Any]) -> list[str]:
    """Describe the first line that differs and the differences at the end; return nothing if a replay meets it all."""
    found = []
    is_cut = recorded["final"].get("truncated", False)
    told, retold = list(story(recorded["events"])), list(story(replayed["events"]))
    for number, (one, other) in enumerate(zip_longest(told, retold[: len(told)] if is_cut else retold)):
        if one is None or other is None or not is_close(one, other):
            found.append(f"line {number}: recorded {one}, replayed {other}")
            break
    if not is_cut and outlook(recorded) != outlook(replayed):
        found.append(f"at the end: recorded {outlook(recorded)}, replayed {outlook(replayed)}")
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `name` once for each recording."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names())


@pytest.fixture(name="recording")
def recording_of() -> Callable[[str], Any]:
    """Return the function that reads a recording."""
    return recording


@pytest.fixture(name="differences")
def differences_between() -> Callable[..., list[str]]:
    """Return the function that compares a recording with a replay."""
    return differences


@pytest.fixture
def first_difference() -> Callable[..., str | None]:
    """Return a function that finds the first recording of a retrier that its replay does not meet."""

    def search(replay: Callable[[Any], Any], retrier: str) -> str | None:
        for name in names():
            recorded = recording(name)
            if recorded["case"]["retrier"] == retrier and differences(recorded, replay(recorded["case"])):
                return name
        return None

    return search
