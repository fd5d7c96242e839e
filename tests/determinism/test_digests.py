"""Ten scenarios, one digest each, whatever the process: hash seed, SIMD code of NumPy, version of NumPy."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections import Counter
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from mixed import ISOLATED, SHARED

from sim.api.run import run
from sim.history.vocabulary import Cause, Outcome
from sim.scenario.load import parse

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAM = HERE / "digests.py"
OLDEST_NUMPY = {"3.11": "2.0.2", "3.12": "2.0.2", "3.13": "2.1.3"}
"""The first NumPy that pyproject.toml allows, of those with a wheel for this Python."""


LAWS = ("constant", "uniform", "exponential", "normal", "lognormal", "gamma", "weibull", "pareto", "empirical")
ATTEMPTS = ("success", "fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang")


@cache
def program() -> dict[str, Any]:
    """The script's own names, in this process."""
    return runpy.run_path(str(PROGRAM))


@cache
def here() -> dict[str, dict[str, str]]:
    """The digests that this process finds."""
    names = program()
    return {name: names["digest"](name) for name in names["names"]()}


def start(
    hash_seed: str = "random", *files: Path, disabled: list[str] | None = None, path: str = ""
) -> subprocess.Popen[str]:
    """Start a process of its own; `disabled` features of the processor, and a folder to import from first."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NPY_")},
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(filter(None, [path, str(ROOT)])),
        **({"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)} if disabled else {}),
    }
    return subprocess.Popen(  # noqa: S603  # this interpreter
        [sys.executable, "-W", "error", str(PROGRAM), *map(str, files)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a process has found."""
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


# The scenarios.


def test_there_are_ten_scenarios_and_no_two_have_one_digest() -> None:
    assert len(here()) == 10
    assert len({digest for both in here().values() for digest in both.values()}) == 20


def test_a_digest_sees_another_seed() -> None:
    for name, found in here().items():
        other = program()["digest"](name, 99)
        assert [part for part in found if found[part] == other[part]] == []


def test_the_scenarios_have_every_retrier_law_outcome_and_fault() -> None:
    names = program()
    laws, retriers, attempts, kinds = set(), set(), set(), set()
    outcomes: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for path in sorted((HERE / "scenarios").glob("*.yaml")):
        laws |= {law for law in LAWS if f"{law}:" in path.read_text(encoding="utf-8")}
        for cell in names["cells"](names["load"](path)):
            recorders, records = names["simulated"](cell, path.stem)
            for event in (event for recorder in recorders for event in recorder.history()):
                kinds.add(event.kind)
                if event.kind == "submit":
                    retriers.add(event.retrier)
                elif event.kind == "attempt":
                    attempts.add(event.outcome)
            for requests in records:
                outcomes.update(Outcome(code).name for code in requests.outcome)
                causes.update({cause.name: int(requests.duplicates[:, cause].sum()) for cause in Cause})
    assert laws == set(LAWS)
    assert retriers == {"article", "helpers", "component", "none", "full-jitter", "decorrelated"}
    assert attempts == set(ATTEMPTS)
    assert {"restart", "system_error", "conflict", "cancel", "collected", "lost", "sleep", "draw"} - kinds == set()
    assert [outcome.name for outcome in Outcome if not outcomes[outcome.name]] == []
    assert [cause.name for cause in Cause if not causes[cause.name]] == ["resubmit", "repeated"]


# The same everywhere.


@cache
def summaries_here() -> list[str]:
    """The summaries of the mixed scenarios that this process finds."""
    return [run(parse(text)).summary_json() for text in (ISOLATED, SHARED)]


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_digests_and_summaries_are_the_same_in_processes_of_any_hash_seed(tmp_path: Path, hash_seed: str) -> None:
    """One process shows both: most of its time is its start."""
    files = [tmp_path / "isolated.yaml", tmp_path / "shared.yaml"]
    for path, text in zip(files, (ISOLATED, SHARED), strict=True):
        path.write_text(text)
    process = start(hash_seed, *files)
    digests, summaries = here(), summaries_here()  # found while the other process looks for them too
    report = told(process)
    assert report["digests"] == digests
    assert report["summaries"] == summaries


@pytest.mark.slow
@pytest.mark.parametrize("without", ["AVX-512", "AVX2 and all beyond"])
def test_digests_are_equal_without_the_newest_instructions(without: str) -> None:
    found: list[str] = program()["found_simd"]()
    newest = [name for name in found if name.startswith(("AVX512", "X86_V4"))]
    disabled = newest if without == "AVX-512" else found
    if not newest:
        pytest.skip("this processor, or this NumPy, has no AVX-512 to do without")
    report = told(start(disabled=disabled))
    assert set(report["simd"]) & set(disabled) == set()
    assert report["digests"] == here()


@pytest.mark.numpy_versions
def test_digests_are_equal_under_the_oldest_numpy(tmp_path: Path) -> None:
    wanted = OLDEST_NUMPY.get(f"{sys.version_info[0]}.{sys.version_info[1]}")
    if wanted is None or wanted == version("numpy"):
        pytest.skip("there is no older NumPy for this Python than the one installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--target"]
    subprocess.run([*pip, str(tmp_path), f"numpy=={wanted}"], check=True)  # noqa: S603  # pip of this interpreter
    report = told(start(path=str(tmp_path)))
    assert (report["numpy"], version("numpy") != wanted) == (wanted, True)
    assert report["digests"] == here()
