"""What people read, word for word."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

GOLDEN = Path(__file__).parent / "golden"
LINES = {
    "run-verdicts": "run verdicts.yaml --no-plots",
    "run-crashes": "run crashes.yaml --no-plots",
    "run-shared": "run shared.yaml --no-plots",
    "run-over-time": "run over-time.yaml --no-plots",
    "run-smallest": "run smallest.yaml --requests 200 --no-plots",
    "run-check": "run crashes.yaml --check --no-plots",
    "run-check-cells": "run verdicts.yaml --check --no-plots",
    "run-wrong": "run wrong.yaml",
    "validate": "validate verdicts.yaml wrong.yaml shared.yaml missing.yaml",
    "validate-resolved": "validate --resolved verdicts.yaml",
    "replay-stuck": "replay crashes.yaml --request 0 --no-plots",
    "replay-shared": "replay shared.yaml --request 104 --no-plots",
    "replay-cell": "replay verdicts.yaml --request 140 --cell as-shipped --no-plots",
    "replay-which-cell": "replay verdicts.yaml --request 140",
    "replay-no-such-cell": "replay verdicts.yaml --request 140 --cell as-shiped",
    "replay-no-such-request": "replay shared.yaml --request 120",
    "replay-course": "replay second-settles.yaml --no-plots",
    "run-course": "run second-settles.yaml",
    "run-precision": "run precision.yaml --no-plots",
    "explore": "explore second.yaml --pytest",
    "explore-undisturbed": "explore second.yaml --crashes 0 --attempts 0 --set retrier.on_complete_fails=true",
    "explore-nothing-broken": "explore second.yaml --set retrier.kind=component-repaired --values backoff=0,0.9",
    "explore-wrong": "explore second.yaml --invariant setles",
    "tune": "tune tune.yaml",
    "tune-none": "tune tune.yaml --no-plots --set 'tune.constraints=[amplification <= 1]'",
    "tune-refused": "tune tune.yaml --set action.weather=[]",
    "presets": "presets",
    "presets-cases": "presets botocore-standard-1.44",
    "presets-hedge": "presets grpc-hedge",
    "presets-wrong": "presets stamna",
    "help": "--help",
    "help-run": "run --help",
    "help-validate": "validate --help",
    "help-fit": "fit --help",
    "help-replay": "replay --help",
    "help-compare": "compare --help",
    "help-explore": "explore --help",
    "help-show": "show --help",
    "help-export": "export --help",
    "help-tune": "tune --help",
    "help-presets": "presets --help",
    "help-schema": "schema --help",
}


COMPARISONS = {
    "compare-cells": "compare results/verdicts --cells 'never again' as-shipped --fail-if 'attempts.mean > +10%' "
    "--fail-if 'duplicates.rate > +3%' --fail-if 'success.rate < -1%'",
    "compare-seeds": "compare results/verdicts:as-shipped other:as-shipped",
    "compare-same": "compare results/verdicts:as-shipped results/verdicts:as-shipped --fail-if 'polls.mean > x1.1'",
    "compare-wrong": "compare results/verdicts --cells 'never again' as-shipped --fail-if 'time_to_effect.p99 > 10%'",
}
"""Of results that other lines leave."""


@pytest.mark.parametrize("name", LINES)
def test_commands_say(name: str, run: Callable[..., Result], golden: Callable[[str, str, Result], None]) -> None:
    golden(name, f"retrysim {LINES[name]}", run(*shlex.split(LINES[name])))


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_say(name: str, run: Callable[..., Result], golden: Callable[[str, str, Result], None]) -> None:
    run("run", "verdicts.yaml", "--no-plots")
    run("run", "verdicts.yaml", "--no-plots", "--seed", "8", "--set", "action.outcomes.fail=0.2", "--out", "other")
    golden(name, f"retrysim {COMPARISONS[name]}", run(*shlex.split(COMPARISONS[name])))


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == {*LINES, *COMPARISONS}


@pytest.mark.parametrize("name", sorted({*LINES, *COMPARISONS} - {"validate-resolved", "tune-refused"}))
def test_lines_fit_100_columns(name: str) -> None:
    lines = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("$ ")] == []
