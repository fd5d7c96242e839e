"""The part of the live page that the user acts on: the numbers with their sliders, what to save and what to copy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from sim.report.charts.markup import Html, add, element, html_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from sim.report.live.knobs import Knob
    from sim.report.live.opened import Opened

OPEN_GROUPS = 3
"""So many groups of numbers are open at first."""


def panel(opened: Opened) -> Html:
    """Return the panel of a scenario."""
    root = element("div", class_="panel", role="group", aria_label="Numbers of the scenario")
    head = add(root, "details", class_="all-knobs", open="open")
    add(head, "summary", f"Numbers of {opened.path.name}")
    _add_ghosts(head)
    for position, (title, knobs) in enumerate(opened.knobs.groups.items()):
        group = add(head, "details", class_="group", open="open" if position < OPEN_GROUPS else None)
        add(group, "summary", f"{title} ({len(knobs)})")
        for knob in knobs:
            _add_knob(group, knob, f"k{len(root.findall('.//input'))}")
    for text in _left_out(opened):
        add(head, "p", text, class_="note")
    add(root, "p", "", class_="mistake general", role="alert", hidden="hidden")
    _add_ends(root, opened)
    return html_of(root)


def _add_knob(group: Element, knob: Knob, key: str) -> None:
    name = f"{knob.variant}: {knob.label}" if knob.variant else knob.label
    holder = add(
        group,
        "div",
        class_="knob",
        data_key=knob.key,
        data_value=knob.value,
        data_stops=json.dumps(knob.stops, separators=(",", ":")),
    )
    add(holder, "label", knob.label, for_=f"{key}-text", title=knob.key)
    add(
        holder,
        "input",
        type="text",
        id=f"{key}-text",
        class_="exact",
        value=knob.value,
        autocomplete="off",
        spellcheck="false",
        maxlength="64",
        aria_describedby=f"{key}-wrong",
    )
    add(
        holder,
        "button",
        "Undo",
        type="button",
        class_="undo",
        aria_label=f"{name}: back to {knob.value}",
        hidden="hidden",
    )
    add(
        holder,
        "input",
        type="range",
        id=f"{key}-slider",
        min="0",
        max=len(knob.stops) - 1,
        step="1",
        value=knob.at,
        aria_label=name,
        aria_valuetext=knob.value,
        aria_describedby=f"{key}-wrong",
        autocomplete="off",
    )
    if knob.about:
        add(holder, "small", knob.about)
    add(holder, "p", "", id=f"{key}-wrong", class_="mistake", role="alert", hidden="hidden")


def _add_ghosts(head: Element) -> None:
    row = add(head, "fieldset", class_="ghosts")
    add(row, "legend", "Pale curves behind")
    for value, text in (("before", "before this change"), ("file", "as in the file"), ("none", "none")):
        label = add(row, "label")
        checked = "checked" if value == "before" else None
        made = add(label, "input", type="radio", name="ghosts", value=value, checked=checked, autocomplete="off")
        made.tail = f" {text}"
    add(row, "button", "Undo all", type="button", class_="undo-all", disabled="disabled")


def _left_out(opened: Opened) -> list[str]:
    knobs = opened.knobs
    texts = []
    if not knobs.found:
        texts.append("No number of this scenario can be changed here.")
    if knobs.unnamed:
        names = ", ".join(knobs.unnamed)
        texts.append(f"Names with a dot or '=' cannot stand in --set, so these variants have no sliders: {names}.")
    if knobs.cut:
        texts.append(f"{knobs.cut} more numbers have no slider.")
    return texts


def _add_ends(root: Element, opened: Opened) -> None:
    ends = add(root, "details", class_="ends", open="open")
    add(ends, "summary", "Keep these numbers")
    add(ends, "p", "The command that runs them:", class_="note")
    line = add(ends, "div", class_="command")
    add(add(line, "pre", tabindex="0", role="region", aria_label="Command"), "code", opened.command({}))
    add(line, "button", "Copy", type="button", class_="copy")
    form = add(ends, "div", class_="save")
    add(form, "label", f"Save as a new scenario in {opened.path.parent.resolve().name or '/'}/", for_="save-name")
    stem = re.sub("[^a-z0-9._-]+", "-", opened.path.stem.lower()).lstrip("._-") or "scenario"
    add(
        form,
        "input",
        type="text",
        id="save-name",
        value=f"{stem[:50]}-2.yaml",
        maxlength="65",
        autocomplete="off",
        spellcheck="false",
        aria_describedby="save-said",
    )
    add(form, "button", "Save", type="button", class_="save-it")
    add(form, "button", "Replace it", type="button", class_="replace-it", hidden="hidden")
    add(form, "p", "", id="save-said", class_="note", role="status")
