"""Saves the scenario of a live page with the numbers chosen: in its own folder, under a new name, never by surprise."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.report.live.opened import Mistake, Refused, WrongNumbers
from sim.scenario.identity import digest
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.parts.own_service import without_code
from sim.scenario.yaml.writer import yaml_lines
from sim.tuning.points import own_code_words

if TYPE_CHECKING:
    from pathlib import Path

    from sim.report.live.opened import Opened, Values

ENDING: Final = ".yaml"
NAME_OF_FILE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
"""A file's name without its ending: the letters that names of scenarios have, so no folder and no hidden file."""
WIDTH: Final = 118


class AlreadyThere(Refused):
    """A file of this name exists, and nothing says that it may be replaced."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved."""

    path: Path
    command: str
    """The command that runs it."""


def save(opened: Opened, name: str, values: Values, *, replace: bool = False) -> Saved:
    """Write a scenario with other numbers into its folder.

    The file is called `name`, with `.yaml` if it does not end with that. Raises Refused for a name that is no plain
    name or is that of the scenario itself, AlreadyThere unless a file that is there may be replaced, WrongNumbers, and
    OSError.
    """
    stem = name.strip().removesuffix(ENDING).removesuffix(".yml")
    if not NAME_OF_FILE.fullmatch(stem):
        raise Refused(
            "a name has up to 60 lowercase letters, digits, '.', '_' and '-', and begins with a letter or a digit"
        )
    target = opened.path.parent / f"{stem}{ENDING}"
    if target.exists() and opened.path.exists() and target.samefile(opened.path):
        raise Refused("this is the scenario itself, which stays as it is; choose another name")
    text, words = _text(opened, stem, values)
    if replace:
        _replace(target, text)
    else:
        _create(target, text)
    return Saved(target, shlex.join(["retrysim", "run", str(target), *words]))


def _create(target: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all."""
    try:
        file = target.open("x", encoding="utf-8")
    except FileExistsError:
        raise AlreadyThere(f"there is a file {target.name} already") from None
    try:
        with file:
            file.write(text)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _replace(target: Path, text: str) -> None:
    """Put a file in the place of another one, which is there as it was until the new one is complete."""
    if target.exists() and not target.is_file():
        raise Refused(f"{target.name} is no file, so nothing can replace it")
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _text(opened: Opened, name: str, values: Values) -> tuple[str, list[str]]:
    """Return the file of a scenario with other numbers, and the options that its command needs for the user's code."""
    scenario = opened.scenario_with(values)
    words = own_code_words(scenario)
    tree = without_code({**scenario.written, "name": name}, scenario.services)
    if scenario.retrier.trusted:
        del tree["retrier"]
    changes = ", ".join(f"{key}={text}" for key, text in opened.changes(values))
    comments = [f"{opened.path.name} with other numbers: {changes}"] if changes else []
    if words:
        comments.append(f"Run it with {shlex.join(words)}: a file does not import code.")
    head = [f"# {line}" for comment in comments for line in textwrap.wrap(comment, WIDTH, break_long_words=False)]
    text = "\n".join([*head, *yaml_lines(tree, {})]) + "\n"
    if not words:
        try:
            again = parse(text, opened.path.parent)
        except ScenarioError as error:
            raise WrongNumbers([Mistake("", f"{one.path}: {one.reason}") for one in error.problems]) from None
        if digest(again) != digest(scenario):
            raise Refused("the scenario cannot be written as a file of its own: it would be another one")
    return text, words
