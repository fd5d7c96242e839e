"""Everything on the pages holds: blocks run and print what is shown, commands, options, files and keys exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from pages import PAGES, ROOT, Block, blocks_of, inline_code
from pages_reader import Reader

from sim.cli.main import COMMANDS, cli
from sim.experiment.plan import plan
from sim.scenario.load import load, parse
from sim.scenario.mistakes.problems import ScenarioError

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"sh", "yaml", "python", "text", "json", "csv"}
LINES_OF_README = 200
RUN = sorted(page for page in PAGES if any(block.kind in {"sh", "python"} for block in blocks_of(page)))
SLOW = sorted(page for page in RUN if any(block.note == "slow" for block in blocks_of(page)))
A_COMMAND = re.compile(r"retrysim ([a-z]+)( .*)?")


@pytest.mark.docs
@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("page", RUN)
def test_a_page_runs_and_prints_what_it_shows(page: str) -> None:
    Reader(page).follow(slow=False)


@pytest.mark.slow
@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("page", SLOW)
def test_a_page_runs_with_what_takes_long(page: str) -> None:
    Reader(page).follow(slow=True)


def test_readme_is_short_and_leads_to_every_part() -> None:
    readme = PAGES["README.md"]
    assert len(readme.splitlines()) <= LINES_OF_README
    for part in ("tutorial.md", "how-to/index.md", "reference/index.md", "explanation/index.md", "glossary.md"):
        assert f"docs/{part}" in readme


@pytest.mark.parametrize("page", sorted(PAGES))
def test_blocks_are_of_known_kinds_and_say_why_if_they_do_not_run(page: str) -> None:
    for block in blocks_of(page):
        assert block.kind in KINDS
        known = r"(|slow|serves|exits \d+|not here: \w.+|after .+)"
        assert re.fullmatch(known, block.note), block.note


@pytest.mark.parametrize("page", [page for page in sorted(PAGES) if any(one.kind == "yaml" for one in blocks_of(page))])
def test_every_scenario_of_a_page_is_valid_and_the_one_that_is_shipped(page: str) -> None:
    for block in blocks_of(page):
        if block.kind == "yaml" and not is_of_own_code(page, block):
            assert is_right(block), block.text


def is_of_own_code(page: str, block: Block) -> bool:
    """Whether a scenario needs code or data that commands of the page give it; the page runs it."""
    options = ("--service", "--retrier")
    lines = [line for line in commands_of(page) if block.file and block.file in line]
    return any("file: " in block.text or one in line for line in lines for one in options)


def is_right(block: Block) -> bool:
    """Whether a block is a valid scenario, the file that it names in its first line, or a part of it."""
    named = re.match(r"# (part of )?(scenarios/[\w/.-]+)\n", block.text)
    if named:
        shipped = (ROOT / named[2]).read_text(encoding="utf-8")
        if named[1]:
            return block.text[named.end() :] in shipped
        return parse(block.text).model_dump(exclude={"name", "why"}) == load(ROOT / named[2]).model_dump(
            exclude={"name", "why"}
        )
    retrier = "none" if not re.search(r"^(retrier|variants):", block.text, re.MULTILINE) else None
    try:
        return plan(parse(block.text, retrier=retrier)).requests > 0
    except ScenarioError as error:
        raise AssertionError(str(error)) from None


def commands_of(page: str) -> Iterator[str]:
    """Every command line of a page, in blocks and within lines; placeholders are left out."""
    for block in blocks_of(page):
        if block.kind == "sh":
            yield from block.text.replace("\\\n", " ").splitlines()
    yield from inline_code(page)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_command_of_a_page_exists_with_its_options(page: str) -> None:
    for line in commands_of(page):
        found = A_COMMAND.fullmatch(line)
        if found is None:
            continue
        command = cli.get_command(click.Context(cli), found[1])
        assert command is not None, line
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        words = shlex.split(found[2] or "", comments=True)
        assert {word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1} <= known, line
        files = [word for word in words if word.startswith("scenarios/")]
        assert [word for word in files if not (ROOT / word).exists()] == [], line


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_setting_of_a_command_fits_its_scenario(page: str) -> None:
    for line in commands_of(page):
        words = shlex.split(line) if A_COMMAND.fullmatch(line) else []
        if len(words) > 2 and words[1] in {"run", "tune", "explore"} and words[2].startswith("scenarios/"):
            pairs = [words[at + 1].partition("=") for at, word in enumerate(words) if word == "--set"]
            # A retrier of one's own is run by the page; here a built-in one stands for it.
            retrier = "helpers" if "--retrier" in words else None
            settings = [(key, value) for key, _, value in pairs]
            assert plan(load(ROOT / words[2], settings, retrier=retrier)).requests > 0, line


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_file_that_a_page_names_exists(page: str) -> None:
    text = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w/.])(?:scenarios|benchmarks|tests|notebooks|docs)/[\w./-]*\w", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists() and "_build" not in name] == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_link_to_a_page_or_picture_leads_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", PAGES[page])
    local = [one for one in targets if "://" not in one and ("." in Path(one).name or "/" in one)]
    assert [one for one in local if not (folder / one).exists()] == []


def test_every_picture_says_what_there_is_to_see() -> None:
    alts = [alt for text in PAGES.values() for alt in re.findall(r"!\[([^\]]*)\]\(", text)]
    assert len(alts) > 5
    assert [alt for alt in alts if len(alt) < 30] == []


def test_the_commands_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `retrysim (\w+)", PAGES["docs/how-to/write-a-scenario.md"], re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


def test_no_page_names_a_place_of_this_machine() -> None:
    assert [page for page, text in PAGES.items() if re.search(r"(?<![\w.])/(tmp|home|work|root)/", text)] == []


def test_every_term_of_the_glossary_is_linked_from_a_page() -> None:
    terms = re.findall(r"^([a-z][\w -]*)$", PAGES["docs/glossary.md"], re.MULTILINE)
    linked = re.findall(r"\{term\}`([^`<]*?)(?:\s*<([^>]*)>)?`", "".join(PAGES.values()))
    assert len(terms) > 40
    assert set(terms) - {(target or text).lower() for text, target in linked} == set()
