"""A Sphinx extension: fills pages with what the code says of itself.

A line `<!-- generated: NAME [ARGUMENT] -->` of a page is replaced, as the page is read, by the Markdown that the part
of that name makes. Scenario keys come from the JSON Schema, metrics from their table, invariants from the catalogue,
and so on, so that a reference page cannot say anything else than the code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reference import columns, commands, formats, gallery, invariants, keys, metrics, presets, python_api

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PARTS: Final[dict[str, Callable[..., str]]] = {
    "scenario-keys": keys.top_keys,
    "scenario-parts": keys.parts,
    "retriers": keys.retriers,
    "units": keys.units,
    "metrics-of-requests": metrics.of_requests,
    "metrics-of-traffic": metrics.of_traffic,
    "metric-meanings": metrics.meanings,
    "invariants": invariants.group,
    "invariants-not-judged": invariants.not_judged,
    "presets": presets.all_groups,
    "formats": formats.all_formats,
    "commands": commands.all_commands,
    "exit-codes": commands.exit_codes,
    "columns": columns.of_requests,
    "table": columns.of_table,
    "summary": columns.of_summary,
    "outcomes": columns.outcomes,
    "docstring": columns.docstring,
    "python-api": python_api.all_names,
    "gallery": gallery.gallery,
}
PLACE: Final = re.compile(r"^<!-- generated: ([\w-]+)(?: ([\w.-]+))? -->$", re.MULTILINE)


def filled(text: str) -> str:
    """Return a page with the parts that it asks for; raises KeyError if there is none of a name."""
    return PLACE.sub(lambda place: PARTS[place[1]](*filter(None, (place[2],))), text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx."""

    def fill(_: Sphinx, __: str, source: list[str]) -> None:
        source[0] = filled(source[0])

    def outdated(_: Sphinx, environment: BuildEnvironment, *__: object) -> list[str]:
        """Read pages with parts of code again each time: the code may have changed."""
        found = environment.found_docs
        return [name for name in found if PLACE.search(environment.doc2path(name).read_text(encoding="utf-8"))]

    app.connect("source-read", fill)
    app.connect("env-get-outdated", outdated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
