"""`--service NAME=MODULE:CLASS` on the command line: runs, workers, results, replays, mistakes, and repeats."""

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
WORLD = """
world: shared
replications: 3
requests: {count: 60, arrivals: {poisson: {rate: 40/s}}}
retrier: {kind: policy, attempts: 3, delay: {constant: 50ms}}
action: {service: db}
services: {db: {servers: 2, queue: {limit: 10}}}
"""
WORDS = ("world.yaml", "--no-plots")
OWN = ("--service", "db=own_services:Cache")


@pytest.fixture(autouse=True)
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "own_services", raising=False)
    (folder / "world.yaml").write_text(WORLD)


def test_a_run_with_workers_has_the_numbers_of_one_without(run: Run) -> None:
    alone = run("run", *WORDS, *OWN, "--out", "a")
    shared = run("run", *WORDS, *OWN, "--out", "b", "--workers", "2")
    assert (alone.exit_code, shared.exit_code) == (0, 0), alone.stderr + shared.stderr
    summaries = [json.loads(Path(f"{out}/summary.json").read_text()) for out in "ab"]
    assert summaries[0]["cells"] == summaries[1]["cells"]


def test_the_line_of_a_run_and_that_of_show_replay_with_the_class(run: Run) -> None:
    done = run("run", *WORDS, *OWN)
    shown = run("show", "results/world")
    lines = [line.strip() for text in (done.stdout, shown.stdout) for line in text.splitlines() if "replay " in line]
    assert len(lines) == 2
    for line in lines:
        assert "--service db=own_services:Cache" in line
        assert run(*shlex.split(line)[1:]).exit_code == 0


@pytest.mark.parametrize(
    "change", ["services.db.servers=2", "services.db={}", "variants={few: {services.db.pages: 3}}"]
)
def test_results_are_shown_without_the_code(run: Run, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    done = run("run", *WORDS, *OWN, "--set", change)
    assert done.exit_code == 0, done.stderr
    monkeypatch.setitem(sys.modules, "own_services", None)
    shown = run("show", "results/world")
    assert (shown.exit_code, shown.stderr) == (0, "")


def test_another_class_is_another_run(run: Run) -> None:
    run("run", *WORDS, *OWN)
    refused = run("run", *WORDS, "--service", "db=own_services:Constant")
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert "has the results of world.yaml with --service db=own_services:Cache" in told


def test_its_options_are_set_as_those_of_the_service(run: Run) -> None:
    assert run("run", *WORDS, *OWN, "--set", "services.db.pages=3").exit_code == 0
    refused = run("run", *WORDS, *OWN, "--set", "services.db.latency={constant: 1s}", "--out", "x")
    assert refused.exit_code == 3
    assert "services.db.latency: cannot matter beside --service own_services:Cache" in refused.stderr


def test_a_mistake_in_the_class_is_told_with_its_line(run: Run) -> None:
    result = run("run", *WORDS, "--service", "db=own_services:Mistaken")
    assert result.exit_code == 3
    first, *rest = result.stderr.splitlines()
    assert first == "--service db=own_services:Mistaken: ZeroDivisionError: division by zero"
    told = " ".join(" ".join(rest).split())
    assert "raised by service 'db' (own_services:Mistaken) at call 1 for request 2" in told
    assert "own_services.py:" in told


def test_a_class_that_does_not_exist_is_told_at_its_option(run: Run) -> None:
    result = run("run", *WORDS, "--service", "db=own_services:Nothing")
    assert result.exit_code == 3
    assert "--service db" in result.stderr
    assert "module 'own_services' has no 'Nothing'" in result.stderr


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("db", "is not NAME=MODULE:CLASS"),
        ("db=Cache", "is not NAME=MODULE:CLASS"),
        ("=a:B", "is not NAME=MODULE:CLASS"),
    ],
)
def test_a_value_of_another_form_is_refused(run: Run, value: str, reason: str) -> None:
    result = run("run", *WORDS, "--service", value)
    assert (result.exit_code, reason in " ".join(result.stderr.split())) == (2, True)


def test_a_service_is_given_one_class(run: Run) -> None:
    result = run("run", *WORDS, *OWN, *OWN)
    assert (result.exit_code, "service 'db' is given twice" in result.stderr) == (2, True)


def test_a_class_that_leaks_is_told(run: Run) -> None:
    result = run("run", *WORDS, "--service", "db=own_services:OfTheModule")
    assert (result.exit_code, "NOT REPEATABLE" in result.stdout) == (4, True)


def test_a_search_says_that_it_cannot_look_into_a_class(run: Run) -> None:
    result = run("explore", "world.yaml", *OWN)
    assert result.exit_code == 3
    assert "cannot look into a service that is a class of your own" in " ".join(result.stderr.split())
