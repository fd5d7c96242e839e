"""A preset: a policy that people run, as one row of data.

The policy is a tree of plain values, as a scenario writes it below `{kind: policy}`. A row follows the code of its
library, not its documentation, and says which code that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Counting = Literal["tries", "retries", "deliveries", "time only", "budget only"]
"""What the library's own limit counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row."""

    name: str
    policy: Mapping[str, Any]
    """The keys of a policy as a file writes them; `attempts` counts tries, whatever the library counts."""
    formula: str
    """The delay before retry n (1 first) in words of mathematics; U is uniform on [0, 1)."""
    counting: Counting
    library: str
    version: str
    """A release, or a commit if the source was read between releases, or the day on which a page was read."""
    source: str
    """The file, or the page of the vendor, that the row follows."""
    notes: tuple[str, ...] = ()
    """Sentences: which numbers are an example, what a policy cannot express, where code and documentation differ."""

    @property
    def attempts(self) -> str:
        """How often it tries, in words: `4`, `unlimited`, with the deadline if there is one: `10, 45s`."""
        tries = str(self.policy.get("attempts", 1))
        if "hedge" in self.policy:
            tries = f"{tries} + {self.policy['hedge']['at_most']} copies"
        deadline = self.policy.get("deadline")
        after = deadline["after"] if isinstance(deadline, dict) else deadline
        if after is None:
            return tries
        return f"{tries} and {after}" if self.policy.get("limits") == "all" else f"{tries}, {after}"
