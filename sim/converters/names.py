"""Names of fields that can be written in several ways, brought into one."""

from __future__ import annotations

import re


def snake(key: str) -> str:
    """Return the name of a field of Protocol Buffers, which JSON may write in camel case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def relaxed(key: str) -> str:
    """Return a property's name as Spring compares it."""
    return re.sub("[-_]", "", key).lower()
