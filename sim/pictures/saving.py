"""The one writer of figures: PNG and SVG, resolution, caption, and bytes that depend on nothing but the input.

A figure is drawn while our settings are in force, whatever a user's matplotlibrc says, so `save` takes functions that
draw. No state of pyplot is read or changed.
"""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure

_SETTINGS: dict[Any, Any] = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.size": 9,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "savefig.dpi": 130,
    "svg.hashsalt": "retrysim",
}


def save(figures: Mapping[str, Callable[[], Figure]], caption: str, folder: Path, *, svg: bool = False) -> list[Path]:
    """Write each figure as `name`.png into `folder`, and as SVG if asked to; return the files in the order written.

    The caption goes at the foot of each. Equal input gives equal bytes. Nothing is written before all figures are
    drawn; the folder is made if missing, unless there are no figures.
    """
    kinds = ("png", "svg") if svg else ("png",)
    files: dict[Path, bytes] = {}
    with _settings():
        for name, draw in figures.items():
            figure = draw()
            figure.supxlabel(caption.replace("$", r"\$"), x=0.01, ha="left", fontsize=7, color="#555555")
            files |= {folder / f"{name}.{kind}": _figure_bytes(figure, kind) for kind in kinds}
    if files:
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
    return list(files)


@contextmanager
def _settings() -> Iterator[None]:
    """Put our settings over Matplotlib's own defaults."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of kind `png` or `svg`, without dates and versions."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with warnings.catch_warnings():
        # A letter that the bundled font lacks shows as a box; that is no reason to alarm at the terminal.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
