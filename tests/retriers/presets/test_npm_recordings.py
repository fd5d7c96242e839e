"""Presets of npm libraries against what the libraries themselves computed: `npm_delays.txt`.

`benchmarks/record_npm_delays.mjs` records it: 1000 delays of each library with jitter.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.retriers.presets import find
from sim.retriers.presets.delays import first_delays_ns, laws

RECORDING = Path(__file__).parent / "npm_delays.txt"
FIRST = 5


def _recorded() -> Iterator[tuple[str, float, list[float]]]:
    """Yield a preset, perhaps with `:throttled` behind it, what was drawn, and its delays in ms."""
    for line in RECORDING.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, number, *delays = line.split()
            yield name, float(number), [float(delay) for delay in delays]


NAMES = sorted({name for name, _, _ in _recorded()})


@pytest.mark.parametrize("name", NAMES)
def test_delays_are_those_of_the_library(name: str) -> None:
    """To the ns; delays of 2^53 and more of them would differ by their own precision, but there are none."""
    preset, _, case = name.partition(":")
    law = laws(find(preset))[1 if case else 0].law
    recorded = [(number, delays) for one, number, delays in _recorded() if one == name]
    assert len(recorded) == (200 if law.streams else 1)
    for number, delays in recorded:
        assert first_delays_ns(law, FIRST, number) == pytest.approx([1e6 * delay for delay in delays], abs=1)


def test_every_library_was_recorded_in_the_version_that_its_preset_names() -> None:
    heading = RECORDING.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    recorded = dict(one.rsplit(" ", 1) for one in heading.split(", "))
    presets = [find(name.partition(":")[0]) for name in NAMES]
    assert {preset.library: preset.version for preset in presets} == recorded
