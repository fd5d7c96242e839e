"""`retrysim explore`: what it finds, saves and refuses, and that what it saves can be replayed and tested."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Process = Callable[..., subprocess.CompletedProcess[str]]

# Two retriers whose mistakes show after a failure: one calls again after success, the other looks no more.
OWN = """
import os
import signal

import sim
from sim.options.model import Options


class Settings(Options):
    calls: int = 1


class Eager(sim.LoopRetrier):
    kind = "eager"
    Options = Settings

    async def retry(self, call, ctx):
        try:
            return await call()
        except sim.CallFailed:
            await ctx.sleep(100 * ctx.uniform("pause", 1))
        for _ in range(self.options.calls):
            await call()


class Blind(sim.ScheduledRetrier):
    kind = "blind"

    def bind(self, action):
        self.action = action
        self.retry = sim.mutation("retry", self.look, poll=True)

    def submit(self, ctx):
        ctx.run_after(2000, self.retry, {"job": ctx.run_after(0, self.action)})

    def look(self, ctx, args):
        if ctx.get_job(args["job"]).state == "success":
            ctx.settle(sim.Outcome.success)


class Odd(Blind):
    kind = "odd"

    def submit(self, ctx):
        ctx.run_after(2000, self.retry, {"job": ctx.run_after(0, self.action), "seen": {1, 2}})


class Interrupting(sim.LoopRetrier):
    kind = "interrupting"
    made = 0

    def __init__(self, options=None):
        super().__init__(options)
        Interrupting.made += 1
        if Interrupting.made == 15:
            os.kill(os.getpid(), signal.SIGINT)

    async def retry(self, call, ctx):
        for _ in range(20):
            try:
                return await call()
            except sim.CallFailed:
                pass
"""
WORLD = "action: {latency: {constant: 1s}, outcomes: {fail: 0.1}}\nretrier: none\nexplore: {attempts: 3}\n"
AGAIN = ("--invariant", "no-retry-after-success")


@pytest.fixture
def own(folder: Path) -> Path:
    """A folder with retriers of the user's own, and a world for them."""
    (folder / "own.py").write_text(OWN)
    (folder / "world.yaml").write_text(WORLD)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def lines_behind(result: Result, start: str) -> list[str]:
    lines = result.stdout.splitlines()
    return [line.strip() for line in lines[lines.index(start) + 1 :]]


def words_of(line: str) -> list[str]:
    name, *words = shlex.split(line)
    assert name == "retrysim"
    return words


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 4),
        (("--crashes", "1"), 0),
        (("--set", "retrier.kind=component-repaired"), 0),
        (("--crashes", "0", "--invariant", "settles"), 0),
        (("--crashes", "0", "--invariant", "effect-once"), 4),
        (("--crashes", "0", "--set", "check=[effect-once]"), 4),
        (("--crashes", "0", "--set", "check=[effect-once]", "--invariant", "settles"), 0),
        (("--set", "explore.crashes=1"), 0),
        (("--crashes", "0", "--cancels", "1"), 0),
    ],
)
def test_what_is_broken_within_the_bounds_exits_with_4(run: Run, words: tuple[str, ...], code: int) -> None:
    result = run("explore", "second.yaml", *words)
    assert (result.exit_code, result.stderr, Path("results").exists()) == (code, "", code == 4)


def test_what_it_saves_is_word_for_word_what_it_was(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles")
    text = Path("results/second/second-settles.yaml").read_text()
    if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
        (Path(__file__).parent / "scenarios" / "second-settles.yaml").write_text(text)
    assert Path("second-settles.yaml").read_text() == text


def test_every_line_that_it_prints_replays_what_is_broken(run: Run) -> None:
    found = run("explore", "second.yaml")
    seen = []
    for line in lines_behind(found, "to see them again"):
        again = run(*words_of(line), "--no-plots")
        broken = " ".join(part for part in again.stdout.split("\n\n")[-1].split("\n")[1:]).strip()
        seen.append((again.exit_code, broken.rpartition("(")[2]))
    assert seen == [(4, "settles)"), (4, "callback-comes)")]


def test_a_replay_gives_the_history_that_the_file_tells_of(run: Run) -> None:
    run("explore", "second.yaml", "--out", "out")
    told = [line for line in Path("out/second-settles.yaml").read_text().splitlines() if "digest" in line]
    replayed = run("replay", "out/second-settles.yaml", "--no-plots").stdout.splitlines()
    assert [line.split()[-1] for line in told] == [line.split()[-1] for line in replayed if line.startswith("history ")]


def test_a_search_from_what_it_saved_finds_and_saves_the_same(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles", "--out", "one")
    run("explore", "one/second-settles.yaml", "--out", "two")
    assert texts(Path("one")) == texts(Path("two"))


def test_a_search_may_end_before_it_has_seen_everything(run: Run) -> None:
    result = run("explore", "second.yaml", "--states-at-most", "10", "--invariant", "settles")
    assert (result.exit_code, "ended the search at level 1" in result.stdout) == (0, True)
    first = run("explore", "second.yaml", "--first", "--invariant", "settles")
    assert (first.exit_code, "ended the search at level 2" in first.stdout) == (4, True)


def test_streams_of_numbers_take_the_values_that_they_are_given(run: Run) -> None:
    result = run("explore", "second.yaml", "--crashes", "0", "--values", "backoff=0,0.9", "--values", "hartbeat=0.1")
    said = " ".join(result.stdout.split())
    assert "; backoff draws 0 or 0.9 from [0, 1); heartbeat draws only 0.5 from [0, 1); " in said
    assert "note: nothing seems to draw from the stream 'hartbeat'; did you mean 'heartbeat'?" in said


def test_one_of_several_cells_is_named(run: Run) -> None:
    path = Path("cells.yaml")
    path.write_text(
        Path("second.yaml").read_text() + "variants: {as shipped: {}, One Try: {retrier.max_failures: 0}}\n"
    )
    result = run("explore", "cells.yaml", "--cell", "as-shipped", "--invariant", "settles")
    (line,) = lines_behind(result, "to see it again")
    assert line == "retrysim replay results/cells/cells-as-shipped-settles.yaml"
    assert run(*words_of(line), "--no-plots").exit_code == 4


def test_files_that_a_scenario_names_are_saved_beside_what_is_found(run: Run, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "times.csv").write_text("latency_ms\n1000\n3000\n")
    law = "{empirical: {file: data/times.csv, column: latency_ms}}"
    found = run("explore", "second.yaml", "--set", f"action.latency={law}", "--invariant", "settles")
    (line,) = lines_behind(found, "to see it again")
    assert run(*words_of(line), "--no-plots").exit_code == 4
    assert [path.suffix for path in sorted(Path("results/second").iterdir())] == [".yaml", ".csv"]


def test_a_course_may_be_replayed_for_another_request(run: Run) -> None:
    bounds = ("--requests", "2", "--attempts", "0", "--no-orders", "--first", "--invariant", "settles")
    run("explore", "second.yaml", *bounds)
    stories = [
        run("replay", "results/second/second-settles.yaml", "--no-plots", *more).stdout
        for more in ((), ("--request", "0"), ("--request", "1"))
    ]
    assert [story.splitlines()[0].split(": ")[1] for story in stories] == [
        "request 0, seed 0",
        "request 0, seed 0",
        "request 1, seed 0",
    ]
    beyond = run("replay", "results/second/second-settles.yaml", "--request", "2")
    assert (beyond.exit_code, "there is no request 2 in this course" in beyond.stderr) == (2, True)


def test_a_replay_draws_the_course_unless_told_not_to(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles", "--out", "out")
    drawn = run("replay", "out/second-settles.yaml", "--out", "out")
    assert drawn.stdout.splitlines()[-1] == "saved out/request-all-0.png"
    assert sorted(texts_and_pictures(Path("out"))) == ["request-all-0.png", "second-settles.yaml"]


def texts_and_pictures(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_course_is_not_run_but_valid(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles", "--out", "out")
    ran = run("run", "out/second-settles.yaml")
    assert (ran.exit_code, ran.stdout, "which `retrysim replay` plays" in ran.stderr) == (3, "", True)
    assert run("validate", "out/second-settles.yaml").exit_code == 0


def test_a_course_that_does_not_fit_is_told_with_its_place(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles", "--out", "out")
    result = run("replay", "out/second-settles.yaml", "--set", "course.crashes=0", "--no-plots")
    place, _, said = result.stderr.partition(": course.answers[0].about: ")
    lines = Path("out/second-settles.yaml").read_text().splitlines()
    _, line, column = place.split(":")
    assert (result.exit_code, result.stdout, lines[int(line) - 1][int(column) - 1 :][:9]) == (3, "", '"whether ')
    assert said.startswith("the course does not fit this world: question 0 is about: outcome of attempt 1 of request 0")


def test_a_mended_retrier_is_no_longer_broken_by_the_course(run: Run) -> None:
    run("explore", "second.yaml", "--invariant", "settles", "--out", "out")
    words = ("--set", "retrier.kind=component-repaired", "--no-plots")
    result = run("replay", "out/second-settles.yaml", *words)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "holds: settles")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--crashes", "101"), "--crashes: must be at most 100, got 101"),
        (("--requests", "17"), "--requests: must be at most 16, got 17"),
        (("--values", "backoff=0,1"), "--values backoff[1]: must be at most"),
        (("--values", "backoff"), "'backoff' is not STREAM=NUMBER,NUMBER,..."),
        (("--values", "backoff=a"), "'backoff=a' is not STREAM=NUMBER,NUMBER,..."),
        (("--down", "1", "--crashes", "1"), "not a duration; write a number with a unit"),
        (("--down", "1s", "--crashes", "0"), "--down: cannot matter if the server never dies; see --crashes"),
        (("--inflight", "lost", "--crashes", "0"), "--inflight: cannot matter if the server never dies"),
        (("--invariant", "setles"), "there is no invariant 'setles'; did you mean 'settles'?"),
        (("--invariant", "x"), "there is no invariant 'x'; known are attempts-within-budget,"),
        (("--invariant", "streams-apart"), "'streams-apart' is a law of chance"),
        (("--crashes", "1", "--retrier", "none"), "--crashes: this retrier runs outside of the deployment"),
        (("--cancels", "1", "--set", "cancel=null"), "--cancels: the scenario cancels nothing"),
        (("--cell", "x"), "there is no cell 'x'; there is only one, 'all'"),
        (("--workers", "0"), "0 is not in the range"),
        (("--out", "second.yaml/x"), "is a file, not a folder"),
    ],
)
def test_a_wrong_command_line_exits_with_2(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("explore", "second.yaml", *words)
    assert (result.exit_code, result.stdout, said in result.stderr) == (2, "", True)
    assert not Path("results").exists()


def test_of_several_cells_each_is_searched_and_one_can_be_chosen(run: Run) -> None:
    every, one = run("explore", "verdicts.yaml"), run("explore", "verdicts.yaml", "--cell", "as-shipped")
    counted = [result.stdout.count(" states, ") for result in (every, one)]
    assert (counted, "verdicts, as shipped: " in one.stdout, one.stdout.strip() in every.stdout) == ([2, 1], True, True)


def test_an_invalid_scenario_exits_with_3(run: Run) -> None:
    result = run("explore", "wrong.yaml")
    assert (result.exit_code, result.stdout, result.stderr.count("wrong.yaml:")) == (3, "", 5)


def test_weather_and_a_client_outside_are_searched_too(run: Run) -> None:
    weather = "[{on_off: {up: {exponential: {mean: 5m}}, down: {exponential: {mean: 10s}}}}]"
    result = run("explore", "second.yaml", "--set", f"action.weather={weather}", "--set", "cancel=null", "--crashes=0")
    said = " ".join(result.stdout.split())
    assert "states at different times count as different, because weather knows the time" in said
    outside = run("explore", "second.yaml", "--retrier", "none")
    assert "the server never dies, since the retrier runs outside of it" in " ".join(outside.stdout.split())


# Retriers of the user's own.


def test_a_retrier_of_ones_own_is_found_named_and_replayed(run: Run, own: Path) -> None:
    result = run("explore", "world.yaml", "--retrier", "own:Eager", "--set", "retrier.calls=2", *AGAIN)
    (line,) = lines_behind(result, "to see it again")
    assert line.endswith("-after-success.yaml --retrier own:Eager --set retrier.calls=2")
    assert run(*words_of(line), "--no-plots").exit_code == 4
    assert run("explore", "world.yaml", "--retrier", "own:Eager", "--out", "x", *AGAIN).exit_code == 0
    assert not (own / "x").exists()


def test_a_course_of_a_retrier_that_no_file_can_name_says_how_to_name_it(run: Run, own: Path) -> None:
    run("explore", "world.yaml", "--retrier", "own:Blind")
    result = run("replay", "results/world/world-settles.yaml", "--no-plots")
    assert (result.exit_code, "name a class or a function with --retrier MODULE:NAME" in result.stderr) == (3, True)
    assert own.exists()


def test_several_processes_find_the_same_with_a_retrier_of_ones_own(run: Run, process: Process, own: Path) -> None:
    words = ("explore", "world.yaml", "--retrier", "own:Blind", "--pytest", "--out")
    shared, alone = process(*words, "2", "--workers", "2"), run(*words, "1")
    assert (shared.returncode, shared.stderr) == (4, "")
    assert shared.stdout.replace("2/", "1/") == alone.stdout.replace("2/", "1/").replace("in 1:", "in 2:")
    assert texts(own / "1") == texts(own / "2")


def test_a_retrier_whose_states_cannot_be_compared_is_told_so(run: Run, own: Path) -> None:
    result = run("explore", "world.yaml", "--retrier", "own:Odd")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("world: its states cannot be compared: a set in an argument, a document or a")
    assert own.exists()


def test_ctrl_c_says_how_far_it_came_and_saves_nothing(process: Process, own: Path) -> None:
    done = process("explore", "world.yaml", "--retrier", "own:Interrupting", "--attempts", "20", "--out", "deep/out")
    told, last = done.stderr.split("\n\n")
    assert (done.returncode, done.stdout, last.strip()) == (130, "", "interrupted; nothing was written")
    assert told.startswith("so far: level ")
    assert not (own / "deep").exists()


def test_a_saved_test_fails_readably_until_the_retrier_is_mended(run: Run, process: Process, own: Path) -> None:
    run("explore", "world.yaml", "--retrier", "own:Eager", "--set", "retrier.calls=2", "--pytest", *AGAIN)
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "results/world")
    before = process(program=words)
    (own / "own.py").write_text(OWN.replace("            await call()\n", "            return await call()\n"))
    after = process(program=words)
    assert (before.returncode, after.returncode) == (1, 0)
    said = [line.removeprefix("E").strip() for line in before.stdout.splitlines() if line.startswith("E ")]
    assert said[0].startswith("AssertionError: request 0 is tried again at 2.05s (attempt 3) although attempt 2 succ")
    assert said[2:5] == [
        "the course, undisturbed but for this",
        "at 0 s attempt 1 of request 0 starts: fail",
        "the story of request 0",
    ]


class TestServices:
    TEXT = "world: shared\naction: {service: db}\nservices:\n  db: {servers: 1, LINE}\n  other: {}\nretrier: none\n"

    def test_a_world_with_a_service_is_searched(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "served.yaml"
        path.write_text(self.TEXT.replace("LINE", "network: {request: {constant: 1ms}}").replace("  other: {}\n", ""))
        found = run("explore", str(path), "--requests", "2")
        assert (found.exit_code, "10 states, 2 executions" in found.output) == (0, True)

    def test_a_service_that_calls_others_is_refused_at_its_place(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "layers.yaml"
        path.write_text(self.TEXT.replace("LINE", "calls: [{service: other}]"))
        found = run("explore", str(path))
        assert (found.exit_code, f"{path}:4:20: services.db.calls: a search cannot" in found.output) == (3, True)
