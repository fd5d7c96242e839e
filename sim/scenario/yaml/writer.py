"""Writes a scenario's plain values as YAML: one key a line, small parts on one line, the same bytes every time."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sim.scenario.yaml.scalars import resolve

LONGEST_FLOW = 80
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_UNPRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def yaml_lines(node: Mapping[str, Any], notes: Mapping[str, str], above: str = "") -> Iterator[str]:
    """Yield the lines of a block mapping; `notes` are comments by dotted key."""
    indent = "  " * above.count(".")
    for key, value in node.items():
        path = f"{above}{key}"
        note = f"  # {notes[path]}" if path in notes else ""
        if isinstance(value, Mapping) and value and (not above or len(flow_text(value)) > LONGEST_FLOW):
            yield f"{indent}{_word(key)}:{note}"
            yield from yaml_lines(value, notes, f"{above}{key.replace('.', ' ')}.")
        elif isinstance(value, list) and value:
            yield f"{indent}{_word(key)}:{note}"
            yield from (f"{indent}  - {flow_text(entry)}" for entry in value)
        else:
            yield f"{indent}{_word(key)}: {flow_text(value)}{note}"


def narrow_lines(node: Mapping[str, Any], width: int, indent: str = "") -> Iterator[str]:
    """Yield the lines of a block mapping in which every part stands on one line if that fits `width` columns."""
    for key, value in node.items():
        line = f"{indent}{_word(key)}: {flow_text(value)}"
        if len(line) <= width or not value or not isinstance(value, Mapping | list | tuple):
            yield line
        elif isinstance(value, Mapping):
            yield f"{indent}{_word(key)}:"
            yield from narrow_lines(value, width, f"{indent}  ")
        else:
            yield f"{indent}{_word(key)}:"
            for entry in value:
                yield from _narrow_entry(entry, width, f"{indent}  ")


def _narrow_entry(entry: Any, width: int, indent: str) -> Iterator[str]:
    line = f"{indent}- {flow_text(entry)}"
    if len(line) <= width or not isinstance(entry, Mapping) or not entry:
        yield line
        return
    lines = list(narrow_lines(entry, width, f"{indent}  "))
    yield f"{indent}- {lines[0].removeprefix(f'{indent}  ')}"
    yield from lines[1:]


def flow_text(value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_word(key)}: {flow_text(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    if isinstance(value, str):
        return _word(value)
    return json.dumps(value)


def _word(text: str) -> str:
    """Write a text so that it is read back as that text: without quotes if it cannot be taken for anything else."""
    if _PLAIN_WORD.fullmatch(text) and len(text) <= LONGEST_FLOW:
        try:
            if resolve(text) == text:
                return text
        except ValueError:
            pass
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(_escape, quoted)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
