"""Claims over many histories; jitter that is too narrow is hunted in the zoo."""

import pytest

from sim.contracts.catalogue import PLATFORM
from sim.scenario.load import from_dict
from sim.testing.sightings import Sightings

BOTH = ("delays-reach-low", "delays-reach-high", "polls-reach-low", "polls-reach-high")


def test_before_anything_is_looked_at_nothing_is_seen() -> None:
    assert Sightings().unseen == BOTH


def test_what_is_seen_once_is_seen() -> None:
    sightings = Sightings()
    flaky = {
        "retrier": "helpers",
        "requests": {"count": 20},
        "action": {"latency": {"constant": "5s"}, "outcomes": {"fail": 0.9}},
    }
    for _ in range(2):
        sightings.look(from_dict(flaky))
        assert sightings.unseen == ()


def test_what_every_history_is_held_against_is_no_sighting() -> None:
    with pytest.raises(ValueError, match="'clock-monotone' is not of kind sometimes"):
        Sightings(PLATFORM)
