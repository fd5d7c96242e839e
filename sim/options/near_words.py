"""The nearest known word, for the message about an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, else nothing."""
    folded = {candidate.lower(): candidate for candidate in known if candidate != word}
    wrong = word[:100].lower()
    near = get_close_matches(wrong, folded, n=3, cutoff=0.6)
    # Letters in the wrong order are the likeliest slip: `fial` is `fail`, not `file`.
    swapped = [candidate for candidate in near if sorted(candidate) == sorted(wrong)]
    return f"; did you mean '{folded[(swapped or near)[0]]}'?" if near else ""
