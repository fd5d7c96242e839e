"""The last lines of a story count what the records count, for every retrier and whatever befalls it."""

import re
from typing import Any

import pytest

from sim.convex.contexts import MutationContext
from sim.convex.functions import Function, mutation
from sim.engine.world import World
from sim.history.recorder import Recorder
from sim.history.request import Request
from sim.history.vocabulary import Outcome
from sim.pictures.data.story import AttemptRow, timeline_data
from sim.retriers.base import LoopRetrier, Retrier, ScheduledRetrier
from sim.scenario.load import from_dict
from sim.stories.lines import timeline_lines
from sim.stories.trace import trace_events

HARM = {"fail": 0.3, "ack_lost": 0.1, "crash_after_effect": 0.1, "lost_contact": 0.1, "hang": 0.05}
WORLDS: dict[str, dict[str, Any]] = {
    "alone": {},
    "on a platform that takes its time": {"platform": {"profile": "convex"}},
    "canceled": {"cancel": {"share": 0.7, "after": {"exponential": {"mean": "3s"}}}},
    "polls canceled": {"cancel": {"share": 0.7, "after": {"exponential": {"mean": "3s"}}, "target": "poll"}},
    "rows collected early": {"platform": {"retention": "1s"}},
    "few polls": {"limits": {"polls_per_request": 3}},
    "cut off": {"until": "2s"},
    "struck": {
        "world": "shared",
        "requests": {"count": 40, "arrivals": {"constant": {"rate": "10/s"}}},
        "faults": [{"system_error": {"share": 0.2}}, {"restart": {"at": ["1s", "2500ms", "6s"], "down": "500ms"}}],
        "platform": {"commit_window": {"constant": "80ms"}, "mutation_latency": {"constant": "30ms"}},
    },
}
KINDS: dict[str, Any] = {
    "none": "none",
    "article": "article",
    "helpers": "helpers",
    "component": "component",
    "component that cleans up": {"kind": "component", "clean_up_after": "1s", "on_complete_counts": True},
}


class Busy(ScheduledRetrier):
    """Polls once; three more mutations, which do not count as polls, follow each other."""

    kind = "busy"

    def bind(self, action: Function) -> None:
        self.action = action
        self.retry = mutation("retry", self.look, poll=True)
        self.tidy = mutation("tidy", self.go_on)

    def submit(self, ctx: MutationContext) -> None:
        ctx.run_after(0, self.action)
        ctx.run_after(1000, self.retry)

    def look(self, ctx: MutationContext, _: Any) -> None:
        ctx.settle(Outcome.success)
        ctx.run_after(0, self.tidy, 3)

    def go_on(self, ctx: MutationContext, left: int) -> None:
        if left > 1:
            ctx.run_after(1000, self.tidy, left - 1)


class Loop(LoopRetrier):
    """Calls until it succeeds."""

    kind = "loop"

    async def retry(self, call: Any, ctx: Any) -> int:
        del ctx
        return int(await call(timeout_ms=500))


def stories(tree: dict[str, Any], retrier: Retrier | None = None) -> list[tuple[Request, list[str]]]:
    """Return the requests of a world, each with the lines of its story."""
    cell = from_dict({"retrier": "none", **tree})
    recorder = Recorder()
    world = World(cell, retrier=retrier, recorder=recorder)
    if cell.world == "shared":
        requests, histories = world.shared(), recorder.history()
        return [(one, timeline_lines(histories, one.number, one.outcome)) for one in requests]
    told = []
    for number in range(40):
        recorder = Recorder()
        (one,) = World(cell, retrier=retrier, recorder=recorder).isolated([number])
        told.append((one, timeline_lines(recorder.history(), number, one.outcome)))
    return told


def counts(lines: list[str]) -> dict[str, int]:
    """Return the counts in the line that sums a story up, by the thing counted, in the singular."""
    text = " ".join(line.strip() for line in lines)
    tally = re.findall(r"=> (.*?)(?: =>|$)", text)[0]
    parts = re.findall(r"([\d,]+) ([a-z ]+)", tally)
    return {thing.strip().removesuffix("s"): int(number.replace(",", "")) for number, thing in parts}


def recorded(request: Request) -> dict[str, int]:
    """Return the same counts as the records have them."""
    found = {"attempt": request.attempts, "effect": request.effects, "poll": request.polls}
    found |= {"duplicate": sum(request.duplicates or ()), "conflict": request.conflicts}
    return found | {"suppressed": request.suppressed}


OUTSIDE = ("alone", "canceled", "cut off")
"""Worlds in which nothing is said of a platform."""


@pytest.mark.parametrize(
    ("kind", "world"), [(kind, world) for kind in KINDS for world in (OUTSIDE if kind == "none" else WORLDS)]
)
def test_the_record_counts_what_the_story_tells(kind: str, world: str) -> None:
    tree = {"action": {"latency": {"uniform": {"low": "0s", "high": "3s"}}, "outcomes": HARM}, "retrier": KINDS[kind]}
    for request, lines in stories({**tree, **WORLDS[world]}):
        told = counts(lines)
        told.pop("other scheduled mutation", None)
        assert told == {thing: count for thing, count in recorded(request).items() if count or thing in told}


def test_mutations_that_are_no_polls_are_told_apart() -> None:
    ((request, lines), *_) = stories({"action": {"latency": {"constant": "1ms"}}}, Busy())
    assert (request.polls, counts(lines)) == (1, {"attempt": 1, "effect": 1, "poll": 1, "other scheduled mutation": 3})
    assert [line.split("tidy")[1].strip() for line in lines if "  tidy" in line] == [
        "runs: runs again in 1 s",
        "runs: runs again in 1 s",
        "runs: settled already",
    ]


def test_a_client_outside_does_not_poll() -> None:
    ((request, lines), *_) = stories({"action": {"latency": {"constant": "1ms"}}}, Loop())
    assert (request.polls, counts(lines)) == (0, {"attempt": 1, "effect": 1})


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"final": True}, "(final error)"),
        ({"retry_after": "2s"}, "(retry after 2 s)"),
        ({"final": True, "retry_after": "1500ms"}, "(final error, retry after 1.5 s)"),
        ({}, ""),
    ],
)
def test_a_story_tells_what_an_error_says(says: dict[str, Any], words: str) -> None:
    script = [{"outcome": "fail", "latency": "10ms", **says}, {"outcome": "success"}]
    for kind in ("none", "helpers"):
        ((_, lines), *_) = stories({"action": {"script": script}, "retrier": kind})
        assert [line for line in lines if line.endswith(f"attempt 1 fails after 10 ms {words}".rstrip())]


def test_the_time_line_and_the_trace_tell_what_an_error_says_too() -> None:
    script = [{"outcome": "fail", "latency": "10ms", "final": True, "retry_after": "2s"}, {"outcome": "success"}]
    recorder = Recorder()
    World(from_dict({"action": {"script": script}, "retrier": "none"}), recorder=recorder).isolated([0])
    history = recorder.history()
    (row,) = timeline_data(history, 0, Outcome.gave_up).rows
    assert isinstance(row, AttemptRow)
    assert row.label == "fail, 10 ms, final error, retry after 2 s"
    slices = [event["args"] for event in trace_events(history, 0, "x")["traceEvents"] if event["ph"] == "X"]
    assert [args["error"] for args in slices if "attempt" in args] == ["final error, retry after 2 s"]
