"""Suggestions work: what "did you mean" says, put in the place of what is there, loads further."""

import re
from pathlib import Path

import pytest

from sim.scenario.load import parse
from sim.scenario.mistakes.problems import Problem, ScenarioError

BAD = Path(__file__).parent / "bad"
MEANT = re.compile(r"; did you mean '(?P<text>[^']+)'\?")
WORD = re.compile(r"""'[^']*'|"[^"]*"|[^\s,:{}\[\]][^\s,:{}\[\]]*(?:\[\d+\][^\s,:{}\[\]]*)*""")
STILL_UNKNOWN = re.compile(r"^(unknown|there is no|expected|must be|not a)\b")
IN_TEXT = re.compile(r"[\w.%-]+|[<>=!]+")


def problems_of(text: str) -> list[Problem]:
    try:
        parse(text, BAD, source="s")
    except ScenarioError as error:
        return list(error.problems)
    return []


def followed(text: str, problem: Problem, meant: str) -> str:
    """Put what is suggested in place of the word at which the problem lies."""
    lines = text.split("\n")
    line = lines[problem.line - 1]
    at = problem.column - 1
    found = (IN_TEXT if problem.offset else WORD).match(line, at)
    assert found, (str(problem), line[at:])
    lines[problem.line - 1] = line[:at] + meant + line[found.end() :]
    return "\n".join(lines)


def suggestions() -> list[tuple[str, Problem, str]]:
    found = []
    for path in sorted(BAD.glob("*.yaml")):
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for problem in problems_of(text):
            found += [(path.name, problem, match["text"]) for match in MEANT.finditer(problem.reason)]
    return found


SUGGESTIONS = suggestions()


def test_bad_files_have_suggestions() -> None:
    assert len(SUGGESTIONS) > 30


@pytest.mark.parametrize(("name", "problem", "meant"), SUGGESTIONS, ids=lambda value: str(value)[:80])
def test_a_suggestion_that_is_followed_loads_further(name: str, problem: Problem, meant: str) -> None:
    text = followed((BAD / name).read_text("utf-8"), problem, meant)
    there = [one.reason for one in problems_of(text) if (one.line, one.column) == (problem.line, problem.column)]
    # What a key says can still be wrong for another reason, such as having no effect in this world.
    assert [reason for reason in there if MEANT.search(reason) or STILL_UNKNOWN.search(reason)] == []
