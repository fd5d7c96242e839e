"""The message for a library that is not installed, or not in a version that a transport can use."""

from __future__ import annotations

import sys


class NoLibrary(ImportError):
    """A transport is asked for whose library is not installed, or lacks what the transport imports of it."""

    def __init__(self, library: str, error: ImportError) -> None:
        found = sys.modules.get(library)
        if found is None:
            super().__init__(f"this transport needs {library}: pip install 'retrysim[libraries]'")
            return
        version = getattr(found, "__version__", "that is installed")
        super().__init__(
            f"this transport cannot use {library} {version} ({error}): pip install 'retrysim[libraries]' has a version "
            "that it can use"
        )
