"""Pieces of Markdown made of code: docstrings, lists of terms, tables."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import ModuleType

TAG = re.compile(r"<(?=[A-Za-z/!])")
CODE = re.compile(r"(`+[^`]*`+)")


def prose(text: str) -> str:
    """Return a docstring as Markdown: what is no code loses its meaning as HTML and as emphasis."""
    parts = CODE.split(inspect.cleandoc(text))
    return "".join(part if part.startswith("`") else TAG.sub("&lt;", part).replace("*", r"\*") for part in parts)


def one_line(text: str) -> str:
    """Return a docstring's paragraphs in one line, as lists and tables need it."""
    return " ".join(prose(text).split())


def code(text: object) -> str:
    """Quote a text as code."""
    written = str(text)
    fence = "``" if "`" in written else "`"
    return f"{fence} {written} {fence}" if fence == "``" else f"`{written}`"


def terms(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of terms, each with its text of one or several paragraphs."""
    return "\n".join(f"{term}\n: " + text.replace("\n", "\n  ") + "\n" for term, text in pairs)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars in cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"


def block(language: str, text: str) -> str:
    """Return a block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def documented_names(module: ModuleType) -> dict[str, str]:
    """Return the docstring below each assignment of a module, and of the classes in it (`Class.field`)."""
    tree = ast.parse(inspect.getsource(module))
    found = dict(_below(tree.body, ""))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= _below(node.body, f"{node.name}.")
    return found


def _below(body: Sequence[ast.stmt], prefix: str) -> Iterable[tuple[str, str]]:
    for one, following in pairwise(body):
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        text = following.value if isinstance(following, ast.Expr) else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield f"{prefix}{target.id}", text.value
