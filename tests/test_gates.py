"""The hook for pre-commit and the composite action do what they say, run as they would be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
SCENARIO = "name: gated\nrequests: {count: 300}\naction: {outcomes: {fail: 20%}}\nretrier: RETRIER\n"
PATIENT = "{kind: component, max_failures: 6}"


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_the_hook_validates_the_files_that_it_is_given(tmp_path: Path) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    program, command = hook["entry"].split()
    assert (program, command in COMMANDS, hook["language"]) == ("retrysim", True, "python")
    bad = tmp_path / "bad.yaml"
    bad.write_text("retrier: helper\n")
    words = [sys.executable, "-m", "sim", command, str(bad)]
    found = subprocess.run(  # noqa: S603  # our own command
        words, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert found.returncode == 3
    assert "did you mean 'helpers'?" in found.stdout + found.stderr


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-C", str(folder), *words]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # as above


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose branch `base` is less patient than what is checked out."""
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q", "-b", "base")
    (project / "gated.yaml").write_text(SCENARIO.replace("RETRIER", "none"))
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "base")
    git(project, "checkout", "-q", "-b", "head")
    (project / "gated.yaml").write_text(SCENARIO.replace("RETRIER", PATIENT))
    return project


def gate(project: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the last step of the action as a runner would."""
    step = read("action.yml")["runs"]["steps"][-1]
    defaults = {name: one.get("default", "") for name, one in read("action.yml")["inputs"].items()}
    values = {**defaults, "scenario": "gated.yaml", "arguments": "--no-plots", **inputs}
    given = {
        name: values[text.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, text in step["env"].items()
        if text.startswith("${{ inputs.")
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **given, "PATH": path}
    bash = shutil.which("bash") or "bash"
    command = [bash, "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(  # noqa: S603  # as above
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_action_passes_what_changes_nothing_for_the_worse(project: Path) -> None:
    found = gate(project, **{"base": "base", "fail-if": "\n  success.rate < -1%\n"})
    assert (found.returncode, found.stderr) == (0, "")
    assert {path.name for path in (project / "retrysim-results").glob("*.xml")} == {"head.xml", "comparison.xml"}


def test_the_action_fails_what_a_condition_forbids(project: Path) -> None:
    found = gate(project, **{"base": "base", "fail-if": "success.rate < -1%\nattempts.mean > +10%"})
    assert found.returncode == 99
    assert "attempts.mean" in (project / "retrysim-results" / "comparison.xml").read_text("utf-8")


@pytest.mark.slow
def test_the_action_fails_a_missed_expectation_without_a_base(project: Path) -> None:
    text = (project / "gated.yaml").read_text("utf-8")
    (project / "gated.yaml").write_text(f"{text}expect: [attempts.mean <= 1.01]\n")
    assert gate(project).returncode == 99


@pytest.mark.slow
def test_a_verdict_that_is_left_open_may_pass(project: Path) -> None:
    text = (project / "gated.yaml").read_text("utf-8")
    (project / "gated.yaml").write_text(f"{text}expect: [attempts.mean <= 1.25]\n")
    assert (gate(project).returncode, gate(project, inconclusive="pass").returncode) == (98, 0)
