"""The pages: README and those below `docs/`, their blocks, and what stands above a block to say how it is run.

A comment `<!-- run: NOTE -->` above a block says what is special about it:

    exits N                its last command exits with N
    serves                 it serves a page until it is stopped
    slow                   `pytest -m slow` runs it
    not here: REASON       it cannot run in a test
    after COMMAND [exits N]    a block of text is part of what this command prints

A block of text is part of what the commands above it print; a line `...` stands for any lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "_build" not in path.parts
}
"""Every page by its path."""
_BLOCK: Final = re.compile(
    r"(?:^<!-- run: (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_NAMED: Final = re.compile(r"(?:This|Here) is\s`([\w.-]+\.\w+)`(?:[^`]*)?:\n\n\Z")
_DIRECTIVES: Final = re.compile(r"^```\{.*?^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code."""

    kind: str
    text: str
    note: str = ""
    file: str = ""
    """The name of the file that it is, if the page says so."""


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = _DIRECTIVES.sub("", PAGES[page])
    return [
        Block(found["kind"], found["text"], found["note"] or "", _file_above(text[: found.start()]))
        for found in _BLOCK.finditer(text)
    ]


def _file_above(text: str) -> str:
    found = _NAMED.search(text[-400:])
    return found[1] if found else ""


def chapter(page: str, title: str) -> str:
    """Return the text below a title of second rank."""
    return dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGES[page], re.DOTALL | re.MULTILINE))[title]


def inline_code(page: str) -> list[str]:
    """Return what a page quotes within lines."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
