"""`retrysim validate` and `retrysim schema`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from sim.scenario.identity import digest
from sim.scenario.load import load

Run = Callable[..., Result]


def test_good_files_are_told_on_stdout_with_their_size_and_digest(run: Run) -> None:
    result = run("validate", "shared.yaml")
    told = f"shared.yaml: ok, 1 cell, 120 requests, digest {digest(load('shared.yaml'))[:12]}\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, told, "")


def test_a_bad_file_among_good_ones_exits_with_3_and_hides_no_other(run: Run) -> None:
    result = run("validate", "missing.yaml", "smallest.yaml", "wrong.yaml")
    assert result.exit_code == 3
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["smallest.yaml"]
    assert {line.split(":")[0] for line in result.stderr.splitlines()} == {"missing.yaml", "wrong.yaml"}


def test_nothing_is_written(run: Run, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    run("validate", "verdicts.yaml", "wrong.yaml")
    assert sorted(folder.rglob("*")) == before


def test_a_run_beyond_its_limits_is_refused(run: Run) -> None:
    Path("large.yaml").write_text("{retrier: helpers, requests: {count: 1000000}, limits: {events: 1000}}")
    result = run("validate", "large.yaml")
    assert (result.exit_code, result.stderr.startswith("large.yaml:1:")) == (3, True)
    assert "more than limits.events (1,000)" in result.stderr


@pytest.mark.parametrize("name", ["smallest", "verdicts", "crashes", "shared"])
def test_what_resolved_prints_is_a_scenario_with_the_same_digest(run: Run, name: str) -> None:
    text = run("validate", "--resolved", f"{name}.yaml").stdout
    Path("resolved.yaml").write_text(text)
    assert run("validate", "resolved.yaml").stdout.split("digest ")[1] == f"{digest(load(f'{name}.yaml'))[:12]}\n"
    assert text.startswith(f"# digest {digest(load(f'{name}.yaml'))}\n")


def test_resolved_says_every_default(run: Run) -> None:
    resolved = yaml.safe_load(run("validate", "--resolved", "smallest.yaml").stdout)
    assert resolved["retrier"] == {
        "kind": "helpers",
        "wait_backoff": "100ms",
        "retry_backoff": "100ms",
        "base": 2.0,
        "max_failures": 16,
    }


def test_resolved_shows_one_file(run: Run) -> None:
    result = run("validate", "--resolved", "smallest.yaml", "shared.yaml")
    assert (result.exit_code, "--resolved prints one file" in result.stderr) == (2, True)


def test_a_bad_file_has_no_resolved_form(run: Run) -> None:
    result = run("validate", "--resolved", "wrong.yaml")
    assert (result.exit_code, result.stdout) == (3, "")


def test_a_file_is_needed(run: Run) -> None:
    assert run("validate").exit_code == 2


def test_the_schema_is_the_one_that_ships(run: Run) -> None:
    result = run("schema")
    shipped = Path(__file__).parents[2] / "sim" / "scenario" / "scenario.schema.json"
    assert (result.exit_code, result.stdout) == (0, shipped.read_text(encoding="utf-8"))
    assert json.loads(result.stdout)["type"] == "object"
