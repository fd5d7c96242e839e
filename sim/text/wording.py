"""Small pieces of sentences: lists and counts."""

from collections.abc import Sequence


def listed(texts: Sequence[str]) -> str:
    """Join at least one text: `a`, `a and b`, `a, b and c`."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def counted(count: int, thing: str) -> str:
    """Write a count of things: `1 request`, `20,000 requests`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
