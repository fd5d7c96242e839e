"""What the tests of converters share: reading a text as a format."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sim.converters.catalogue import FORMATS
from sim.converters.converted import Converted
from sim.converters.documents import read_document

Read = Callable[[str, Any], Converted]


@pytest.fixture(scope="session")
def read() -> Read:
    """Read a text, or plain values, as a format."""

    def read_one(kind: str, config: str | Mapping[str, Any] | list[Any]) -> Converted:
        text = config if isinstance(config, str) else json.dumps(config)
        return FORMATS[kind].read(read_document(text.encode(), "file"))

    return read_one
