"""The nearest known word, for the message about an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else nothing."""
    folded = {candidate.lower(): candidate for candidate in known if candidate != word}
    near = get_close_matches(word[:100].lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean '{folded[near[0]]}'?" if near else ""
