"""How the pages are built: `sphinx-build -W --keep-going -n docs DIRECTORY`. Nothing is fetched from anywhere."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "retrysim"
author = "the retrysim authors"
release = metadata.version("retrysim")

extensions = ["myst_parser", "sphinx.ext.autodoc", "reference"]
exclude_patterns = ["_build", "README.md"]
smartquotes = False  # options begin with two hyphens
default_role = "code"  # docstrings quote names with single backticks

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"
# Types of other packages, and inner ones that have no page: signatures show them, but there is nothing to link to.
nitpick_ignore_regex = [("py:.*", r"^(?!sim\.[A-Za-z_]+$).*")]

html_theme = "furo"
html_title = "retrysim"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
pygments_style = "tango"
pygments_dark_style = "monokai"
