"""What the check of some worlds of a cell has found, as plain numbers and text: `CheckedPart`.

It can come from another process, be stored with the requests of its chunk, and be put together with the others when all
are there; nothing that checks is needed to read it.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.stories.violations import Told

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ToldFirst:
    """The first request that breaks an invariant, in words."""

    request: int
    """As in `sim.experiment.checker.First`."""
    of_request: bool
    """Whether the violation belongs to a request."""
    replays: bool
    """As in `sim.experiment.checker.First`."""
    told: Told

    def plain(self) -> list[Any]:
        """Return it as plain values."""
        one = self.told
        return [self.request, self.of_request, self.replays, one.invariant, one.text, one.events, one.story]

    @classmethod
    def of_plain(cls, plain: Sequence[Any]) -> ToldFirst:
        """Make it of what `plain` returned."""
        request, of_request, replays, invariant, text, events, story = plain
        words = Told(invariant, text, tuple(events), tuple((head, line) for head, line in story))
        return cls(request, of_request, replays, words)


@dataclass(frozen=True, slots=True)
class CheckedPart:
    """What the check of some worlds of a cell has found, as plain numbers and text."""

    simulated: int
    """How many requests were simulated, including those outside the measuring window."""
    histories: int
    events: int
    broken: dict[str, int]
    """By the name of each invariant that is broken: the number of requests that break it."""
    firsts: dict[str, ToldFirst]
    """By the name of each invariant that is broken: the first request that breaks it."""
    seen: tuple[str, ...]
    """The invariants of kind `sometimes` that a history shows."""
    gathered: tuple[Any, ...]
    """What each gatherer of the cell has, in their order, as plain values; see `sim.chance.overall.Gatherer`."""

    def encode(self) -> bytes:
        """Return it as bytes; the same part gives the same bytes."""
        plain = {
            "simulated": self.simulated,
            "histories": self.histories,
            "events": self.events,
            "broken": self.broken,
            "firsts": {name: first.plain() for name, first in self.firsts.items()},
            "seen": self.seen,
            "gathered": self.gathered,
        }
        return zlib.compress(json.dumps(plain, separators=(",", ":"), default=_item).encode("utf-8"), 6)

    @classmethod
    def decode(cls, data: bytes) -> CheckedPart:
        """Make it of what `encode` returned; raises ValueError for other bytes."""
        try:
            plain = json.loads(zlib.decompress(data))
            firsts = {name: ToldFirst.of_plain(first) for name, first in plain["firsts"].items()}
            return cls(
                plain["simulated"],
                plain["histories"],
                plain["events"],
                plain["broken"],
                firsts,
                tuple(plain["seen"]),
                tuple(plain["gathered"]),
            )
        except (zlib.error, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no part of a check: {error}") from None


def _item(number: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    return number.item()
