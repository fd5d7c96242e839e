"""Whether two versions of retrysim give the same answers, byte for byte: what a change of structure must not move.

    python benchmarks/same_answers.py OLD/bin/retrysim --save old.json
    python benchmarks/same_answers.py NEW/bin/retrysim --against old.json

Runs every shipped scenario and compares `summary.json` (without the versions of packages), the records of all
requests, the resolved scenario with its digest, the violations found with `--check`, and the counts of every search.
Words are not compared, numbers are. Histories have digests of their own in `tests/determinism`. Exits with 1 if
anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "scenarios"
STATES_AT_MOST = "20000"
PATH = re.compile(r"\S*/\S+")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def answers(retrysim: str) -> dict[str, Any]:
    """Return what one version answers, by scenario and question."""
    found: dict[str, Any] = {}
    for path in sorted(SCENARIOS.rglob("*.yaml")):
        name = path.relative_to(SCENARIOS).as_posix()
        print(name, file=sys.stderr, flush=True)
        searched = path.parent.name in {"proved", "search"}
        found[name] = {
            "resolved": sha256(told(retrysim, "validate", str(path), "--resolved")),
            **(search(retrysim, path) if searched else run(retrysim, path)),
        }
    return found


def run(retrysim: str, path: Path) -> dict[str, Any]:
    """Run a scenario, or search its parameters if it asks for that."""
    with tempfile.TemporaryDirectory() as folder:
        if "\ntune:" in path.read_text(encoding="utf-8"):
            told(retrysim, "tune", str(path), "--out", folder)
            return {"summary": summary(Path(folder, "tune.json"))}
        told(retrysim, "run", str(path), "--out", folder, "--no-plots")
        told(retrysim, "export", folder, "--csv", f"{folder}/requests.csv")
        checked = told(retrysim, "run", str(path), "--check", "--requests", "200", "--no-plots", "--out", f"{folder}/2")
        return {
            "summary": summary(Path(folder, "summary.json")),
            "requests": sha256(Path(folder, "requests.csv").read_bytes()),
            "checked": numbers(checked),
        }


def search(retrysim: str, path: Path) -> dict[str, Any]:
    """Search a small world."""
    with tempfile.TemporaryDirectory() as folder:
        text = told(retrysim, "explore", str(path), "--out", folder, "--states-at-most", STATES_AT_MOST)
    return {"counts": numbers(text)}


def told(*words: str) -> bytes:
    """Return what a command prints, whatever it exits with."""
    return subprocess.run(words, capture_output=True, check=False, cwd=ROOT).stdout  # noqa: S603  # as named by the user


def numbers(text: bytes) -> list[str]:
    """Return all numbers of a text, those in paths and commands aside."""
    return NUMBER.findall(PATH.sub("", text.decode()))


def summary(path: Path) -> dict[str, Any]:
    """Return `summary.json` or `tune.json` without the versions of packages."""
    contents: dict[str, Any] = json.loads(path.read_bytes())
    contents.pop("versions", None)
    return contents


def sha256(data: bytes) -> str:
    """Return a digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Save the answers of one version, or hold them against saved ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("retrysim", help="the command of the version to ask")
    parser.add_argument("--save", type=Path, help="write the answers to this file")
    parser.add_argument("--against", type=Path, help="compare the answers with those of this file")
    options = parser.parse_args()
    found = answers(options.retrysim)
    if options.save is not None:
        options.save.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.against is None:
        return
    before = json.loads(options.against.read_bytes())
    compared = 0
    differences = []
    for name in sorted({*before, *found}):
        for question in sorted({*before.get(name, {}), *found.get(name, {})}):
            compared += 1
            if before.get(name, {}).get(question) != found.get(name, {}).get(question):
                differences.append(f"{name}: {question}")
    print(f"{compared} answers compared, {len(differences)} differ")
    print("\n".join(differences), end="\n" if differences else "")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
