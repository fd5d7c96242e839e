"""Every mistake of a file at once, each with its place, in plain words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.yaml import guard

BAD = Path(__file__).parent / "bad"
BAD_ROW = "data/bad-row.csv: row 2 (line 3): 'fast' is not a number of 0 or more"
LAW = "retrier: none\naction:\n  latency: {{empirical: {{file: {file}, column: {column}}}}}\n"

TEXTS = {
    "empty": (b"", "s:1:1: the file is empty; the smallest scenario is `retrier: helpers`"),
    "blank": (b"\n  \n", "s:1:1: the file is empty; the smallest scenario is `retrier: helpers`"),
    "binary": (bytes(range(256)), "s:1:1: not a text file: it has NUL bytes"),
    "NUL later on": (b"retrier: none\nwhy: a\0b\n", "s:2:7: not a text file: it has NUL bytes"),
    "UTF-16": ("retrier: none".encode("utf-16"), "s:1:4: not a text file: it has NUL bytes"),
    "Latin-1": ("retrier: none\nwhy: é\n".encode("latin-1"), "s:2:6: not a text file in UTF-8"),
    "a control character": (b"retrier: none\nwhy: a\x07b", "s:2:7: the control character U+0007 is not allowed"),
    "too large": (b"#" * ((1 << 20) + 1), "s:1:1: the file is larger than 1 MiB"),
    "50 000 nested brackets": (b"why: " + b"[" * 50_000, "s:1:69: nested more than 64 levels deep"),
    "50 000 nested braces": (b"{a: " * 50_000, "s:1:257: nested more than 64 levels deep"),
    "50 000 nested dashes": (b"- " * 50_000, "s:1:129: nested more than 64 levels deep"),
    "mappings as keys": (b"{" * 50_000, "s:1:2: a key is plain text"),
    "a huge number": (b"retrier: none\nseed: " + b"9" * 500_000, "s:2:7: seed: a number has at most 32 characters"),
    "a surrogate": (b'retrier: none\nwhy: "\\ud800"', "s:2:6: why: half of a surrogate pair is not a character"),
    "a surrogate as key": (
        b'retrier: none\n"\\udfff": 1',
        "s:2:1: ['\\udfff']: half of a surrogate pair is not a character",
    ),
    "an alias as key": (b"retrier: none\n*a : 1", "s:2:1: an alias cannot be a key"),
    "a list as key": (b"retrier: none\n? [a]\n: b", "s:2:3: a key is plain text"),
    "a character beyond Unicode": (b'why: "\\U00110000"', "s:1:1: not valid YAML: chr() arg not in range(0x110000)"),
    "a YAML of the future": (b"%YAML 2.0\n---\na: 1", "s:1:1: this is not YAML 1"),
    "an unknown escape": (b'why: "\\q"', "s:1:8: '\\q' means nothing inside double quotes; use single quotes"),
    "text behind the document": (b"why: a\n...\nb", "s:3:1: the scenario has ended above; what is this?"),
    "a bare asterisk": (b"why: *", "s:1:7: '&', '*' and '!' cannot begin a text; use quotes"),
    "a backquote": (b"why: `x`", "s:1:6: text cannot begin with `; put it in quotes"),
    "no colon": (b"why: a\nretrier\nseed: 1", "s:3:1: a key without ':' behind it"),
    "an open mapping": (b"action: {a: 1\n", "s:2:1: the mapping that begins in line 1 lacks a ',' or its '}'"),
    "a list inside of a mapping": (b"a: - b", "s:1:4: a list entry ('- ') cannot stand here; check the indentation"),
}


def lines_of(error: ScenarioError) -> list[str]:
    return [str(problem) for problem in error.problems]


def mistakes_in(text: str | bytes, folder: Path = Path(), **changes: object) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        parse(text, folder, source="s", **changes)
    return lines_of(error.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.yaml")))
def test_bad_files_are_told_all_their_mistakes_in_order(
    name: str, check_golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ScenarioError) as error:
        load(f"{name}.yaml")
    check_golden(name, f"{error.value}\n")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_what_is_no_scenario_at_all_is_told_in_one_line(name: str) -> None:
    data, line = TEXTS[name]
    assert mistakes_in(data) == [line]


def test_reading_stops_at_the_first_value_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guard.MAX_NODES == 100_000
    monkeypatch.setattr(guard, "MAX_NODES", 100)  # to parse so many takes seconds
    assert mistakes_in(b"[" + b"a," * 200 + b"]") == ["s:1:200: more than 100 values and keys"]


def test_every_golden_file_belongs_to_a_bad_file() -> None:
    golden = {path.stem for path in (BAD.parent / "golden").glob("*.txt")}
    assert golden == {path.stem for path in BAD.glob("*.yaml")}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("data/none.csv", "there is no file data/none.csv in the scenario's folder"),
        ("data", "data is a folder, not a file"),
        ("../data/good.csv", "../data/good.csv lies outside of the scenario's folder"),
        ("/etc/hostname", "a path must be relative to the scenario's folder, not start at the root"),
        ("data/out.csv", "data/out.csv lies outside of the scenario's folder"),
        ("data/loop.csv", "data/loop.csv cannot be read: its links lead nowhere"),
        ("data/pipe.csv", "data/pipe.csv is not an ordinary file"),
        ("data/large.csv", "data/large.csv is larger than 64 MiB"),
        ("data/latin.csv", "data/latin.csv: the file is not text in UTF-8; convert it first (line 3)"),
        ("data/bad-row.csv", "data/bad-row.csv: row 2 (line 3): 'fast' is not a number of 0 or more"),
        ("data/short-row.csv", "data/short-row.csv: row 1 (line 2) has 1 cells, but the header has 2"),
        ("data/no-rows.csv", "data/no-rows.csv: the file has no rows"),
        ("data/empty.csv", "data/empty.csv: the file has no such column; its columns are: none"),
        ("data/arrivals.csv", "data/arrivals.csv: the file has no such column; its columns are: at_s"),
        ('"a\\0b"', "no file can have this name"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_its_name(folder: Path, file: str, reason: str) -> None:
    text = LAW.format(file=file, column="latency_ms")
    assert mistakes_in(text, folder) == [f"s:3:31: action.latency.empirical.file: {reason}"]


def test_a_name_too_long_for_a_file_is_told(folder: Path) -> None:
    text = LAW.format(file="x" * 1000, column="latency_ms")
    (line,) = mistakes_in(text, folder)
    assert line.endswith("cannot be read: File name too long")


def test_files_are_checked_next_to_other_mistakes(folder: Path) -> None:
    text = LAW.format(file="data/bad-row.csv", column="latency_ms") + "  effect_at: 2\n"
    assert mistakes_in(text, folder) == [
        f"s:3:31: action.latency.empirical.file: {BAD_ROW}",
        "s:4:14: action.effect_at: must be at most 1, got 2; did you mean '2%'?",
    ]


def test_a_file_that_has_changed_is_told(folder: Path) -> None:
    text = LAW.format(file="data/good.csv", column=f"latency_ms, sha256: '{'0' * 64}'")
    (line,) = mistakes_in(text, folder)
    assert line.startswith("s:3:31: action.latency.empirical.file: data/good.csv: the file has changed: its sha256 is ")


def test_too_few_arrivals_in_a_file_are_told(folder: Path) -> None:
    text = """
world: shared
retrier: none
requests: {count: 4, arrivals: {file: {file: data/arrivals.csv, column: at_s}}}
"""
    assert mistakes_in(text, folder) == ["s:4:11: requests: the file of arrivals has 3 rows, fewer than the 4 requests"]


def test_a_file_of_a_sweep_is_told_at_its_value(folder: Path) -> None:
    text = """
retrier: none
sweep:
  action.latency: [{constant: 5ms}, {empirical: {file: data/bad-row.csv, column: latency_ms}}]
"""
    assert mistakes_in(text, folder) == [f"s:4:56: sweep['action.latency'][1].empirical.file: {BAD_ROW}"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("none.yaml", "there is no such file"),
        ("data", "this is a folder, not a file"),
        ("x" * 1000, "cannot be read: File name too long"),
        ("a\0b", "no file can have this name"),
    ],
)
def test_a_scenario_that_cannot_be_read_is_told(
    folder: Path, path: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ScenarioError) as error:
        load(path)
    assert lines_of(error.value) == [f"{path}:1:1: {reason}"]


def test_a_problem_knows_its_parts() -> None:
    with pytest.raises(ScenarioError) as error:
        parse("retrier: none\naction: {script: [{outcome: x}]}", source="some.yaml")
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.column) == ("some.yaml", 2, 29)
    assert problem.path == "action.script[0].outcome"


def test_many_mistakes_are_cut_off_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ScenarioError) as error:
        load("too-many.yaml")
    assert len(error.value.problems) == 101


def test_a_mistake_in_crlf_lines_with_a_byte_order_mark_has_its_place() -> None:
    assert mistakes_in("\ufeffseed: x\r\nretrier: helper\r\n".encode()) == [
        "s:1:7: seed: expected a whole number, got the text 'x'",
        "s:2:10: retrier: there is no retrier 'helper'; did you mean 'helpers'?",
    ]


def test_columns_count_characters_not_bytes() -> None:
    assert mistakes_in('{why: "äöü🦊", retrier: none, seed: x}') == [
        "s:1:36: seed: expected a whole number, got the text 'x'"
    ]
