"""Charts for pages, from plain data: SVG and a little HTML, without Matplotlib and without Jinja2.

Each module has one shape of chart, a frozen object with a method `html()`; `adapters.py` makes charts of the objects
of `sim.pictures.data`. What a chart returns is safe HTML whatever its texts are: names of scenarios and cells are
escaped where the tree is written down (`markup.py`).

A chart scales with the width of the page without scaling its text: places along x are percentages, places along y
pixels or percentages, and curves stand in a nested SVG that is stretched while its strokes are not. A series carries
`data-series="KEY"`; a page switches all parts of one key together. `assets/page.js` shows the values under the pointer
from `data-chart`, which holds the points themselves, or from `data-tip` of bars and fields.

May import `sim.pictures.data`, `sim.text` and what stands below them.
"""
