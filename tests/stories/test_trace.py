"""Traces are valid files of the Trace Event Format, and tell what the history tells."""

import json
from typing import Any

import pytest

from sim.api.replay import replay
from sim.history.recorder import History
from sim.scenario.load import parse
from sim.stories.trace import trace_events, trace_json

WORLD = """
seed: 5
requests: {count: 40}
action:
  latency: {lognormal: {median: 120ms, p99: 2s}}
  outcomes:
    {fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.05, crash_after_effect: 0.05, lost_contact: 0.04, hang: 0.02}
cancel: {share: 0.2, after: {exponential: {mean: 1s}}}
retrier: """
CONVEX = "\nplatform: {profile: convex}"
KINDS = [f"{kind}{CONVEX}" for kind in ("article", "helpers", "component")]
SHARED = """
world: shared
seed: 3
requests: {count: 12, arrivals: {poisson: {rate: 20/s}}}
action: {latency: {exponential: {mean: 300ms}}, outcomes: {fail: 0.3, ack_lost: 0.1}}
faults: [{restart: {at: [400ms], down: 300ms}}, {system_error: {share: 0.05}}]
retrier: component
"""


def traces() -> list[tuple[History, int, dict[str, Any]]]:
    found = []
    for text, numbers in [*((WORLD + kind, range(20)) for kind in (*KINDS, "none", "helpers")), (SHARED, range(6))]:
        scenario = parse(text)
        for number in numbers:
            history = replay(scenario, number)
            found.append((history, number, trace_events(history, number, "traced")))
    return found


@pytest.fixture(scope="module")
def made() -> list[tuple[History, int, dict[str, Any]]]:
    return traces()


def of(trace: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


def test_every_event_has_what_the_format_asks_of_its_phase(made: list[tuple[History, int, dict[str, Any]]]) -> None:
    asked = {
        "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
        "i": {"name", "cat", "ph", "ts", "s", "pid", "tid", "args"},
        "s": {"name", "cat", "ph", "ts", "id", "pid", "tid"},
        "f": {"name", "cat", "ph", "ts", "id", "bp", "pid", "tid"},
        "M": {"name", "ph", "ts", "pid", "tid", "args"},
    }
    for _, number, trace in made:
        assert {"traceEvents", "displayTimeUnit"} == trace.keys()
        for event in trace["traceEvents"]:
            assert event.keys() == asked[event["ph"]]
            assert event["pid"] == number + 1
            assert event["ts"] >= 0
            assert event.get("dur", 0) >= 0
            assert event.get("s", "t") == "t"


def test_slices_of_one_thread_nest(made: list[tuple[History, int, dict[str, Any]]]) -> None:
    for _, _, trace in made:
        open_until: dict[int, list[int]] = {}
        slices = [(round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000), e["tid"]) for e in of(trace, "X")]
        for start_ns, end_ns, thread in sorted(slices, key=lambda one: (one[2], one[0], -one[1])):
            above = open_until.setdefault(thread, [])
            while above and above[-1] <= start_ns:
                above.pop()
            assert not above or end_ns <= above[-1]
            above.append(end_ns)


def test_arrows_come_in_pairs_and_touch_a_slice_at_either_end(made: list[tuple[History, int, dict[str, Any]]]) -> None:
    seen = 0
    for _, _, trace in made:
        slices = [(e["tid"], e["ts"], e["ts"] + e["dur"]) for e in of(trace, "X")]
        starts, ends = ({e["id"]: e for e in of(trace, phase)} for phase in "sf")
        assert starts.keys() == ends.keys()
        for number, start in starts.items():
            assert (start["name"], start["cat"]) == (ends[number]["name"], ends[number]["cat"])
            assert start["ts"] <= ends[number]["ts"]
            for event in (start, ends[number]):
                assert any(t == event["tid"] and s <= event["ts"] <= e + 1e-3 for t, s, e in slices)
        seen += len(starts)
    assert seen > 500


def test_every_thread_that_is_used_has_a_name_and_a_place(made: list[tuple[History, int, dict[str, Any]]]) -> None:
    for _, _, trace in made:
        names = {e["tid"]: e["args"]["name"] for e in of(trace, "M") if e["name"] == "thread_name"}
        used = {e["tid"] for e in trace["traceEvents"] if e["ph"] != "M"}
        assert used == names.keys()
        assert len(set(names.values())) == len(names)
        orders = [e["args"]["sort_index"] for e in of(trace, "M") if e["name"] == "thread_sort_index"]
        assert orders == list(range(len(names)))
        assert [e["args"]["name"] for e in of(trace, "M") if e["name"] == "process_name"] == ["traced"]


def test_jobs_attempts_and_effects_are_those_of_the_history(made: list[tuple[History, int, dict[str, Any]]]) -> None:
    seen = set()
    for history, _, trace in made:
        count = {kind: sum(event.kind == kind for event in history) for kind in ("attempt", "job", "effect")}
        assert len([e for e in of(trace, "X") if e["cat"] == "attempt"]) == count["attempt"]
        assert len([e for e in of(trace, "X") if e["name"].endswith(" waits")]) == count["job"]
        assert len([e for e in of(trace, "i") if e["name"].startswith("effect ")]) == count["effect"]
        seen |= {e["name"] for e in of(trace, "i")}
    assert {"effect applied", "effect repeated (ack_lost)", "cancel of the request"} <= seen
    assert {"the server goes down", "the server is back"} <= seen


def test_an_attempt_lasts_from_its_start_to_its_end(tale: Any) -> None:
    told = (
        tale()
        .at(0)
        .submit()
        .attempt(1, effect=20)
        .at(20)
        .effect(1)
        .at(30)
        .ends(1, "returned")
        .at(45)
        .settles("success")
    )
    trace = trace_events(History(told.raw), 0, "told")
    slices = {e["name"]: (e["ts"], e["dur"]) for e in of(trace, "X")}
    assert slices == {"request 0: success": (0.0, 45_000.0), "attempt 1: returned": (0.0, 30_000.0)}
    assert [(e["name"], e["ts"]) for e in of(trace, "i")] == [("effect applied", 20_000.0)]


def test_what_is_not_over_ends_with_the_history_and_says_so(tale: Any) -> None:
    told = tale().at(0).submit().attempt(1).at(10).attempt(2).at(25).sleep(100)
    slices = {e["name"]: e["dur"] for e in of(trace_events(History(told.raw), 0, "told"), "X")}
    assert slices == {
        "request 0: not settled": 25_000.0,
        "attempt 1: not over": 25_000.0,
        "attempt 2: not over": 15_000.0,
        "sleeps": 0.0,
    }


def test_nanoseconds_stand_behind_the_point(tale: Any) -> None:
    told = tale().at(0.001_234).submit().at(5).settles("gave_up")
    (slice_,) = of(trace_events(History(told.raw), 0, "told"), "X")
    assert (slice_["ts"], slice_["dur"]) == (1.234, 4998.766)


def test_the_text_is_json_with_an_event_a_line_and_the_same_each_time() -> None:
    scenario = parse(WORLD + "helpers")
    texts = [trace_json(replay(scenario, 1), 1, 'a "name"') for _ in range(2)]
    assert texts[0] == texts[1]
    trace = json.loads(texts[0], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert trace == trace_events(replay(scenario, 1), 1, 'a "name"')
    assert len(texts[0].splitlines()) == len(trace["traceEvents"]) + 2


def test_a_trace_marks_where_the_caller_asks_again(tale: Any) -> None:
    told = tale().submit().at(10).settles("gave_up").at(25).submit_again(2)
    trace = trace_events(History(told.raw), 0, "told")
    assert [(e["name"], e["ts"], e["args"]) for e in of(trace, "i")] == [
        ("the caller submits it again", 25_000.0, {"detail": "failed"})
    ]


def test_a_trace_marks_what_a_shared_pool_does_for_a_request() -> None:
    text = "world: shared\nseed: 2\nrequests: {count: 4, arrivals: {constant: {rate: 5/s}}}\n"
    text += "retrier: {kind: workpool, max_parallelism: 1}\naction: {latency: {constant: 900ms}}\n"
    history = replay(parse(text), 3)
    marked = [event["name"] for event in of(trace_events(history, 3, "pooled"), "i")]
    assert any(name.startswith("the pool: starts it (slot 1 of 1)") for name in marked)
    assert any(name.startswith("the pool: frees its slot") for name in marked)
