"""Reading files: values and places of YAML, JSON, sections and assignments, and what is refused."""

from pathlib import Path

import pytest

from sim.converters.documents import open_document, read_document
from sim.scenario.mistakes.problems import ScenarioError


def values(text: str) -> list[object]:
    return [root for _, root in read_document(text.encode(), "f").roots]


def problem(data: bytes) -> str:
    with pytest.raises(ScenarioError) as refused:
        read_document(data, "f")
    return str(refused.value)


def test_json_may_have_comments_and_tabs() -> None:
    text = '{\n\t"a": 1, // one\n\t/* two\n\tlines */ "b": "http://x // y"\n}'
    assert values(text) == [{"a": 1, "b": "http://x // y"}]


def test_comments_and_tabs_move_no_place() -> None:
    document = read_document(b'{ // first\n\t"a": /* x */ 1}', "f")
    assert (document.places.keys["a",].line, document.places.keys["a",].column) == (2, 2)
    assert document.places.values["a",].column == 15


def test_json_may_have_pairs_of_surrogates() -> None:
    assert values('{"a": "\\ud83d\\ude00"}') == [{"a": "\N{GRINNING FACE}"}]


def test_a_file_may_hold_several_documents_with_their_places() -> None:
    document = read_document(b"# first\na: 1\n---\n# second\nb: 2\n---\n", "f")
    assert [root for _, root in document.roots] == [{"a": 1}, {"b": 2}]
    assert document.places.keys[1, "b"].line == 5


def test_sections_are_mappings_of_texts_with_places() -> None:
    document = read_document(b"# profiles\n[default]\nretry_mode = standard\n[profile x]\nMax_Attempts=5\n", "f")
    assert document.roots[0][1] == {"default": {"retry_mode": "standard"}, "profile x": {"max_attempts": "5"}}
    place = document.places.values["default", "retry_mode"]
    assert (place.line, place.column) == (3, 14)


def test_assignments_are_a_mapping_of_texts() -> None:
    assert values("# env\nexport A=1\nB='two words'\n") == [{"A": "1", "B": "two words"}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "f:1:1: the file is empty"),
        (b"# only a comment\n", "f:1:1: the file is empty"),
        (b"a: 1\na: 2\n", "f:2:1: a: the key 'a' was given already, in line 1"),
        (b"a: &x 1\nb: *x\n", "f:1:4: a: anchors ('&x') are not allowed"),
        (b"a: !!python/object:os.system x\n", "tags ("),
        (b"a: .nan\n", "f:1:4: a: '.nan' is not a finite number"),
        (b"a: 1e999\n", "'1e999' is not a finite number"),
        (b"[" * 10_000, "nested more than 64 levels deep"),
        (b'{"a":' * 10_000, "nested more than 64 levels deep"),
        (b"x" * (1 << 20) + b"y", "the file is larger than 1 MiB"),
        (b"\0\1\2", "not a text file: it has NUL bytes"),
        (b"a: \xff\n", "not a text file in UTF-8"),
        (b"[default]\na = 1\na = 2\n", "f:3:1: the key 'a' was given already in the section 'default'"),
        (b"[default]\n[default]\n", "f:2:1: the section 'default' was given already"),
        (b"[default]\nwhat is this\n", "f:2:1: this line is not `name = value`"),
        (b"A=1\nwhat is this\n", "f:2:1: this line is not `NAME=value`"),
        (b"A=1\nA=2\n", "f:2:1: 'A' was given already"),
        (b"---\na: 1\n" * 101, "more than 100 documents"),
        (b"a: 1\n---\nb: [\n", "f:4:1: the text ends where a value should be"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_its_place(data: bytes, said: str) -> None:
    assert said in problem(data)


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert problem("\n".join(lines).encode()).startswith("f:1:5: a0: anchors ('&a0') are not allowed")


def test_of_a_huge_file_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(ScenarioError, match="larger than 1 MiB"):
        open_document(str(path))


@pytest.mark.parametrize(("name", "said"), [("missing.yaml", "there is no such file"), (".", "this is a folder")])
def test_what_is_no_file_is_named(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        open_document(str(tmp_path / name))
