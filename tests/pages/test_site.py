"""The site is built without a warning and needs nothing from outside; its reference has all that the code has."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import matplotlib.image
import pytest
from make_pictures import make
from pages import PAGES, ROOT
from reference import PARTS, PLACE, filled
from reference.gallery import PICTURES
from reference.keys import terms

import sim
from sim.cli.main import COMMANDS
from sim.contracts.catalogue import INVARIANTS, STRICTER
from sim.converters.catalogue import FORMATS
from sim.measure.quantities import METRICS
from sim.measure.traffic_quantities import TRAFFIC
from sim.results.columns import CALLS, CELLS, REQUESTS, TIMELINE
from sim.retriers.presets import PRESETS
from sim.scenario.json_schema import json_schema

if TYPE_CHECKING:
    from pathlib import Path

SLOW_PICTURES = ("three-times-three", "metastability-map", "breaker-helps-or-harms", "hedging")
MOST_DIFFERENT = 0.005
"""Mean over pixels of a picture, up to how a version of Matplotlib renders letters."""


def reference(page: str) -> str:
    """A page of the reference with the parts that are made from the code."""
    return filled(PAGES[f"docs/reference/{page}.md"])


def missing(names: object, page: str, form: str = "`{}`") -> list[str]:
    text = reference(page)
    return [name for name in names if form.format(name) not in text]  # type: ignore[attr-defined]


def test_the_reference_has_every_key_of_a_scenario() -> None:
    assert missing(json_schema()["properties"], "scenario", "### `{}`") == []


def test_the_reference_has_every_key_of_every_part() -> None:
    text = reference("parts")
    for name, node in json_schema()["$defs"].items():
        for key, child in node.get("properties", {}).items():
            assert f"`{key}`\n: *" in text, name
            described = " ".join(child.get("description", "").replace("`", "").replace("*", r"\*").split())
            assert described in " ".join(text.replace("`", "").split()), (name, key)


def test_the_reference_has_every_metric() -> None:
    assert missing([*METRICS, *TRAFFIC], "metrics") == []


def test_the_reference_has_every_invariant_with_its_claim() -> None:
    invariants = (*INVARIANTS, *STRICTER)
    text = reference("invariants")
    assert [one.name for one in invariants if f"`{one.name}` ({one.kind})\n: {one.doc[:10]}" not in text] == []


def test_the_reference_has_every_preset_with_its_source() -> None:
    assert missing([preset.name for preset in PRESETS], "presets", "`{}`\n: ") == []


def test_the_reference_has_every_format_and_every_command() -> None:
    assert missing(FORMATS, "formats", "## `{}`: ") == []
    assert missing(COMMANDS, "commands", "## `{}`\n") == []


def test_the_reference_has_every_public_name() -> None:
    text = reference("python")
    assert [name for name in sim.__all__ if not re.search(rf"sim\.{name}\b", text)] == []


def test_every_part_of_the_extension_is_on_a_page() -> None:
    used = {place[1] for text in PAGES.values() for place in PLACE.finditer(text)}
    assert used == set(PARTS)


@pytest.mark.parametrize("page", [page for page, text in PAGES.items() if PLACE.search(text)])
def test_every_part_of_a_page_can_be_made(page: str) -> None:
    assert not PLACE.search(filled(PAGES[page]))


def test_the_reference_has_every_column_of_every_table() -> None:
    columns = {one.name for listed in (REQUESTS, CALLS, TIMELINE, CELLS) for one in listed}
    assert missing(columns, "results", "`{}`\n: ") == []


def test_a_part_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("<!-- generated: nothing-of-that-name -->")


def test_texts_of_several_paragraphs_stay_below_their_term() -> None:
    assert terms([("`a`", "one\n\ntwo")]) == "`a`\n: one\n  \n  two\n"


@pytest.mark.docs
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", str(ROOT / "docs"), str(tmp_path)]
    built = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert (built.returncode, built.stderr) == (0, "")
    pages = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")]
    assert len(pages) > 30
    loading = r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*"
    assert [found for page in pages for found in re.findall(loading, page)] == []
    styles = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css")]
    assert [
        found for style in styles for found in re.findall(r"(?:url\(|@import)[\"' ]*(?:https?:)?//[^)]*", style)
    ] == []
    assert (tmp_path / "searchindex.js").exists()
    assert [page for page in pages if re.search(r"(?<![\w.])/(?:tmp|home|work|root)/", page)] == []


def differences(names: list[str], folder: Path) -> dict[str, object]:
    """Make pictures again; return by how much those differ that are not what is shown."""
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    found: dict[str, object] = {}
    for name in names:
        drawn = matplotlib.image.imread(make(PICTURES[name], folder))
        shipped = matplotlib.image.imread(ROOT / PICTURES[name].path(name))
        if drawn.shape != shipped.shape:
            found[name] = (drawn.shape, shipped.shape)
        elif (by := float(abs(drawn - shipped).mean())) > MOST_DIFFERENT:
            found[name] = by
    return found


@pytest.mark.docs
def test_the_pictures_are_what_their_commands_save(tmp_path: Path) -> None:
    assert differences([name for name in PICTURES if name not in SLOW_PICTURES], tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_PICTURES)
def test_a_picture_that_takes_long_is_what_its_command_saves(name: str, tmp_path: Path) -> None:
    assert differences([name], tmp_path) == {}
