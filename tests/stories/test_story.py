"""Stories of real simulations. `RETRYSIM_UPDATE_GOLDEN=1 pytest tests/stories/test_story.py` rewrites the texts."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from matplotlib.figure import Figure

from sim.clients.client import Call, CallFailed, ClientContext
from sim.engine.world import World
from sim.history.recorder import History, Recorder
from sim.history.request import Request
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.durations import NS_PER_MS, NS_PER_S, UNITS_NS
from sim.pictures.data.time_axis import time_axis
from sim.pictures.story import plot_timeline, save_timeline
from sim.retriers.base import LoopRetrier
from sim.scenario.load import parse
from sim.stories.lines import timeline_lines
from sim.stories.phrases import span_text
from sim.stories.reader import read

GOLDEN = Path(__file__).parent / "golden"


class Patient(LoopRetrier):
    """Five calls of at most a second, with growing sleeps between."""

    kind: ClassVar[str] = "patient"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        for number in range(4):
            try:
                return await call(timeout_ms=1000)
            except CallFailed:
                await ctx.sleep(200 * 2**number * (0.5 + ctx.uniform("jitter", number)))
        return await call()


class Stubborn(LoopRetrier):
    """Calls for ever."""

    kind: ClassVar[str] = "stubborn"

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        while True:
            try:
                return await call()
            except CallFailed:
                await ctx.sleep(10)


@dataclass(frozen=True)
class Told:
    """One simulated request with its history."""

    history: History
    request: Request

    @property
    def lines(self) -> list[str]:
        return timeline_lines(self.history, self.request.number, self.request.outcome)

    @property
    def ax(self) -> Any:
        return plot_timeline(self.history, self.request.number, self.request.outcome)


def tell(text: str, number: int = 3, retrier: LoopRetrier | None = None) -> Told:
    scenario, recorder = parse(text), Recorder()
    world = World(scenario, recorder=recorder, retrier=retrier)
    requests = world.shared() if scenario.world == "shared" else world.isolated([number])
    (request,) = (request for request in requests if request.number == number)
    return Told(recorder.history(), request)


def script(*attempts: str) -> str:
    """Write attempts such as `fail 300ms` as the script of an action."""
    steps = [dict(zip(("outcome", "latency"), attempt.split(), strict=False)) for attempt in attempts]
    return f"script: [{', '.join('{' + ', '.join(f'{k}: {v}' for k, v in step.items()) + '}' for step in steps)}]"


def scenario(retrier: str, action: str, more: str = "") -> str:
    return f"retrier: {retrier}\naction: {{{action}}}\n{more}"


SHARED = "world: shared\nrequests: {count: 12, arrivals: {constant: {rate: 5/s}}}\n"
ONE_SLOT = "max_parallelism: 1"
CRASH_TWICE = script("crash_after_effect 300ms", "crash_before_effect 300ms")
CASES: dict[str, Callable[[], Told]] = {
    "article-fails": lambda: tell(scenario("article", script("fail 80ms", "fail 80ms", "success 300ms"))),
    "article-runaway": lambda: tell(
        scenario("{kind: article, base: 1}", script("success 9s"), "limits: {polls_per_request: 500}\n")
    ),
    "article-deleted": lambda: tell(
        scenario("{kind: article, base: 10}", "latency: {constant: 1150ms}", "platform: {retention: 5s}\n")
    ),
    "helpers-lost-contact": lambda: tell(scenario("helpers", script("lost_contact 2s", "success 900ms"), "seed: 2\n")),
    "helpers-long": lambda: tell(scenario("helpers", script("fail 9m", "success 50ms"))),
    "helpers-gives-up": lambda: tell(scenario("helpers", script("fail 300ms"))),
    "helpers-poll-canceled": lambda: tell(
        scenario("helpers", script("success 3s"), "cancel: {share: 1, after: {constant: 1s}, target: poll}\n")
    ),
    "helpers-open": lambda: tell(scenario("helpers", script("success 30s"), "until: 3s\n")),
    "component-repaired": lambda: tell(scenario("component", script("crash_after_effect 300ms", "success 300ms"))),
    "component-stuck": lambda: tell(scenario("component", CRASH_TWICE)),
    "component-suppressed": lambda: tell(
        scenario("component", f"idempotency: {{window: 24h}}, {script('ack_lost 300ms', 'success 250ms')}")
    ),
    "component-canceled": lambda: tell(
        scenario("component", script("success 3s"), "cancel: {share: 1, after: {constant: 1s}}\n")
    ),
    "component-action-canceled": lambda: tell(
        scenario("component", script("fail 3s"), "cancel: {share: 1, after: {constant: 1s}, target: action}\n")
    ),
    "component-zombie": lambda: tell(scenario("component", script("success 700s", "success 1s"))),
    "component-restart": lambda: tell(
        scenario("component", "latency: {constant: 900ms}", f"{SHARED}faults: [{{restart: {{at: [1s], down: 2s}}}}]\n")
    ),
    "component-conflict": lambda: tell(
        scenario(
            "component",
            "latency: {constant: 900ms}",
            f"{SHARED}platform: {{commit_window: {{constant: 300ms}}}}\n"
            "cancel: {share: 1, after: {constant: 950ms}}\n",
        )
    ),
    "workpool-retried": lambda: tell(scenario("workpool", script("fail 300ms", "success 900ms"))),
    "workpool-dead": lambda: tell(scenario("workpool", script("crash_after_effect 300ms", "success 300ms"))),
    "workpool-lost-loop": lambda: tell(
        scenario(
            "workpool",
            script("fail 900ms", "success 900ms"),
            f"{SHARED}faults: [{{cancel_jobs: {{at: [800ms], functions: [loop, monitor, runBatch]}}}}]\n",
        )
    ),
    "workpool-saturated": lambda: tell(
        scenario(f"{{kind: workpool, {ONE_SLOT}}}", "latency: {constant: 900ms}", SHARED)
    ),
    "workpool-restart": lambda: tell(
        scenario("workpool", "latency: {constant: 900ms}", f"{SHARED}faults: [{{restart: {{at: [1s], down: 2s}}}}]\n")
    ),
    "workpool-canceled": lambda: tell(
        scenario(
            f"{{kind: workpool, {ONE_SLOT}, on_complete: throws}}",
            "latency: {constant: 900ms}",
            f"{SHARED}cancel: {{share: 1, after: {{constant: 950ms}}}}\n",
        )
    ),
    "none-stuck": lambda: tell(scenario("none", script("hang"))),
    "loop": lambda: tell(
        scenario("none", script("fail 300ms", "success 3s", "lost_contact 2s", "fail 100ms", "success 200ms")),
        retrier=Patient(),
    ),
    "loop-runaway": lambda: tell(
        scenario("none", "latency: {constant: 30ms}, outcomes: {ack_lost: 1}", "limits: {polls_per_request: 500}\n"),
        retrier=Stubborn(),
    ),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[str, Told]:
    return request.param, CASES[request.param]()


class TestLines:
    def test_a_story_reads_as_the_golden_text(self, case: tuple[str, Told]) -> None:
        name, told = case
        file = GOLDEN / f"timeline-{name}.txt"
        text = "\n".join(told.lines) + "\n"
        if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    def test_no_line_is_wider_than_the_terminal(self, case: tuple[str, Told]) -> None:
        assert [line for line in case[1].lines if len(line) > 100] == []

    def test_a_narrow_terminal_gets_narrow_lines(self, case: tuple[str, Told]) -> None:
        told = case[1]
        lines = timeline_lines(told.history, told.request.number, told.request.outcome, width=60)
        assert [line for line in lines if len(line) > 60] == []

    def test_the_last_sentence_names_the_outcome(self, case: tuple[str, Told]) -> None:
        told = case[1]
        (*_, last) = (line for line in told.lines if line.startswith("=> "))
        settled = told.request.settled_ns != NEVER
        words = told.request.outcome.name.replace("_", " ")
        assert last.startswith(f"=> settled: {words}, known " if settled else f"=> {words}")

    def test_a_history_of_all_requests_tells_the_same_as_that_of_one(self) -> None:
        told = CASES["component-restart"]()
        alone = told.history.of_request(3)
        assert timeline_lines(alone, 3, told.request.outcome) == told.lines

    def test_a_request_that_is_not_in_the_history_is_an_error(self) -> None:
        with pytest.raises(LookupError, match="the history has no request 7"):
            timeline_lines(CASES["none-stuck"]().history, 7, Outcome.stuck)

    def test_an_instant_shows_its_time_once(self) -> None:
        lines = CASES["component-repaired"]().lines
        assert [line[:7].strip() for line in lines[:5]] == ["+0 s", "", "+300 ms", "", "+6.52 s"]

    def test_a_number_stays_with_its_unit(self) -> None:
        told = tell(scenario("{kind: component, run_after: 5s}", script("success 50ms")))
        lines = timeline_lines(told.history, 3, told.request.outcome, width=93)
        assert lines[0].endswith("first heartbeat in")
        assert lines[1].strip() == "11.5 s"


class TestFolding:
    def test_hundreds_of_polls_become_one_line(self) -> None:
        lines = CASES["article-runaway"]().lines
        assert (
            lines[2].split("  ")[-1].strip() == "500 polls, still running (from +0 s to +4.99 s); looks again in 10 ms"
        )

    def test_three_polls_are_told_one_by_one(self) -> None:
        told = tell(scenario("article", script("success 60ms")))
        assert sum("looks again" in line for line in told.lines) == 3

    def test_a_poll_that_does_something_is_never_folded(self) -> None:
        told = CASES["helpers-long"]()
        polls = read(told.history, 3).polls
        assert sum(" looks" in line and "polls" not in line for line in told.lines) == sum(
            poll.how == "acted" for poll in polls
        )

    def test_the_middle_of_many_failures_becomes_one_line(self) -> None:
        (line,) = [line for line in CASES["helpers-gives-up"]().lines if "only fail" in line]
        assert line.split("  ")[-1].strip().startswith("attempts 4 to 14 only fail, with 20 polls (from +")

    def test_effects_are_told_one_by_one_up_to_forty_attempts(self) -> None:
        told = tell(scenario("{kind: component, max_failures: 39, base: 1}", script("ack_lost 10ms")), retrier=None)
        assert sum("effect applied" in line for line in told.lines) == told.request.effects == 40

    def test_effects_of_folded_attempts_are_counted(self) -> None:
        (line,) = [line for line in CASES["loop-runaway"]().lines if "settle nothing" in line]
        assert "attempts 4 to 497 settle nothing, with 494 effects" in line

    def test_a_story_that_stays_long_loses_its_middle(self) -> None:
        action = "latency: {constant: 1s}, outcomes: {lost_contact: 1}"
        told = tell(scenario("{kind: article, max_failures: 300, retry_backoff: 1ms, base: 1}", action))
        (line,) = [line for line in told.lines if "more like these" in line]
        assert (line.split("  ")[-1].strip().startswith("... "), len(told.lines) < 450) == (True, True)


class TestStory:
    @pytest.mark.parametrize("retrier", ["article", "helpers", "component"])
    @pytest.mark.parametrize("world", ["isolated", "shared"])
    def test_a_story_counts_what_the_record_counts(self, retrier: str, world: str) -> None:
        outcomes = (
            "outcomes: {fail: 0.2, ack_lost: 0.1, crash_before_effect: 0.1, crash_after_effect: 0.1, lost_contact: 0.1}"
        )
        faults = "faults: [{restart: {at: [1s, 4s], down: 1s}}, {system_error: {share: 0.05}}]\n"
        more = f"{SHARED}{faults}platform: {{commit_window: {{constant: 50ms}}}}\n" if world == "shared" else ""
        text = scenario(retrier, f"effect_at: 0.7, idempotency: {{window: 2s}}, {outcomes}", more)
        recorder = Recorder()
        simulated = World(parse(text), recorder=recorder)
        requests = simulated.shared() if world == "shared" else simulated.isolated(range(12))
        history = recorder.history()
        stories = [read(history, request.number) for request in requests]
        assert [
            (
                len(story.tries),
                sum(effect.name != "suppressed" for effect in story.effects),
                sum(effect.name == "suppressed" for effect in story.effects),
                story.conflicts,
                max((tried.end_ns or NEVER for tried in story.tries), default=NEVER),
                story.settled is not None,
            )
            for story in stories
        ] == [
            (
                request.attempts,
                request.effects,
                request.suppressed,
                request.conflicts,
                request.last_attempt_end_ns,
                request.settled_ns != NEVER,
            )
            for request in requests
        ]

    @pytest.mark.parametrize(
        ("duration_ns", "text"),
        [
            (0, "0 s"),
            (10 * NS_PER_MS, "10 ms"),
            (1_001 * NS_PER_MS, "1.00 s"),
            (2_400 * NS_PER_MS, "2.4 s"),
            (540 * NS_PER_S, "9m"),
            (540 * NS_PER_S + 1, "9m00s"),
            (11 * UNITS_NS["d"] + 2 * UNITS_NS["h"], "11d02h"),
        ],
    )
    def test_durations_have_no_zeros_that_say_nothing(self, duration_ns: int, text: str) -> None:
        assert span_text(duration_ns) == text


class TestPicture:
    def test_equal_input_gives_equal_bytes(self, tmp_path: Path) -> None:
        folders = [tmp_path / "one", tmp_path / "two"]
        for folder in folders:
            told = CASES["component-restart"]()
            save_timeline(told.history, 3, told.request.outcome, "scenario x", folder / "a.png", svg=True)
        first, second = ([file.read_bytes() for file in sorted(folder.iterdir())] for folder in folders)
        assert first == second

    def test_files_are_named_after_the_path(self, tmp_path: Path) -> None:
        told = CASES["none-stuck"]()
        files = save_timeline(told.history, 3, Outcome.stuck, "", tmp_path / "new" / "v1.2", svg=True)
        assert files == [tmp_path / "new" / "v1.2.png", tmp_path / "new" / "v1.2.svg"]

    def test_only_a_png_is_written_unless_asked(self, tmp_path: Path) -> None:
        told = CASES["none-stuck"]()
        save_timeline(told.history, 3, Outcome.stuck, "", tmp_path / "a.png")
        assert [file.name for file in tmp_path.iterdir()] == ["a.png"]

    def test_every_story_can_be_drawn(self, case: tuple[str, Told]) -> None:
        ax = case[1].ax
        assert ax.get_xlabel().startswith("time since the submission")

    def test_given_axes_are_drawn_on(self) -> None:
        ax = Figure().add_subplot()
        told = CASES["component-repaired"]()
        assert plot_timeline(told.history, 3, told.request.outcome, ax) is ax

    def test_attempts_and_polls_have_a_row_each(self) -> None:
        names = [label.get_text() for label in CASES["component-repaired"]().ax.get_yticklabels()]
        assert names == ["attempt 1", "attempt 2", "heartbeat"]

    def test_of_many_attempts_the_middle_is_left_out(self) -> None:
        ax = CASES["loop-runaway"]().ax
        assert [text.get_text() for text in ax.texts if "left out" in text.get_text()] == [
            "... 483 attempts left out ..."
        ]

    def test_a_stuck_request_says_so(self) -> None:
        words = [text.get_text().replace("\n", " ") for text in CASES["component-stuck"]().ax.texts]
        assert "stuck for ever: nothing will look again" in words

    def test_the_settlement_has_a_label(self) -> None:
        words = [text.get_text() for text in CASES["component-repaired"]().ax.texts]
        assert "settled: success, after 7.28 s" in words

    def test_an_attempt_that_never_started_has_a_row(self) -> None:
        names = [label.get_text() for label in CASES["component-action-canceled"]().ax.get_yticklabels()]
        assert names[:2] == ["attempt 1", "next attempt"]


class TestTimeAxis:
    def test_a_story_crowded_at_its_beginning_gets_a_logarithmic_axis(self) -> None:
        assert CASES["helpers-gives-up"]().ax.get_xscale() == "asinh"

    def test_a_story_spread_over_its_time_gets_a_linear_axis(self) -> None:
        assert CASES["component-zombie"]().ax.get_xscale() == "linear"

    @pytest.mark.parametrize(
        ("last_ns", "texts"),
        [
            (300 * NS_PER_MS, ["0", "50 ms", "100 ms", "150 ms", "200 ms", "250 ms", "300 ms"]),
            (4 * NS_PER_S, ["0", "0.5 s", "1 s", "1.5 s", "2 s", "2.5 s", "3 s", "3.5 s", "4 s"]),
            (100 * NS_PER_S, ["0", "20 s", "40 s", "60 s", "80 s", "100 s"]),
            (240 * NS_PER_S, ["0", "1 min", "2 min", "3 min", "4 min"]),
            (11 * UNITS_NS["d"], ["0", "2 d", "4 d", "6 d", "8 d", "10 d"]),
        ],
    )
    def test_ticks_are_round_times_in_one_unit(self, last_ns: int, texts: list[str]) -> None:
        assert [text for _, text in time_axis([last_ns], [last_ns], last_ns, 0.04).ticks] == texts

    def test_a_story_of_one_instant_has_no_time_to_tell(self) -> None:
        ax = CASES["none-stuck"]().ax
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0"]


class TestCallers:
    def test_a_story_says_which_caller_asks_and_why_again(self) -> None:
        text = (
            "world: shared\nretrier: none\nrequests: {count: 2}\nclients: {count: 2}\nclasses: {web: {share: 1.0}}\n"
            "resubmit: {after: {constant: 1s}, at_most: 2, silent_after: 5s}\n"
            "action: {script: [{outcome: fail}, {outcome: hang}, {outcome: success}]}"
        )
        recorder = Recorder()
        (_, request) = World(parse(text), recorder=recorder).shared()
        story = read(recorder.history(), 1)
        told = [entry.text for entry in story.entries if entry.who == "caller"]
        assert told == [
            "submits request 1 of class web for client 1 to none",
            "was told of a failure, submits the request again (submission 2)",
            "has heard nothing, submits the request again (submission 3)",
        ]
        assert story.settled == (request.settled_ns, "success")


def test_a_work_that_is_stuck_waits_for_its_pool_and_not_for_a_call() -> None:
    text = (
        "world: shared\nrequests: {count: 1, arrivals: at_once}\naction: {latency: 1s}\n"
        "retrier: {kind: workpool, max_parallelism: 0}\n"
    )
    told = tell(text, 0)
    lines = timeline_lines(told.history, 0, told.request.outcome)
    assert "no job of its pool is left" in " ".join(lines)
