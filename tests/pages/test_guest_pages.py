"""The pages on guests: what they say of their own examples beyond what is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import run_command
from pages import PAGES, ROOT, blocks_of

pytest.importorskip("tenacity")

PAGE = "docs/how-to/your-own-code.md"
BUGS = "docs/explanation/library-bugs.md"
FILES = {block.file: block.text for block in blocks_of(PAGE) if block.file}
A_TEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "test_pay.py"]
BARE = "@retry(wait="
LATE = "stop_after_delay(10)"


def lay_down(**changed: str) -> None:
    for name, text in {**FILES, **{f"{module}.py": text for module, text in changed.items()}}.items():
        Path(name).write_text(text, encoding="utf-8")


def test_what_is_shipped_knows_nothing_of_simulations_and_its_test_has_ten_lines_at_most() -> None:
    assert "sim" not in FILES["payments.py"].split()
    assert len(FILES["test_pay.py"].splitlines()) <= 10


@pytest.mark.docs
@pytest.mark.usefixtures("empty_folder")
def test_the_test_passes_if_only_what_is_worth_it_is_retried() -> None:
    worth_it = "retry=retry_if_exception_type((ConnectionError, TimeoutError))"
    assert f"`{worth_it}`. Then the test\npasses" in PAGES[PAGE]
    shipped = FILES["payments.py"]
    mended = shipped.replace(BARE, f"@retry({worth_it}, wait=").replace(
        "import retry,", "import retry, retry_if_exception_type,"
    )
    assert mended.count("retry_if_exception_type") == 2
    lay_down(payments=mended)
    tested = subprocess.run(A_TEST, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert (tested.returncode, "10 passed" in tested.stdout) == (0, True), tested.stdout


@pytest.mark.docs
@pytest.mark.usefixtures("empty_folder")
def test_the_deadline_holds_in_every_course_if_the_wait_is_counted() -> None:
    assert "`stop_before_delay(8)` counts the wait" in PAGES[PAGE]
    kept = FILES["mended.py"].replace(LATE, "stop_before_delay(8)").replace("stop_after_delay,", "stop_before_delay,")
    assert kept.count("stop_before_delay") == 2
    lay_down(kept=kept)
    explored = run_command("explore", "small.yaml", "--retrier", "kept:Pay")
    assert (explored.exit_code, "nothing is broken" in explored.output) == (0, True), explored.output


def test_the_bugs_on_their_page_are_those_that_are_tested_with_their_versions() -> None:
    rows = [line.split("|")[1:] for line in PAGES[BUGS].splitlines() if line.startswith("| ")]
    told = {
        f"{library.strip()}=={version}"
        for library, _, *cells in rows
        for version in re.findall(r"\*\*([\d.]+)\*\*", " ".join(cells))
    }
    found = (ROOT / "tests/guests/found_bugs/test_found_bugs.py").read_text(encoding="utf-8")
    of_their_time = set(re.findall(r'"(\w+==[\d.]+)"', found.partition("OF_ITS_TIME = (")[2].partition(")")[0]))
    tested = set(re.findall(r'"([\w-]+==[\d.]+)"', found))
    assert (len(of_their_time), told) == (3, tested - of_their_time)
    bugs = sum("**" in "".join(row) for row in rows)
    libraries = len({row[0].strip() for row in rows if "**" in "".join(row)})
    assert f"{bugs} that are known and mended, of {libraries} libraries" in PAGES["docs/explanation/findings.md"]
    assert found.count("\ndef test_") == bugs
