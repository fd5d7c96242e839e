"""`--junit`: verdicts as JUnit XML."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from sim.cli.main import cli
from sim.text.junit import Case, junit_xml

SCENARIO = """
name: judged
requests: {count: 400}
action: {outcomes: {fail: 20%}}
variants: {once: {retrier: none}, thrice: {retrier: {kind: component, max_failures: 2}}}
expect: [success.rate >= 95%, success.rate <= 100%, attempts.mean <= 1.001]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "judged.yaml").write_text(SCENARIO)
    return tmp_path


def command(*words: str) -> Any:
    return CliRunner().invoke(cli, words)


def endings(path: Path) -> dict[tuple[str, str], str]:
    """Return by class and name of a case how it ends."""
    root = ET.parse(path).getroot()  # noqa: S314  # our own file
    return {
        (case.attrib["classname"], case.attrib["name"]): next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for case in root.iter("testcase")
    }


def test_the_counts_are_those_of_the_cases() -> None:
    cases = [Case("a", "x", "passed"), Case("a", "y", "failure", "missed", "no"), Case("b", "z", "error", "open", "?")]
    root = ET.fromstring(junit_xml("s", cases))  # noqa: S314  # as above
    suite = root.find("testsuite")
    assert suite is not None
    assert [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "1", "0"]


def test_any_text_is_told_as_xml_can_hold_it() -> None:
    text = 'a <b> & "c" \x00 \x1b[1m é'
    root = ET.fromstring(junit_xml("s", [Case(text, text, "failure", "missed", text)]))  # noqa: S314  # as above
    (case,) = root.iter("testcase")
    assert case.attrib["name"] == 'a <b> & "c" \ufffd \ufffd[1m é'


def test_each_expectation_of_each_cell_is_a_case(folder: Path) -> None:
    found = command("run", "judged.yaml", "--no-plots", "--junit", "verdicts.xml")
    assert found.exit_code == 99
    told = endings(folder / "verdicts.xml")
    assert told["judged.once", "success.rate >= 95%"] == "failure"
    assert told["judged.thrice", "success.rate >= 95%"] == "passed"
    assert told["judged.once", "success.rate <= 100%"] == "passed"
    assert told["judged.thrice", "attempts.mean <= 1.001"] == "failure"
    assert len(told) == 2 * (3 + 1)


def test_the_invariants_of_a_check_are_cases(folder: Path) -> None:
    words = ("run", "judged.yaml", "--no-plots", "--requests", "20", "--set", "expect=[]")
    found = command(*words, "--check", "--junit", "verdicts.xml")
    assert found.exit_code == 0
    told = endings(folder / "verdicts.xml")
    assert told["judged.thrice", "no-retry-after-success"] == "passed"
    assert told["judged.platform", "probe"] == "passed"


def test_each_condition_of_a_comparison_is_a_case(folder: Path) -> None:
    command("run", "judged.yaml", "--no-plots")
    words = ("compare", "results/judged:once", "results/judged:thrice", "--junit", "verdicts.xml")
    found = command(*words, "--fail-if", "attempts.mean > +10%", "--fail-if", "success.rate < -1%")
    assert found.exit_code == 99
    told = endings(folder / "verdicts.xml")
    assert told == {
        ("compare.thrice", "not attempts.mean > +10%"): "failure",
        ("compare.thrice", "not success.rate < -1%"): "passed",
    }


def test_the_verdicts_are_the_same_bytes_again(folder: Path) -> None:
    command("run", "judged.yaml", "--no-plots", "--junit", "a.xml")
    command("run", "judged.yaml", "--no-plots", "--fresh", "--junit", "b.xml")
    assert (folder / "a.xml").read_bytes() == (folder / "b.xml").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "judged.yaml", "--junit", "none/verdicts.xml"), "there is no folder 'none'"),
        (("compare", "a", "b", "--junit", "x.xml"), "--junit writes the verdicts on --fail-if, and there is none"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_file_that_cannot_be_written_is_refused_at_once(words: tuple[str, ...], said: str) -> None:
    found = command(*words)
    assert found.exit_code == 2
    assert said in found.output
