"""Every recording of the real workpool is met, event by event, and the comparison overlooks no change."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from sim.testing.conformance import replay

Recordings = Mapping[str, Any]
Difference = Callable[..., str | None]
Path = tuple[str | int, ...]


def test_a_replay_meets_its_recording(title: str, recordings: Recordings, difference: Difference) -> None:
    recorded = recordings[title]
    assert difference(recorded, replay(recorded["case"])) is None


def test_all_recordings_are_of_the_ported_versions(recordings: Recordings) -> None:
    versions = {"@convex-dev/workpool": "0.4.16", "@convex-dev/batch-worker": "0.3.6"}
    assert [one["name"] for one in recordings.values() if not versions.items() <= one["versions"].items()] == []
    assert len(recordings) == 244


# The comparison itself.


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every place in a value that holds no further places, and what it holds."""
    match value:
        case dict() if value:
            for name, field in value.items():
                yield from leaves(field, (*path, name))
        case list() if value:
            for number, item in enumerate(value):
                yield from leaves(item, (*path, number))
        case _:
            yield path, value


def another(value: Any) -> Any:
    """Return a value of the same kind that differs as little as can matter."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 0.002
        case str():
            return value + "x"
        case list() | dict():
            return [0]
        case _:
            return 0


def put(value: Any, path: Path, changed: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = changed


def places(
    recordings: Recordings, counts: Callable[..., bool], plain: Callable[..., Any]
) -> dict[tuple[str | int, ...], tuple[str, Path, Any]]:
    """Find one example of every kind of place: its recording, where it is there, and what it holds."""
    found: dict[tuple[str | int, ...], tuple[str, Path, Any]] = {}
    for name, recorded in recordings.items():
        events = [
            ((event["ev"],), ("events", number), event)
            for number, event in enumerate(recorded["events"])
            if counts(event)
        ]
        for kind, where, whole in (*events, (("final",), ("final",), recorded["final"])):
            for path, value in leaves(plain(whole)):
                place = (*kind, *("each" if isinstance(step, int) else step for step in path), type(value).__name__)
                found.setdefault(place, (name, (*where, *path), value))
    return found


def test_a_change_of_any_field_of_any_kind_of_event_and_of_the_end_is_seen(
    recordings: Recordings, difference: Difference, counts: Callable[..., bool], plain: Callable[..., Any]
) -> None:
    found = places(recordings, counts, plain)
    overlooked = []
    for place, (name, path, value) in found.items():
        changed = json.loads(json.dumps(recordings[name]))
        put(changed, path, another(value))
        if difference(recordings[name], changed) is None:
            overlooked.append(place)
    kinds = {str(place[0]) for place in found}
    assert kinds > {"pool", "internal", "globals", "worker", "worker_state", "insert", "state", "random", "on_complete"}
    assert overlooked == []


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("an event too few", lambda told: told["events"].pop()),
    ("an event too many", lambda told: told["events"].append(told["events"][-1])),
    ("another order", lambda told: told["events"].insert(3, told["events"].pop(2))),
    ("a field too few", lambda told: told["events"][1].pop("op")),
    ("a field too many", lambda told: told["events"][1].update(limit=1)),
    ("an end cut off", lambda told: told["final"].update(truncated=True)),
    ("a job too few", lambda told: told["final"]["jobs"].pop()),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[what for what, _ in CHANGES])
def test_a_change_of_the_whole_is_seen(
    change: Callable[[dict[str, Any]], Any], recordings: Recordings, difference: Difference
) -> None:
    recorded = recordings["workpool-fail2-then-success"]
    replayed = replay(recorded["case"])
    change(replayed)
    assert difference(recorded, replayed) is not None


def test_the_rounding_of_recorded_times_is_overlooked(recordings: Recordings, difference: Difference) -> None:
    recorded = recordings["workpool-fail2-then-success"]
    replayed = replay(recorded["case"])
    for event in replayed["events"]:
        event["t"] += 0.0009
    assert difference(recorded, replayed) is None
