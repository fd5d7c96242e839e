"""The pytest plugin as its users see it: which tests it collects, what failures say, and that their commands work."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from sim.cli.main import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    Run = Callable[..., pytest.RunResult]
    Shell = Callable[[str, Path], subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
PLUGIN = () if entry_points(group="pytest11", name="retrysim") else ("-p", "sim.testing.plugin")
HEAVY = ("numpy", "scipy", "matplotlib", "simpy", "pydantic", "yaml", "rich", "click")

CRASHES = """
seed: 1
requests: {count: 60}
action:
  latency: {constant: 300ms}
  outcomes: {crash_before_effect: 0.15, crash_after_effect: 0.15}
"""
MINE = '''
import sim
from sim.promises.promises import Promises


class Mine(sim.LoopRetrier):
    """Makes one attempt more than it promises."""

    kind = "mine"

    class Options(sim.LoopRetrier.Options):
        tries: int = 2
        pause: str = "a: b"

    def promises(self):
        return Promises(attempts_at_most=self.options.tries)

    async def retry(self, call, ctx):
        for tried in range(self.options.tries + 1):
            try:
                return await call()
            except sim.CallFailed:
                if tried == self.options.tries:
                    raise
                await ctx.sleep(100)
'''
FLAKY = "{seed: 4, action: {outcomes: {fail: 0.5}}}"


class ImportedModules:
    """The modules that test runs inside this process import; pytester drops them, but NumPy does not survive that.

    A plugin of these runs, which sees at their ends what they have imported.
    """

    def __init__(self) -> None:
        self.modules: dict[str, ModuleType] = {}

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        self.note(str(config.rootpath))

    def note(self, own: str) -> None:
        """Note what is imported now, without modules from the test's own folder."""
        for name, module in sys.modules.items():
            if not (getattr(module, "__file__", None) or own).startswith(own):
                self.modules.setdefault(name, module)

    def put_back(self) -> None:
        for name, module in self.modules.items():
            sys.modules.setdefault(name, module)


@pytest.fixture(autouse=True)
def imported() -> Iterator[ImportedModules]:
    """Put modules back after pytester, which is set up later and so taken down earlier."""
    imported = ImportedModules()
    yield imported
    imported.put_back()


@pytest.fixture
def run(imported: ImportedModules, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with the plugin in a folder of its own, in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("CI", "true")  # so pytest repeats every failure in full in its summary
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def run(*words: str) -> pytest.RunResult:
        result = pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *words, plugins=[imported])
        imported.put_back()
        return result

    return run


def line_of(result: pytest.RunResult) -> str:
    """The line that a failure prints to see it again; there is one."""
    lines = [line.strip() for line in result.outlines]
    (line,) = [lines[number + 1] for number, line in enumerate(lines) if line in TO_SEE]
    return line


TO_SEE = ("to see it again", "to see one happen")


def story(lines: list[str]) -> list[str]:
    """The story that a failure tells."""
    told = [line.strip() for line in lines]
    start = told.index("its story") + 1
    return told[start : told.index("", start)]


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a printed line as its reader would."""
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(  # noqa: S602  # the line is made for a shell
        f"{line} --no-plots", shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def here(imported: ImportedModules, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a printed line inside this process, which costs a tenth."""

    def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        if words[0].startswith("PYTHONPATH="):
            monkeypatch.syspath_prepend(folder / words.pop(0).removeprefix("PYTHONPATH="))
        assert words[0] == "retrysim"
        done = CliRunner().invoke(cli, [*words[1:], "--no-plots"])
        imported.note(str(pytester.path))
        return subprocess.CompletedProcess(line, done.exit_code, done.stdout, done.stderr)

    return run


def assert_replays(result: pytest.RunResult, folder: Path, by: Shell) -> None:
    """Run the line that a failure prints, and find the story that the failure tells."""
    done = by(line_of(result), folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.strip() for line in done.stdout.splitlines()[1:]] == story(result.outlines)


# How it is loaded.


def test_the_plugin_is_announced_to_pytest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"retrysim": "sim.testing.plugin"}


def test_a_run_that_does_not_use_it_pays_next_to_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        f"""
        import sys

        def pytest_unconfigure():
            print("heavy:", [name for name in {HEAVY!r} if name in sys.modules])
            print("ours:", sorted(name for name in sys.modules if name.split(".")[0] == "sim"))
        """
    )
    pytester.makepyfile("def test_nothing(): pass")
    pytester.makefile(".yaml", scenario="{retrier: none, check: all}")
    result = pytester.runpytest_subprocess(*PLUGIN, "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["heavy: []", "ours: ['sim', 'sim.testing', 'sim.testing.plugin', 'sim.testing.stash']"]
    )


# Scenario files.


def test_scenario_files_with_expect_or_check_are_tests_one_a_cell(pytester: pytest.Pytester, run: Run) -> None:
    files = {
        "one": "{retrier: none, requests: {count: 5}, expect: [amplification <= 1]}",
        "cells": "{requests: {count: 5}, variants: {a: {retrier: none}, b c: {retrier: helpers}}, check: all}",
        "some": "{retrier: none, requests: {count: 5}, variants: {a: {check: [settles]}, b: {}}}",
        "silent": "{retrier: none}",
        "compose": "services: {web: {image: x, healthcheck: {check: y}}}",
        "tagged": "check: !!python/none\nanchor: &a 1",
        "listed": "[{check: all}]",
    }
    for name, text in files.items():
        pytester.makefile(".yaml", **{name: text})
    pytester.makefile(".yml", other="{retrier: none, requests: {count: 5}, check: all}")
    result = run("--retrysim", "-v")
    assert [line.partition(" PASSED")[0] for line in result.outlines if " PASSED" in line] == [
        "cells.yaml::a",
        "cells.yaml::b-c",
        "one.yaml::all",
        "other.yml::all",
        "some.yaml::a",
    ]
    assert run().parseoutcomes() == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{retrier: none}", "scenario.yaml: there is nothing to test: the scenario has neither expect nor check"),
        (
            "retrier: helper\ncheck: [setles]",
            "scenario.yaml:2:9: check[0]: there is no invariant 'setles'; did you mean 'settles'?",
        ),
    ],
)
def test_mistakes_in_a_file_are_reported_with_their_places(
    pytester: pytest.Pytester, run: Run, text: str, told: str
) -> None:
    pytester.makefile(".yaml", scenario=text)
    result = run("--retrysim", "scenario.yaml")
    assert result.parseoutcomes() == {"errors": 1}
    assert told in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_an_expectation_that_is_not_met_fails_with_its_verdict_and_a_line_that_shows_why(
    pytester: pytest.Pytester, run: Run
) -> None:
    expect = "expect: [success.rate >= 99%, duplicates.rate <= 20%, time_to_effect.p50 <= 1ms]"
    pytester.makefile(".yaml", scenario=f"{CRASHES}retrier: none\n{expect}")
    result = run("--retrysim")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "missed: success.rate >= 99%; it is *",
            "missed: time_to_effect.p50 <= 1ms; it is 300 ms*",
            "to see one happen",
        ]
    )
    assert [line for line in result.outlines if "met:" in line or "site-packages" in line or "sim/" in line] == []
    assert shlex.split(line_of(result))[:3] == ["retrysim", "replay", "scenario.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("-n", "1")])
def test_a_failure_is_summed_up_in_its_first_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makefile(".yaml", scenario=f"{CRASHES}retrier: none\nexpect: [success.rate >= 99%, attempts.max <= 0]")
    pytester.makepyfile(test_mine=f"{MINE}\ndef test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n")
    result = pytester.runpytest_subprocess(*PLUGIN, "--retrysim", "-p", "no:cacheprovider", *words)
    summary = result.outlines[[" short test summary " in line for line in result.outlines].index(True) + 1 : -1]
    told = sorted(line.partition(" - ")[2].partition(" (")[0] for line in summary)
    assert told == ["broken: attempts-within-budget", "missed: success.rate >= 99%; it is 70.00 %"]


def test_an_inconclusive_expectation_fails_and_says_what_would_settle_it(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makefile(".yaml", scenario=f"{CRASHES}retrier: none\nexpect: [success.rate >= 73%]")
    result = run("--retrysim")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["inconclusive: success.rate >= 73%; it is *would settle it"])


def test_a_broken_invariant_fails_with_its_story_and_the_line_that_replays_it(
    pytester: pytest.Pytester, run: Run, here: Shell
) -> None:
    folder = pytester.mkdir("scenarios")
    cells = "variants: {a: {retrier: helpers}, b c: {retrier: component}}\ncheck: [settles]\n"
    (folder / "crashes.yaml").write_text(CRASHES + cells)
    result = run("--retrysim")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["broken: settles (*), of 60 requests, seed 1", "*never settles*"])
    assert shlex.split(line_of(result))[2:] == ["scenarios/crashes.yaml", "--request", "0", "--cell", "b-c"]
    assert_replays(result, pytester.path, here)


HANGS = "{retrier: none, action: {outcomes: {hang: 0.5}}, check: [settles], course: {answers: [%s]}}"


def test_a_scenario_that_is_a_course_is_played(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    pytester.makefile(".yaml", undisturbed=HANGS % "", hangs=HANGS % "{question: 0, answer: 1}")
    result = run("--retrysim")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*never settles*", "the course, undisturbed but for this", "the story of request 0"])
    assert line_of(result) == "retrysim replay hangs.yaml"
    done = here(line_of(result), pytester.path)
    assert done.returncode == 4
    assert "never settles" in " ".join(done.stdout.split())


# The fixture.


def test_the_fixture_takes_any_form_of_a_scenario_and_returns_the_result(pytester: pytest.Pytester, run: Run) -> None:
    pytester.mkdir("deep")
    pytester.makefile(".yaml", **{"deep/here": "{retrier: none, requests: {count: 7}, seed: 3}"})
    pytester.path.joinpath("deep/test_forms.py").write_text(
        """
import pathlib
import pytest
import sim

TEXT = "{retrier: none, requests: {count: 7}, seed: 3}"
FORMS = [
    TEXT,
    "here.yaml",
    pathlib.Path("here.yaml"),
    {"retrier": "none", "requests": {"count": 7}, "seed": 3},
    sim.scenario.parse(TEXT),
    sim.scenario.from_dict({"retrier": "none", "requests": {"count": 7}, "seed": 3}),
]

@pytest.mark.parametrize("form", FORMS)
def test_forms(simulate, form):
    result = simulate(form)
    assert isinstance(result, sim.Result)
    assert (len(result.requests()), result.scenario.seed) == (7, 3)
    assert len(simulate(form, requests=4).requests()) == 4
    assert simulate(form, retrier="helpers").requests().polls.min() > 0

def test_defaults(simulate):
    assert len(simulate("retrier: none").requests()) == 100
    several = simulate("{retrier: none, variants: {a: {requests.count: 3}, b: {requests: {count: 4}}}}")
    assert [len(cell.requests) for cell in several.cells] == [3, 4]

def test_the_scenario_given_is_not_changed(simulate):
    values = {"requests": {"count": 7}}
    simulate(values, retrier="none", requests=3)
    assert values == {"requests": {"count": 7}}
"""
    )
    run().assert_outcomes(passed=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "where"),
    [
        ("prepend", "test file"),
        ("importlib", "test file"),
        ("prepend", "package"),
        ("importlib", "beside"),
        ("prepend", "other root"),
    ],
)
def test_the_line_of_a_retrier_of_ones_own_replays_it(
    pytester: pytest.Pytester, run: Run, mode: str, where: str
) -> None:
    folder = pytester.mkdir("checks")
    test = f"def test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n"
    words = ["--import-mode", mode]
    if where in {"test file", "package"}:
        folder.joinpath("test_mine.py").write_text(f"{MINE}\n{test}")
        if where == "package":
            folder.joinpath("__init__.py").touch()
    elif where == "beside":
        folder.joinpath("mine.py").write_text(MINE)
        folder.joinpath("test_mine.py").write_text(f"from mine import Mine\n{test}")
        if mode == "importlib":
            words += ["-o", "pythonpath=checks"]
    else:
        pytester.mkdir("src").joinpath("mine.py").write_text(MINE)
        folder.joinpath("test_mine.py").write_text(f"from mine import Mine\n{test}")
        words += ["-o", "pythonpath=src"]
    result = run(*words)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["broken: attempts-within-budget (*), of 100 requests, seed 4"])
    assert_replays(result, pytester.path, shell)


SCHEDULED = """
import sim


class OneLook(sim.ScheduledRetrier):
    kind = "one-look"

    def bind(self, action):
        self.action = action
        self.look = sim.mutation("retry", self.look_at, poll=True)

    def submit(self, ctx):
        ctx.run_after(500, self.look, {"job": ctx.run_after(0, self.action)})

    def look_at(self, ctx, args):
        if ctx.get_job(args["job"]).state == "success":
            ctx.settle(sim.Outcome.success)


def test_one_look(simulate):
    simulate("{action: {outcomes: {fail: 0.1}}}", retrier=OneLook)
"""


def test_a_retrier_inside_the_deployment_is_replayed_too(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    pytester.makepyfile(test_scheduled=SCHEDULED)
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["broken: settles (*), of 100 requests, seed 0"])
    assert_replays(result, pytester.path, here)


def test_options_of_an_instance_are_part_of_the_line(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    pytester.makepyfile(
        test_mine=f"{MINE}\ndef test_mine(simulate):\n"
        f"    simulate({FLAKY!r}, retrier=Mine(Mine.Options(tries=3, pause='x: [y')))\n"
    )
    result = run()
    result.assert_outcomes(failed=1)
    assert shlex.split(line_of(result))[-6:-2] == ["--set", "retrier.tries=3", "--set", 'retrier.pause="x: [y"']
    assert_replays(result, pytester.path, here)


def test_a_line_works_from_where_pytest_was_started(
    pytester: pytest.Pytester, run: Run, here: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nretrysim_dir = kept here")
    below = pytester.mkdir("some tests")
    below.joinpath("test_mine.py").write_text(
        f"{MINE}\ndef test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n"
    )
    monkeypatch.chdir(below)
    result = run()
    result.assert_outcomes(failed=1)
    words = shlex.split(line_of(result))
    assert words[:2] == ["retrysim", "replay"]
    assert words[2].startswith("../kept here/test_mine-")
    assert_replays(result, below, here)
    assert sorted(path.suffix for path in pytester.path.joinpath("kept here").iterdir()) == ["", ".yaml"]


LOCAL = f"""
{MINE}

class Counted(Mine):
    def __init__(self, options=None, *, tries=3):
        super().__init__(Mine.Options(tries=tries))

def test_local(simulate):
    class Local(Mine):
        pass
    simulate({FLAKY!r}, retrier=Local)

def test_own_constructor(simulate):
    simulate({FLAKY!r}, retrier=Counted(tries=4))

@pytest.mark.parametrize("share", [0.6])
def test_measured_in_python(simulate, share):
    law = Empirical(file="measured", column="x_ns").with_values([3, 1, 2], "0" * 64)
    scenario = sim.Scenario.model_validate({{"retrier": "none", "action": {{"latency": law}}}})
    simulate(scenario, retrier=Mine, invariants=[never])

@invariant()
def never(view):
    '''Nothing ever happens.'''
    yield breach(0, "something happens", view.events[0])
"""


def test_what_the_command_line_cannot_make_is_replayed_by_the_test(pytester: pytest.Pytester, run: Run) -> None:
    imports = (
        "import pytest\nfrom sim.contracts.catalogue import breach, invariant\n"
        "from sim.laws.distributions import Empirical"
    )
    pytester.makepyfile(test_local=f"{imports}\n{LOCAL}")
    result = run()
    result.assert_outcomes(failed=3)
    lines = [line.strip() for line in result.outlines]
    assert [lines[at + 1] for at, line in enumerate(lines) if line in TO_SEE] == [
        "pytest test_local.py::test_local",
        "pytest test_local.py::test_own_constructor",
        "pytest 'test_local.py::test_measured_in_python[0.6]'",
    ]


def test_files_that_a_scenario_names_are_kept_with_it(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    pytester.mkdir("data").joinpath("latencies.csv").write_text("latency_ms\n1\n5\n20\n")
    text = "{action: {latency: {empirical: {file: data/latencies.csv, column: latency_ms}}, outcomes: {fail: 0.5}}}"
    pytester.makepyfile(test_mine=f"{MINE}\ndef test_mine(simulate):\n    simulate({text!r}, retrier=Mine)\n")
    result = run()
    result.assert_outcomes(failed=1)
    pytester.path.joinpath("data/latencies.csv").unlink()
    assert_replays(result, pytester.path, here)


def test_a_leak_between_requests_is_shown_again_by_a_run(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    leaky = (
        MINE.replace("for tried in range(self.options.tries + 1):", "while True:")
        .replace(
            "if tried == self.options.tries:",
            "Mine.failed += 1\n                if Mine.failed % 7 == 0:",
        )
        .replace('kind = "mine"', 'kind = "mine"\n    failed = 0')
        .replace("attempts_at_most=self.options.tries", "")
    )
    pytester.makepyfile(test_mine=f"{leaky}\ndef test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n")
    result = run()
    result.assert_outcomes(failed=1)
    line = line_of(result)
    assert shlex.split(line)[:2] == ["retrysim", "run"]
    assert "--check" in line
    done = here(line, pytester.path)
    assert done.returncode == 4
    (first,) = [line for line in result.outlines if line.startswith("request ")]
    assert first in done.stdout


def test_a_failing_assertion_tells_how_to_simulate_it_again(pytester: pytest.Pytester, run: Run, here: Shell) -> None:
    pytester.makepyfile(
        """
        def test_of_my_own(simulate):
            simulate("retrier: none", requests=3)
            result = simulate("{retrier: helpers, seed: 5}", requests=3)
            assert result.requests().attempts.max() == 17

        def test_without_a_simulation(simulate):
            assert False
        """
    )
    result = run()
    result.assert_outcomes(failed=2)
    headers = [line for line in result.outlines if "retrysim: to simulate it again" in line]
    assert len(headers) == 1
    line = result.outlines[result.outlines.index(headers[0]) + 1]
    assert shlex.split(line)[3:] == ["--seed", "5"]
    done = here(line, pytester.path)
    assert done.returncode == 0
    assert "test_of_my_own: isolated world, 3 requests a cell, seed 5" in done.stdout


def test_a_mistake_in_a_retrier_comes_with_the_line_that_makes_it_again(
    pytester: pytest.Pytester, run: Run, here: Shell
) -> None:
    wrong = MINE.replace("await ctx.sleep(100)", "await ctx.sleep(None)")
    pytester.makepyfile(test_mine=f"{wrong}\ndef test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n")
    result = run()
    result.assert_outcomes(failed=1)
    (header,) = [line for line in result.outlines if "retrysim: to simulate it again" in line]
    done = here(result.outlines[result.outlines.index(header) + 1], pytester.path)
    assert done.returncode == 3
    assert "test_mine.py" in done.stderr
    assert "TypeError" in done.stderr


def test_the_fixture_plays_no_course(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        f"""
        import pytest
        import sim

        def test_course(simulate):
            with pytest.raises(sim.ScenarioError, match="this is one course of events"):
                simulate({HANGS % ""!r})
        """
    )
    run().assert_outcomes(passed=1)


def test_a_scenario_whose_every_cell_has_its_retrier_takes_no_other(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest
        import sim

        SWEEP = {"sweep": {"retrier": ["none", "helpers"]}}

        @pytest.mark.parametrize("cells", [SWEEP, {"variants": {"a": {"retrier": "none"}}}])
        def test_cells(simulate, cells):
            with pytest.raises(ValueError, match="set the retrier in every cell"):
                simulate(cells, retrier="helpers")
            with pytest.raises(ValueError, match="set the retrier in every cell"):
                simulate(sim.scenario.from_dict(cells), retrier="helpers")
        """
    )
    run().assert_outcomes(passed=2)


# Seeds.


def test_the_marker_makes_one_test_a_seed(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.retrysim(seeds=3)
        def test_counted(simulate, retrysim_seed):
            assert simulate("{retrier: none, seed: 77}", requests=2).scenario.seed == retrysim_seed

        @pytest.mark.retrysim(seeds=[7, 2**63 - 1])
        @pytest.mark.parametrize("kind", ["none", "helpers"])
        def test_listed(simulate, kind):
            assert simulate("{}", retrier=kind, requests=2).scenario.seed in (7, 2**63 - 1)

        def test_unmarked(simulate, retrysim_seed):
            assert simulate("{retrier: none, seed: 77}", requests=2).scenario.seed == 77
            assert retrysim_seed is None
        """
    )
    result = run("-v", "--strict-markers")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["*test_counted?seed=0? PASSED*", "*test_counted?seed=2? PASSED*"])
    assert "test_listed[seed=9223372036854775807-none]" in result.stdout.str()


def test_many_seeds_leave_one_file_and_lines_that_differ_in_the_seed(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        test_mine=f"import pytest\n{MINE}\n@pytest.mark.retrysim(seeds=4)\n"
        f"def test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n"
    )
    result = run()
    result.assert_outcomes(failed=4)
    lines = [shlex.split(line) for line in result.outlines if line.strip().startswith("retrysim replay")]
    assert [words[4] for words in lines] == ["0", "1", "2", "3"]
    assert len({words[2] for words in lines}) == len(list(pytester.path.joinpath(".retrysim").glob("*.yaml"))) == 1


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("retrysim", "write retrysim(seeds=200), or a list of seeds from 0 to 2^63 - 1"),
        ("retrysim(5)", "write retrysim(seeds=200)"),
        ("retrysim(seeds=0)", "write retrysim(seeds=200)"),
        ("retrysim(seeds=[1, -1])", "write retrysim(seeds=200)"),
        ("retrysim(seeds='ab')", "write retrysim(seeds=200)"),
        ("retrysim(seeds=3, requests=4)", "write retrysim(seeds=200)"),
    ],
)
def test_a_marker_without_proper_seeds_is_an_error(pytester: pytest.Pytester, run: Run, marker: str, told: str) -> None:
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it(simulate): pass\n")
    result = run()
    assert result.parseoutcomes() == {"errors": 1}
    assert told in result.stdout.str()


def test_a_marker_on_a_test_without_the_fixture_is_an_error(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.retrysim(seeds=2)\ndef test_it(): pass\n")
    result = run()
    assert result.parseoutcomes() == {"errors": 1}
    assert "sets the seed of the fixture `simulate`, but this test does not use the fixture" in result.stdout.str()


# Several processes.


@pytest.mark.slow
def test_seeds_cells_and_lines_are_the_same_over_several_processes(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".yaml", scenario=f"{CRASHES}variants: {{a: {{retrier: none}}, b: {{retrier: component}}}}\ncheck: all\n"
    )
    pytester.makepyfile(
        test_mine=f"import pytest\n{MINE}\n@pytest.mark.retrysim(seeds=6)\n"
        f"def test_mine(simulate):\n    simulate({FLAKY!r}, retrier=Mine)\n"
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "--retrysim", "-n", "2", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=7)
    lines = [line.strip() for line in result.outlines if line.strip().startswith("retrysim replay")]
    assert len(lines) == 7
    (saved,) = pytester.path.joinpath(".retrysim").glob("*.yaml")
    expected = [
        f"retrysim replay .retrysim/{saved.name} --seed {seed} --retrier test_mine:Mine --request" for seed in range(6)
    ]
    assert sorted(line.rpartition(" ")[0] for line in lines if "--seed" in line) == expected


def test_a_retrier_that_draws_from_the_global_generator_fails_the_test(pytester: pytest.Pytester, run: Run) -> None:
    shared = {
        "world": "shared",
        "requests": {"count": 40, "arrivals": {"constant": {"rate": "2/s"}}},
        "action": {"outcomes": {"fail": 0.5}},
    }
    mine = MINE.replace("await ctx.sleep(", "await ctx.sleep(random.random() + ")
    call = f"simulate({shared!r}, retrier=Mine, invariants=())"
    pytester.makepyfile(test_mine=f"import random\n{mine}\ndef test_mine(simulate):\n    {call}\n")
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["NOT REPEATABLE: request *"])


def test_a_mistake_of_a_guest_is_told_without_the_lines_of_the_simulation(pytester: pytest.Pytester) -> None:
    guest = "def guest(call):\n    call(1, 2)\n"
    pytester.makepyfile(test_mine=f"{guest}def test_mine(simulate):\n    simulate({FLAKY!r}, retrier=guest)\n")
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["E * the guest calls with `call(1, 2)`: it takes a timeout * (*test_mine.py:2)"])
    result.stdout.no_fnmatch_line("*strands.py*")


def test_a_mistake_of_a_guest_or_a_scenario_is_shown_at_the_line_of_the_test(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(
        """
        def test_guest(simulate):
            simulate({"requests": {"count": 1}}, retrier=lambda call: 1)

        def test_scenario(simulate):
            simulate({"actoin": 1}, retrier="none")
        """
    )
    result = run()
    result.assert_outcomes(failed=2)
    places = [line for line in result.outlines if ".py:" in line and not line.startswith(("FAILED", "pytest ", "E "))]
    assert [place.split(":")[0].endswith("line_of_the_test.py") for place in places] == [True, True]
    result.stdout.fnmatch_lines(["*the guest returns without having called*", "*unknown key 'actoin'*"])
