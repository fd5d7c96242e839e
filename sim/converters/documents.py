"""Reads configuration files into plain values with their places, under the guards of scenario files.

YAML and JSON go through `sim.scenario.yaml.guard`: at most 1 MiB, 64 levels and 100,000 values, no aliases, no tags, no
duplicate keys. Of JSON the comments are blanked out that .NET and others allow, and tabs become spaces, so that the
same reader takes it and places stay as they are. A file of Kubernetes may hold several documents. Sections and
`KEY=value` lines, as AWS has them, become mappings of texts.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim.scenario.mistakes.problems import Place, Places, Problem, ScenarioError, whole_file
from sim.scenario.yaml.guard import MAX_BYTES, MAX_NODES, decode, read_yaml

if TYPE_CHECKING:
    from sim.scenario.mistakes.problems import Path as Keys

MOST_DOCUMENTS: Final = 100
_SEPARATOR: Final = re.compile(r"^---(?=[ \t\r\n]|$)", re.MULTILINE)
_JSON_PARTS: Final = re.compile(r'"(?:\\.|[^"\\\n])*"|(?<![^\s,\[\]{}])//[^\n]*|/\*.*?\*/|\t', re.DOTALL)
_PAIR: Final = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_SECTION: Final = re.compile(r"\s*\[[^\]\n\"'{}]+\]\s*(?:[#;].*)?")
_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration: its roots with their paths, and the places of all keys and values.

    The path of the root is empty; if the file has several documents it is the number of the document.
    """

    source: str
    roots: tuple[tuple[Keys, Any], ...]
    places: Places


def open_document(path: str) -> Document:
    """Read a configuration file. Raises ScenarioError with every mistake of its syntax."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        reason = "there is no such file"
    except IsADirectoryError:
        reason = "this is a folder, not a file"
    except (OSError, ValueError) as error:
        reason = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        return read_document(data, path)
    raise ScenarioError([whole_file(path, reason)])


def read_document(data: bytes, source: str) -> Document:
    """Read a configuration: sections as INI files have them, assignments, or YAML and JSON. Raises ScenarioError."""
    text = decode(data, source)
    first = next((line for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"), "")
    if not first:
        raise ScenarioError([whole_file(source, "the file is empty")])
    if _SECTION.fullmatch(first):
        return _read_ini(text, source)
    if _ASSIGNMENT.fullmatch(first):
        return _read_assignments(text, source)
    return _read_yaml(text, source)


def _read_yaml(text: str, source: str) -> Document:
    if text.lstrip()[:1] in {"{", "["}:
        text = _PAIR.sub(_character, _JSON_PARTS.sub(_blank, text))
    parts = list(_parts(text))
    if len(parts) > MOST_DOCUMENTS:
        raise ScenarioError([whole_file(source, f"more than {MOST_DOCUMENTS} documents")])
    if len(parts) == 1:
        parsed = read_yaml(parts[0].encode("utf-8", "surrogatepass"), source)
        if parsed.problems:
            raise ScenarioError(parsed.places.in_order(parsed.problems))
        return Document(source, (((), parsed.values),), parsed.places)
    places = Places([source])
    problems: list[Problem] = []
    roots: list[tuple[Keys, Any]] = []
    for number, part in enumerate(parts):
        parsed = read_yaml(part.encode("utf-8", "surrogatepass"), source)
        problems += parsed.places.in_order(parsed.problems)
        places.keys |= {(number, *path): place for path, place in parsed.places.keys.items()}
        places.values |= {(number, *path): place for path, place in parsed.places.values.items()}
        if len(places.values) > MAX_NODES:
            problems.append(whole_file(source, f"more than {MAX_NODES} values and keys"))
            break
        roots.append(((number,), parsed.values))
    if problems:
        raise ScenarioError(places.in_order(problems))
    return Document(source, tuple(roots), places)


def _parts(text: str) -> list[str]:
    """Split a stream into its documents; each has as many lines in front as were before it."""
    starts = [match.start() for match in _SEPARATOR.finditer(text)]
    if not starts:
        return [text]
    parts = []
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        body = text[start:end].replace("---", "   ", 1) if start in starts else text[start:end]
        if any(line.strip() and not line.lstrip().startswith("#") for line in body.splitlines()):
            parts.append("\n" * text.count("\n", 0, start) + body)
    return parts or [text]


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    return found if found[0] == '"' else re.sub(r"[^\n]", " ", found)


def _character(match: re.Match[str]) -> str:
    high, low = int(match[1], 16), int(match[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _read_ini(text: str, source: str) -> Document:
    """Read sections of `name = value`; all values are texts, and indented lines below one are part of it."""
    parser = configparser.ConfigParser(interpolation=None, strict=True, default_section="\0", delimiters=("=",))
    try:
        parser.read_string(text, source)
    except configparser.DuplicateOptionError as error:
        reason = f"the key '{error.option}' was given already in the section '{error.section}'"
        raise ScenarioError([whole_file(source, reason, error.lineno or 1)]) from None
    except configparser.DuplicateSectionError as error:
        reason = f"the section '{error.section}' was given already"
        raise ScenarioError([whole_file(source, reason, error.lineno or 1)]) from None
    except configparser.MissingSectionHeaderError as error:
        raise ScenarioError([whole_file(source, "a section such as [default] is missing", error.lineno)]) from None
    except configparser.ParsingError as error:
        problems = [whole_file(source, "this line is not `name = value`", line) for line, _ in error.errors]
        raise ScenarioError(problems) from None
    values: dict[str, dict[str, str]] = {name: dict(parser.items(name)) for name in parser.sections()}
    return Document(source, (((), values),), _places_of_lines(text, source))


def _places_of_lines(text: str, source: str) -> Places:
    places = Places([source])
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        column = len(line) - len(line.lstrip()) + 1
        if _SECTION.fullmatch(line):
            section = line[line.index("[") + 1 : line.index("]")]
            places.keys[(section,)] = places.values[(section,)] = Place(source, number, column)
        elif "=" in line and line.strip()[0] not in "#;":
            name, _, value = line.partition("=")
            path = (section, name.strip().lower())
            at = len(name) + 1 + len(value) - len(value.lstrip()) + 1
            places.keys.setdefault(path, Place(source, number, column))
            places.values.setdefault(path, Place(source, number, at, at))
    return places


def _read_assignments(text: str, source: str) -> Document:
    """Read lines `NAME=value`, as a shell and files of environments have them."""
    places = Places([source])
    places.values[()] = Place(source)
    values: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.strip()[0] in "#;":
            continue
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            problems.append(whole_file(source, "this line is not `NAME=value`", number))
            continue
        name, value = match[1], match[2]
        if name in values:
            problems.append(whole_file(source, f"'{name}' was given already", number, match.start(1) + 1))
        if value[:1] in {"'", '"'} and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        values[name] = value
        places.keys[name,] = Place(source, number, match.start(1) + 1)
        places.values[name,] = Place(source, number, match.start(2) + 1)
    if problems:
        raise ScenarioError(problems)
    return Document(source, (((), values),), places)
