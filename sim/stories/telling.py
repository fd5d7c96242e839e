"""A story while it is told: its entries, and the last one, which may get more words at the same instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.stories.story import Entry, Rank

if TYPE_CHECKING:
    from sim.stories.story import Story


class Telling:
    """Puts entries into a story; all that tell of one request share it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.line: Entry | None = None
        """The entry that what follows at the same instant may add to."""
        self.phrases: list[str] = []
        """What the mutation that is being read did besides scheduling."""

    def say(self, t_ns: int, who: str, text: str, rank: Rank = Rank.notable) -> Entry:
        """Add an entry."""
        entry = Entry(t_ns, who, text, rank=rank)
        self.story.entries.append(entry)
        self.line = entry
        return entry

    def add(self, t_ns: int, who: str, text: str) -> None:
        """Add to the last entry if it is of this instant and by the same, or make a new one."""
        line = self.line_at(t_ns)
        if line is not None and line.who == who:
            line.text += f"; {text}"
        else:
            self.say(t_ns, who, text)

    def line_at(self, t_ns: int) -> Entry | None:
        """Return the last entry if it is of this instant."""
        return self.line if self.line is not None and self.line.t_ns == t_ns else None
