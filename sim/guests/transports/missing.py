"""The message for a library that is not installed."""

from __future__ import annotations


class NoLibrary(ImportError):
    """A transport is asked for whose library is not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(f"this transport needs {library}: pip install 'retrysim[libraries]'")
